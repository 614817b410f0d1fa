"""Deliveries: folders `<source>/<YYYY-MM-DD>/` with CSV files under their Olist names.

One scan of the source sorts all of its entries: into deliveries, entries that are due later, and ignored entries.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from threading import Lock
from typing import Self

from obstore.store import ObjectStore

from olist_assets.errors import DeliveryError, OlistError, utc_text
from olist_assets.lake.files import (
    DeliveredFile,
    explain_unknown_name,
    extraction_time,
    table_for_file,
)
from olist_assets.lake.folders import Entry, FolderUnreadableError, describe_os_error, folder_lister
from olist_assets.lake.storage import open_store
from olist_assets.settings.general import Settings
from olist_assets.sources.landing_dates import DEFAULT, LandingDates
from olist_assets.sources.notices import DUE_LATER, IGNORED, Notice
from spark_steps.protocol import Window

DeliveryFingerprint = list[str]
"""A delivery as one text per file, sorted: name, size in bytes and modification time (ISO 8601), separated by spaces.

Two fingerprints of a day are equal if its delivery has not changed. The load marks of a lake (`control/days`) store
them, so the format of the texts must not change.
"""

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SCAN_LOCK = Lock()
_MAX_AHEAD = timedelta(days=1)
"""How far a time may be ahead of this machine's clock. A row with such a time would be the newest forever."""


@dataclass
class Scan:
    """The entries of a source, sorted.

    Attributes:
        deliveries: the files of each landing date that have a table, sorted by name, by date in ascending order.
        notices: all other entries: due later, or ignored.
    """

    deliveries: dict[date, tuple[DeliveredFile, ...]] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)

    @property
    def fingerprints(self) -> dict[date, DeliveryFingerprint]:
        """The fingerprint of each day's delivery."""
        return {
            day: sorted(f"{file.name} {file.size} {file.received_at.isoformat()}" for file in files)
            for day, files in self.deliveries.items()
        }

    def files(self, table: str, day: date) -> tuple[DeliveredFile, ...]:
        """The files of a table in a day's delivery; none if there was no delivery."""
        return tuple(file for file in self.deliveries.get(day, ()) if table_for_file(file.name) == table)

    def notices_in(self, window: Window) -> list[Notice]:
        """The notices about the days of a window, and those about no landing date, such as a file beside the days."""
        return [notice for notice in self.notices if notice.day is None or notice.day in window]


@dataclass(frozen=True)
class Deliveries:
    """Deliveries in a folder or a bucket.

    Attributes:
        root: an absolute path or an s3:// URI.
        landing_dates: the landing dates that deliveries may have; others are ignored.
    """

    root: str
    landing_dates: LandingDates = DEFAULT

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The deliveries of the settings."""
        return cls(settings.source, LandingDates.from_settings(settings))

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
        return self.scan().fingerprints

    def files(self, table: str, day: date) -> tuple[DeliveredFile, ...]:
        """The files of a table in a day's delivery; none if there was no delivery."""
        return self.scan(Window.from_day(day)).files(table, day)

    def notices(self) -> list[Notice]:
        """Remarks about all entries; none if there is no source."""
        try:
            return self.scan().notices
        except DeliveryError:
            return []

    def scan(self, window: Window | None = None) -> Scan:
        """Sort the entries of the source, or of a window's folders.

        Folders of other days are not listed. No entry stops the scan.

        Raises:
            DeliveryError: the source itself does not exist or cannot be listed.
        """
        _ = self.store
        single = window is not None and len(window.days) == 1
        list_folder = folder_lister(self.root, whole=not single)
        return _Scanner(self.store, self.landing_dates, list_folder).scan(window)

    def scan_for_run(self, run_id: str, window: Window) -> Scan:
        """The scan of a run's window, made once per process: all steps of the run see the same entries."""
        with _SCAN_LOCK:
            return _scan_for_run(self, run_id, window)


@lru_cache(maxsize=1)
def _scan_for_run(deliveries: Deliveries, _run_id: str, window: Window) -> Scan:
    return deliveries.scan(window)


