"""Deliveries: folders `<source>/<YYYY-MM-DD>/` with CSV files under their Olist names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

from obstore.store import ObjectStore

from olist_assets.errors import OlistError
from olist_assets.lake.storage import chunks, open_store
from spark_steps.declarations import Layer
from spark_steps.protocol import Window
from spark_steps.tables import tables_of

FILE_STEMS = {table.name: table.file_stem for table in tables_of(Layer.RAW) if table.file_stem}
"""The stem of each source's files, by the table's name."""

FIRST_LANDING_DATE = date(2016, 1, 1)
"""No delivery is older: Olist's first order is of September 2016."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TIME_SUFFIX = re.compile(r"_(\d{8}T\d{6}Z)\.csv$")


@dataclass(frozen=True)
class DeliveredFile:
    """A file of a delivery: its name, its size in bytes, and when the source wrote it (UTC)."""

    store: ObjectStore
    path: str
    size: int
    extracted_at: datetime

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.rpartition("/")[2]

    def chunks(self) -> Iterator[bytes]:
        """The file's content, piece by piece."""
        return chunks(self.store, self.path)


@dataclass(frozen=True)
class Deliveries:
    """The deliveries under `root`, an absolute path or an s3:// URI."""

    root: str

    @cached_property
    def store(self) -> ObjectStore:
        """The deliveries' objects.

        Raises:
            OlistError: the folder does not exist.
        """
        try:
            return open_store(self.root, create=False)
        except OlistError as error:
            raise OlistError(f"no deliveries: {error}; set OLIST_SOURCE, or make one with `olist deliver`") from error

    def days(self) -> dict[date, list[str]]:
        """The days on which something was delivered: of each file its name, size and time of change."""
        found: dict[date, list[str]] = {}
        for page in self.store.list():
            for meta in page:
                folder, _, name = meta["path"].rpartition("/")
                day = _day(folder)
                if day is not None and table_of(name):
                    found.setdefault(day, []).append(f"{name} {meta['size']} {meta['last_modified'].isoformat()}")
        return {day: sorted(files) for day, files in sorted(found.items())}

    def strangers(self, window: Window) -> list[str]:
        """The paths of what lies in the window's deliveries and belongs to no table."""
        return sorted(
            meta["path"]
            for page in self.store.list()
            for meta in page
            if (day := _day(meta["path"].partition("/")[0])) and day in window
            if meta["path"].count("/") > 1 or not table_of(meta["path"].rpartition("/")[2])
        )

    def files(self, table: str, day: date) -> tuple[DeliveredFile, ...]:
        """The files of a table that were delivered on a day; none if there was no delivery."""
        return tuple(
            DeliveredFile(
                self.store, meta["path"], meta["size"], extraction_time(meta["path"]) or meta["last_modified"]
            )
            for page in self.store.list(f"{day}")
            for meta in sorted(page, key=lambda meta: meta["path"])
            if meta["path"].rpartition("/")[0] == f"{day}" and table_of(meta["path"].rpartition("/")[2]) == table
        )


def table_of(file_name: str) -> str | None:
    """The table that a file belongs to: its stem, perhaps with a suffix after an underscore, says so."""
    if not file_name.endswith(".csv"):
        return None
    stem = file_name.removesuffix(".csv")
    return next((t for t, known in FILE_STEMS.items() if stem == known or stem.startswith(f"{known}_")), None)


def extraction_time(file_name: str) -> datetime | None:
    """The time in a name such as `olist_orders_dataset_20180510T030000Z.csv`; None if there is none."""
    match = _TIME_SUFFIX.search(file_name)
    try:
        return datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def _day(folder: str) -> date | None:
    try:
        return date.fromisoformat(folder) if _DAY.fullmatch(folder) else None
    except ValueError:
        return None
