"""The lake's paths and objects beside the Delta tables' own: landzone, archive, control."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from obstore import open_writer
from obstore.store import ObjectStore

from olist_assets.aws.environment import is_s3
from olist_assets.lake.files import DeliveredFile, extraction_time
from olist_assets.lake.storage import open_store
from spark_steps.declarations import Layer
from spark_steps.protocol import LandedFile, TableHandle, Window
from spark_steps.tables import TABLES

_LANDED = re.compile(r"landzone/(?P<table>\w+)/(?P<day>\d{4}-\d\d-\d\d)/(?P<stem>[^/]+)\.(?P<id>[0-9a-f]{16})\.csv")


@dataclass(frozen=True)
class Lake:
    """The lake under `root`, an absolute path or an s3:// URI; `after_raw` is archive or delete."""

    root: str
    after_raw: str = "archive"

    @cached_property
    def store(self) -> ObjectStore:
        """The lake's objects, by their path below the root."""
        return open_store(self.root, create=True)

    @property
    def on_s3(self) -> bool:
        """Whether it lies on S3."""
        return is_s3(self.root)

    def table(self, table_id: str, window: Window | None = None) -> TableHandle:
        """The handle of a Delta table: the one place that decides where a table lies."""
        return TableHandle(table_id, f"{self.root}/{table_id}", window)

    def display_uri(self, uri: str) -> str:
        """A URI of this lake as events may show it: without the name of a bucket."""
        return uri.replace(self.root, "$OLIST_LAKE", 1) if self.on_s3 else uri

    # --- Landzone ---------------------------------------------------------------------------------------------

    def land(self, table: str, day: date, file: DeliveredFile) -> LandedFile:
        """Copy a delivered file into the landzone, unless its content is there already."""
        digest = hashlib.sha256()
        for chunk in file.chunks():
            digest.update(chunk)
        file_id = digest.hexdigest()[:16]
        window = Window.from_day(day)
        for landed in self.landed_files(table, window):
            if landed.file_id == file_id:
                return landed
        # The name carries the time of extraction, which a copy's own modification time cannot.
        stem = file.name.removesuffix(".csv")
        if extraction_time(file.name) is None:
            stem = f"{stem}_{file.extracted_at:%Y%m%dT%H%M%SZ}"
        path = f"landzone/{table}/{day}/{stem}.{file_id}.csv"
        with open_writer(self.store, path) as writer:  # an error within leaves nothing behind
            for chunk in file.chunks():
                writer.write(chunk)
        return LandedFile(f"{self.root}/{path}", f"{stem}.csv", file_id, day, file.extracted_at)

    def landed_files(self, table: str, window: Window) -> tuple[LandedFile, ...]:
        """The files of a table that wait in the landzone, of the window's days, in the order of their names."""
        found: list[LandedFile] = []
        days = window.days
        prefix = f"landzone/{table}/{days[0]}" if len(days) == 1 else f"landzone/{table}"
        for meta in self._list(prefix):
            match = _LANDED.fullmatch(meta["path"])
            if match is None or date.fromisoformat(match["day"]) not in window:
                continue
            name = f"{match['stem']}.csv"
            found.append(
                LandedFile(
                    uri=f"{self.root}/{meta['path']}",
                    name=name,
                    file_id=match["id"],
                    landing_date=date.fromisoformat(match["day"]),
                    extracted_at=extraction_time(name) or meta["last_modified"],
                )
            )
        return tuple(sorted(found, key=lambda file: file.uri))

    def pending_days(self) -> list[date]:
        """The landing date of each object that waits in the landzone."""
        matches = [_LANDED.fullmatch(meta["path"]) for meta in self._list("landzone")]
        return [date.fromisoformat(match["day"]) for match in matches if match]

    def remove_landed(self, files: Iterable[LandedFile]) -> None:
        """Take exactly these files out of the landzone: into the archive, or away, as the setting says."""
        for file in files:
            path = file.uri.removeprefix(f"{self.root}/")
            with suppress(FileNotFoundError):  # another run of the day has taken it out
                if self.after_raw == "delete":
                    self.store.delete(path)
                else:
                    self.store.rename(path, path.replace("landzone/", "archive/", 1))

    # --- Control ----------------------------------------------------------------------------------------------

    def write_step_record(self, record: dict[str, Any]) -> None:
        """Leave a step run's control object: `record` names its table, run_id and started_at."""
        started: datetime = record["started_at"]
        step = record["table"].replace("/", ".")
        path = f"control/steps/{started.astimezone(UTC):%Y-%m-%d}/{record['run_id']}/{step}.json"
        self.store.put(path, json.dumps(record, default=_to_text, indent=1).encode())

    def write_load_mark(self, day: date, files: list[str]) -> None:
        """Note that the whole lineage has been materialised for a day whose delivery held these files."""
        self.store.put(f"control/days/{day}.json", json.dumps(files, indent=1).encode())

    def clear_load_mark(self, day: date) -> None:
        """Take that note back, if there is one."""
        with suppress(FileNotFoundError):
            self.store.delete(f"control/days/{day}.json")

    def load_marks(self) -> dict[date, list[str]]:
        """Of each day that has been loaded, the files that its delivery held."""
        return {
            date.fromisoformat(meta["path"].rpartition("/")[2].removesuffix(".json")): json.loads(
                bytes(self.store.get(meta["path"]).bytes())
            )
            for meta in self._list("control/days")
        }

    def last_records(self, tables: set[str], days: int = 30) -> dict[str, dict[str, Any]]:
        """The newest control object of each table, from the last days on which steps ran."""
        newest: dict[str, dict[str, Any]] = {}
        written: dict[str, datetime] = {}
        for meta in self._newest_records(days):
            table = meta["path"].rpartition("/")[2].removesuffix(".json").replace(".", "/")
            if newest.keys() == tables and meta["last_modified"] < min(written.values()):
                break
            if table in tables and meta["last_modified"] >= written.get(table, meta["last_modified"]):
                record = json.loads(bytes(self.store.get(meta["path"]).bytes()))
                written[table] = meta["last_modified"]
                if table not in newest or record["started_at"] > newest[table]["started_at"]:  # S3 knows seconds only
                    newest[table] = record
        return newest

    def newest_records(self) -> list[dict[str, Any]]:
        """The newest control object of each table that has steps of its own, in the order of the lineage."""
        # Quarantine tables have none: asked for, they would be looked for in every record there is.
        tables = [table.id for table in TABLES.values() if table.layer is not Layer.QUARANTINE]
        found = self.last_records(set(tables))
        return [found[table] for table in tables if table in found]

    def _newest_records(self, days: int) -> Iterator[Any]:
        prefixes = self.store.list_with_delimiter("control/steps")["common_prefixes"]
        for prefix in sorted(prefixes, reverse=True)[:days]:
            yield from sorted(self._list(prefix), key=lambda meta: meta["last_modified"], reverse=True)

    def _list(self, prefix: str) -> list[Any]:
        return [meta for page in self.store.list(prefix) for meta in page]


def _to_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
