"""Deliveries: folders `<source>/<YYYY-MM-DD>/` with CSV files under their Olist names."""

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from obstore.store import ObjectStore

from olist_assets.errors import DeliveryError, OlistError
from olist_assets.lake.files import DeliveredFile, extraction_time, table_for_file
from olist_assets.lake.storage import open_store
from spark_steps.protocol import Window

DeliveryFingerprint = list[str]
"""A delivery as one text per file, sorted: name, size in bytes and modification time (ISO 8601), separated by spaces.

Two fingerprints of a day are equal if its delivery has not changed. The load marks of a lake (`control/days`) store
them, so the format of the texts must not change.
"""

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Deliveries:
    """The deliveries under `root`, an absolute path or an s3:// URI."""

    root: str

    @cached_property
    def store(self) -> ObjectStore:
        """The store of the deliveries.

        Raises:
            DeliveryError: the folder does not exist, or the bucket cannot be listed.
        """
        try:
            return open_store(self.root, create=False)
        except OlistError as error:
            raise DeliveryError(
                f"no deliveries: {error}; set OLIST_SOURCE, or make one with `olist deliver`"
            ) from error

    def days(self) -> dict[date, DeliveryFingerprint]:
        """The fingerprint of each day's delivery, by landing date in ascending order."""
        fingerprints: dict[date, DeliveryFingerprint] = {}
        for page in self.store.list():
            for meta in page:
                folder, _, name = meta["path"].rpartition("/")
                day = _to_day(folder)
                if day is not None and table_for_file(name):
                    text = f"{name} {meta['size']} {meta['last_modified'].isoformat()}"
                    fingerprints.setdefault(day, []).append(text)
        return {day: sorted(texts) for day, texts in sorted(fingerprints.items())}

    def unrecognized_files(self, window: Window) -> list[str]:
        """The paths of files in the window's deliveries that belong to no table."""
        return sorted(
            meta["path"]
            for page in self.store.list()
            for meta in page
            if (day := _to_day(meta["path"].partition("/")[0])) and day in window
            if meta["path"].count("/") > 1 or not table_for_file(meta["path"].rpartition("/")[2])
        )

    def files(self, table: str, day: date) -> tuple[DeliveredFile, ...]:
        """The files of a table in a day's delivery; none if there was no delivery."""
        return tuple(
            DeliveredFile(
                self.store, meta["path"], meta["size"], extraction_time(meta["path"]) or meta["last_modified"]
            )
            for page in self.store.list(f"{day}")
            for meta in sorted(page, key=lambda meta: meta["path"])
            if meta["path"].rpartition("/")[0] == f"{day}" and table_for_file(meta["path"].rpartition("/")[2]) == table
        )


def _to_day(folder: str) -> date | None:
    """The day that a folder is named for; None if it is not named for a day."""
    try:
        return date.fromisoformat(folder) if _DAY.fullmatch(folder) else None
    except ValueError:
        return None