class _Scanner:
    """One scan at one moment."""

    def __init__(
        self, store: ObjectStore, landing_dates: LandingDates, list_folder: Callable[[str], list[Entry]]
    ) -> None:
        self._store = store
        self._landing_dates = landing_dates
        self._list_folder = list_folder
        self._now = datetime.now(UTC)
        self._result = Scan()

    def scan(self, window: Window | None) -> Scan:
        """The entries of all folders, or of a window's folders."""
        if window is not None and len(window.days) == 1:
            self._scan_day(window.start)
            return self._result
        entries = self._list("")
        for entry in sorted(entries, key=lambda entry: entry.name):
            day = _to_day(entry.name)
            if reason := entry.fault or _reject_name(entry, day):
                self._ignore(entry.name, reason, day)
            elif day and (window is None or day in window):
                self._scan_day(day)
        return self._result

    def _scan_day(self, day: date) -> None:
        """Sort the entries of a day's folder, if there is one and the day has come."""
        try:
            entries = self._list(f"{day}")
        except FolderUnreadableError as error:
            self._ignore(f"{day}", str(error), day)
            return
        if not entries:
            return
        if reason := self._landing_dates.reject(day):
            self._ignore(f"{day}", reason, day)
        elif day > self._now.date():
            self._result.notices.append(Notice(DUE_LATER, f"{day}", f"due from {day}, 00:00 UTC", day))
        elif files := tuple(self._sort_files(day, sorted(entries, key=lambda entry: entry.name))):
            self._result.deliveries[day] = files

    def _list(self, folder: str) -> list[Entry]:
        """The entries of a folder; none if it does not exist.

        Raises:
            FolderUnreadableError: a user has to change the folder, which is not that of the source itself.
            DeliveryError: storage failed, or the source itself cannot be listed.
        """
        try:
            return self._list_folder(folder)
        except FileNotFoundError:
            return []
        except FolderUnreadableError as error:
            if folder:
                raise
            raise DeliveryError(f"the deliveries cannot be listed: {error}") from error
        except OSError as error:
            raise DeliveryError(f"the deliveries cannot be listed: {describe_os_error(error)}") from error

    def _sort_files(self, day: date, entries: list[Entry]) -> Iterator[DeliveredFile]:
        """The files that have a table; notices about other entries are added to the result."""
        for entry in entries:
            path = f"{day}/{entry.name}"
            if reason := entry.fault or _reject_file(entry):
                self._ignore(path, reason, day)
            elif reason := self._reject_time(entry):
                self._result.notices.append(Notice(DUE_LATER, path, reason, day))
            else:
                yield DeliveredFile(self._store, path, entry.size, entry.modified)

    def _reject_time(self, entry: Entry) -> str | None:
        """Why a file is not loaded yet: a time of it is in the future."""
        times = {"extraction": extraction_time(entry.name), "modification": entry.modified}
        for kind, time in times.items():
            if time and time > self._now + _MAX_AHEAD:
                return f"its {kind} time, {utc_text(time)}, is in the future"
        return None

    def _ignore(self, path: str, reason: str, day: date | None) -> None:
        self._result.notices.append(Notice(IGNORED, path, reason, day))


def _reject_name(entry: Entry, day: date | None) -> str | None:
    """Why an entry beside the days' folders is ignored."""
    if entry.is_folder:
        return None if day else "no folder of a landing date, such as 2018-05-10"
    return "a file outside the folders of landing dates, such as 2018-05-10"


def _reject_file(entry: Entry) -> str | None:
    """Why an entry of a day's folder is ignored."""
    if entry.is_folder:
        return "a folder within a delivery"
    return None if table_for_file(entry.name) else explain_unknown_name(entry.name)


def _to_day(folder: str) -> date | None:
    """The day that a folder is named for; None if it is not named for a day."""
    try:
        return date.fromisoformat(folder) if _DAY.fullmatch(folder) else None
    except ValueError:
        return None
