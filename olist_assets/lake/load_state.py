"""Load marks: which deliveries the whole lineage has been materialized for."""

import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING

from obstore.store import ObjectStore

from olist_assets.lake import json_objects
from olist_assets.lake.numbered_objects import NumberedObjects
from olist_assets.lake.storage import CONCURRENT_READS, list_objects, read_object, remove_objects

if TYPE_CHECKING:
    from obstore import ObjectMeta

_FOLDER = "control/days"
_DAY = re.compile(rf"{_FOLDER}/(\d{{4}}-\d\d-\d\d)\.json")
_MONTH = re.compile(rf"{_FOLDER}/(\d{{4}}-\d\d)/(\d{{8,}})\.json")

_Marks = dict[date, list[str]]


@dataclass(frozen=True)
class LoadMarks:
    """The marks of the days of a month, in the newest of the objects `control/days/<month>/<number>.json`.

    The mark of a day is a list of texts, one per delivered file: its name, size and time of change when it was loaded.
    A day is loaded as long as its delivery has exactly these files.

    Earlier releases wrote one object per day, `control/days/<day>.json`. They count until the marks of their month
    change for the first time; then they move into the month's object. Other objects are ignored.
    """

    store: ObjectStore

    def write(self, marks: Mapping[date, list[str]]) -> None:
        """Mark days as loaded, each with its delivered files."""
        self._change(marks)

    def clear(self, days: Iterable[date]) -> None:
        """Remove the marks of days that have one."""
        self._change(dict.fromkeys(days))

    def days(self) -> list[date]:
        """The days that have a mark, in order; all days of a month whose object is damaged."""
        return sorted(self.read())

    def read(
        self, on_damaged: Callable[[str, list[date]], None] = lambda _path, _days: None
    ) -> dict[date, list[str] | None]:
        """The files of each loaded day; None if its mark is damaged.

        Args:
            on_damaged: called with the path of each damaged object, and the days that it may have marks of.
        """
        listing = list_objects(self.store, _FOLDER)
        numbers = sorted((int(m[2]), m[1]) for meta in listing if (m := _MONTH.fullmatch(meta["path"])))
        months = {month: number for number, month in numbers}
        singles = [(day, path) for day, path in _single_marks(listing) if f"{day:%Y-%m}" not in months]
        marks: dict[date, list[str] | None] = {}
        with ThreadPoolExecutor(CONCURRENT_READS) as pool:
            found = [*pool.map(self._read_single, singles), *pool.map(self._read_month, months.items())]
        for path, days, content in found:
            if content is None:
                on_damaged(path, days)
                marks |= dict.fromkeys(days)
            else:
                marks |= content
        return marks

    def _read_single(self, single: tuple[date, str]) -> tuple[str, list[date], _Marks | None]:
        """The mark of a day that an earlier release wrote, with its path and its day; None if it is damaged."""
        day, path = single
        try:
            files = json_objects.decode_or_none(read_object(self.store, path), list[str])
        except FileNotFoundError:  # moved into the month's object since it was listed
            marks = self._read_month((f"{day:%Y-%m}", 1))[2]
            return path, [day], marks and {d: files for d, files in marks.items() if d == day}
        return path, [day], None if files is None else {day: files}

    def _read_month(self, newest: tuple[str, int]) -> tuple[str, list[date], _Marks | None]:
        """The marks of a month, given with the newest listed number, their path, and all days of the month.

        The marks are None if they are damaged.
        """
        month, number = newest
        objects = NumberedObjects(self.store, f"{_FOLDER}/{month}")
        try:
            content = read_object(self.store, objects.path(number))
        except FileNotFoundError:  # followed and removed since it was listed
            number, content = objects.newest()
        return objects.path(number), _days_of(month), _decode(content)

    def _change(self, changes: Mapping[date, list[str] | None]) -> None:
        """Write or, for None, remove the marks of days. A change that another process makes at once is kept."""
        for month, days in groupby(sorted(changes), key=lambda day: f"{day:%Y-%m}"):
            self._change_month(month, {day: changes[day] for day in days})

    def _change_month(self, month: str, changes: Mapping[date, list[str] | None]) -> None:
        objects = NumberedObjects(self.store, f"{_FOLDER}/{month}")
        listing = list_objects(self.store, _FOLDER)
        singles = [(day, path) for day, path in _single_marks(listing) if f"{day:%Y-%m}" == month]
        while True:
            number, existing = objects.newest()
            marks = _decode(existing) or {}
            if number == 0:
                marks = {
                    day: files for single in singles for day, files in (self._read_single(single)[2] or {}).items()
                }
            changed = {day: files for day, files in {**marks, **changes}.items() if files is not None}
            content = json_objects.encode({f"{day}": changed[day] for day in sorted(changed)})
            # If objects are replaced while a folder is listed, the list may be empty: number 1 then cannot be created.
            if content == existing or objects.create(number + 1, content) == content:
                break
        remove_objects(self.store, [path for _, path in singles])


def _single_marks(listing: "Iterable[ObjectMeta]") -> list[tuple[date, str]]:
    """The days and paths of the marks that an earlier release wrote."""
    matches = [match for meta in listing if (match := _DAY.fullmatch(meta["path"]))]
    return [(day, match[0]) for match in matches if (day := json_objects.to_day(match[1]))]


def _days_of(month: str) -> list[date]:
    days = (json_objects.to_day(f"{month}-{day:02}") for day in range(1, 32))
    return [day for day in days if day]


def _decode(content: bytes | None) -> _Marks | None:
    """The marks in an object; none if there is no object, None if it is damaged."""
    return {} if content is None else json_objects.decode_or_none(content, _Marks)
