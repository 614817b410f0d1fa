"""The landing zone: delivered files by their content, until raw contains them."""

import hashlib
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from obstore import open_writer
from obstore.store import ObjectStore

from olist_assets.lake.files import DeliveredFile, extraction_time
from olist_assets.lake.json_objects import to_day
from olist_assets.lake.storage import list_objects
from spark_steps.protocol import LandedFile, Window

_PATH = re.compile(
    r"(?:landzone|archive)/(?P<table>\w+)/(?P<day>\d{4}-\d\d-\d\d)/(?P<stem>[^/]+)\.(?P<id>[0-9a-f]{16})\.csv"
)
_CONCURRENT_MOVES = 16
"""How many files are moved at the same time. On S3 most of the time is spent waiting."""


@dataclass(frozen=True)
class Landzone:
    """The objects `landzone/<table>/<landing date>/<file name>.<file id>.csv` of the lake under `root`.

    `after_raw` decides whether `remove` moves files to `archive/` (`archive`) or deletes them (`delete`).
    """

    store: ObjectStore
    root: str
    after_raw: str

    def land(self, table: str, day: date, file: DeliveredFile) -> LandedFile:
        """Copy a delivered file into the landing zone, unless a file of the same content is there for that day."""
        digest = hashlib.sha256()
        for chunk in file.chunks():
            digest.update(chunk)
        file_id = digest.hexdigest()[:16]
        for landed in self.files(table, Window.from_day(day)):
            if landed.file_id == file_id:
                return landed
        # The name contains the extraction time, because the copy's own modification time is that of the copy.
        stem = file.name.removesuffix(".csv")
        if extraction_time(file.name) is None:
            stem = f"{stem}_{file.extracted_at:%Y%m%dT%H%M%SZ}"
        path = f"landzone/{table}/{day}/{stem}.{file_id}.csv"
        with open_writer(self.store, path) as writer:  # an error in the block leaves no object
            for chunk in file.chunks():
                writer.write(chunk)
        return LandedFile(f"{self.root}/{path}", f"{stem}.csv", file_id, day, file.extracted_at)

    def files(self, table: str, window: Window) -> tuple[LandedFile, ...]:
        """The landed files of a table and of the window's days, in the order of their paths."""
        landed: list[LandedFile] = []
        days = window.days
        prefix = f"landzone/{table}/{days[0]}" if len(days) == 1 else f"landzone/{table}"
        for meta in list_objects(self.store, prefix):
            match = _PATH.fullmatch(meta["path"])
            if match is None or (day := to_day(match["day"])) is None or day not in window:
                continue
            name = f"{match['stem']}.csv"
            landed.append(
                LandedFile(
                    uri=f"{self.root}/{meta['path']}",
                    name=name,
                    file_id=match["id"],
                    landing_date=day,
                    extracted_at=extraction_time(name) or meta["last_modified"],
                )
            )
        return tuple(sorted(landed, key=lambda file: file.uri))

    def pending_days(self) -> list[date]:
        """The landing date of each landed file; a day occurs once per file."""
        matches = [_PATH.fullmatch(meta["path"]) for meta in list_objects(self.store, "landzone")]
        return [day for match in matches if match and (day := to_day(match["day"]))]

    def remove(self, files: Iterable[LandedFile]) -> None:
        """Archive or delete exactly these files. Files that another run has removed are skipped."""
        for file in files:
            path = file.uri.removeprefix(f"{self.root}/")
            with suppress(FileNotFoundError):
                if self.after_raw == "delete":
                    self.store.delete(path)
                else:
                    self.store.rename(path, path.replace("landzone/", "archive/", 1))

    def archived_files(self, table: str) -> dict[str, date]:
        """The path of each archived file of a table, with its landing date."""
        matches = [_PATH.fullmatch(meta["path"]) for meta in list_objects(self.store, f"archive/{table}")]
        return {match[0]: day for match in matches if match and (day := to_day(match["day"]))}

    def restore(self, table: str) -> None:
        """Move all archived files of a table back into the landing zone."""

        def move(path: str) -> None:
            with suppress(FileNotFoundError):  # another run has moved it
                self.store.rename(path, path.replace("archive/", "landzone/", 1))

        with ThreadPoolExecutor(_CONCURRENT_MOVES) as pool:
            list(pool.map(move, self.archived_files(table)))
