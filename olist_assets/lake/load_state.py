"""Load marks: which deliveries the whole lineage has been materialized for."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from obstore.store import ObjectStore

from olist_assets.lake import json_objects
from olist_assets.lake.storage import list_objects, read_object

_FOLDER = "control/days"
_PATH = re.compile(rf"{_FOLDER}/(\d{{4}}-\d\d-\d\d)\.json")
_CONCURRENT_READS = 16
"""How many marks are read at the same time. On S3 most of the time is spent waiting."""


@dataclass(frozen=True)
class LoadMarks:
    """The objects `control/days/<landing date>.json`; others are ignored.

    Each is a list of texts, one per delivered file: its name, size and time of change when it was loaded. A day is
    loaded as long as its delivery has exactly these files.
    """

    store: ObjectStore

    def write(self, day: date, files: list[str]) -> None:
        """Mark a day as loaded with these files."""
        self.store.put(self.path(day), json_objects.encode(files))

    def clear(self, day: date) -> None:
        """Remove the mark of a day, if there is one."""
        with suppress(FileNotFoundError):
            self.store.delete(self.path(day))

    def days(self) -> list[date]:
        """The days that have a mark, in order."""
        matches = [_PATH.fullmatch(meta["path"]) for meta in list_objects(self.store, _FOLDER)]
        days = [json_objects.to_day(match[1]) for match in matches if match]
        return sorted(day for day in days if day is not None)

    def read(self) -> dict[date, list[str] | None]:
        """The files of each loaded day; None if the mark is damaged."""

        def read(day: date) -> dict[date, list[str] | None]:
            with suppress(FileNotFoundError):  # cleared since it was listed
                return {day: json_objects.decode_or_none(read_object(self.store, self.path(day)), list[str])}
            return {}

        with ThreadPoolExecutor(_CONCURRENT_READS) as pool:
            marks = pool.map(read, self.days())
            return {day: files for mark in marks for day, files in mark.items()}

    @staticmethod
    def path(day: date) -> str:
        """The path of a day's mark."""
        return f"{_FOLDER}/{day}.json"
