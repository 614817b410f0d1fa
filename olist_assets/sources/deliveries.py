"""Deliveries: folders `<source>/<YYYY-MM-DD>/` with CSV files under their Olist names."""

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from obstore.store import ObjectStore

from olist_assets.errors import OlistError
from olist_assets.lake.files import DeliveredFile, extraction_time, table_for_file
from olist_assets.lake.storage import open_store
from spark_steps.protocol import Window

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


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
                if day is not None and table_for_file(name):
                    found.setdefault(day, []).append(f"{name} {meta['size']} {meta['last_modified'].isoformat()}")
        return {day: sorted(files) for day, files in sorted(found.items())}

    def unrecognized_files(self, window: Window) -> list[str]:
        """The paths of what lies in the window's deliveries and belongs to no table."""
        return sorted(
            meta["path"]
            for page in self.store.list()
            for meta in page
            if (day := _day(meta["path"].partition("/")[0])) and day in window
            if meta["path"].count("/") > 1 or not table_for_file(meta["path"].rpartition("/")[2])
        )

    def files(self, table: str, day: date) -> tuple[DeliveredFile, ...]:
        """The files of a table that were delivered on a day; none if there was no delivery."""
        return tuple(
            DeliveredFile(
                self.store, meta["path"], meta["size"], extraction_time(meta["path"]) or meta["last_modified"]
            )
            for page in self.store.list(f"{day}")
            for meta in sorted(page, key=lambda meta: meta["path"])
            if meta["path"].rpartition("/")[0] == f"{day}" and table_for_file(meta["path"].rpartition("/")[2]) == table
        )


def _day(folder: str) -> date | None:
    try:
        return date.fromisoformat(folder) if _DAY.fullmatch(folder) else None
    except ValueError:
        return None
