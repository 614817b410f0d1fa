"""The landing zone: delivered files by their content, until raw contains them."""

import hashlib
import re
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from obstore import open_writer
from obstore.exceptions import BaseError, PermissionDeniedError
from obstore.store import LocalStore, ObjectStore, S3Store

from olist_assets.aws.redaction import summarize_error
from olist_assets.errors import FileNotReadyError
from olist_assets.lake.files import DeliveredFile, extraction_time
from olist_assets.lake.json_objects import to_day
from olist_assets.lake.storage import list_objects
from spark_steps.protocol import LandedFile, Window

_PATH = re.compile(
    r"(?:landzone|archive)/(?P<table>\w+)/(?P<day>\d{4}-\d\d-\d\d)/"
    r"(?P<stem>[^/]+?)(?:\.(?P<received>\d{8}T\d{12}Z))?\.(?P<id>[0-9a-f]{16})\.csv",
    re.ASCII,
)
_RECEIVED = "%Y%m%dT%H%M%S%fZ"
_CONCURRENT_MOVES = 16
"""How many files are moved at the same time. On S3 most of the time is spent waiting."""


@dataclass(frozen=True, slots=True)
class Landing:
    """The outcome of landing a file.

    Attributes:
        file: the landed file.
        ends_with_line_end: whether its last line has a line end; without one the file may be incomplete.
    """

    file: LandedFile
    ends_with_line_end: bool


@dataclass(frozen=True)
class Landzone:
    """The objects `landzone/<table>/<landing date>/<name>.<received>.<file id>.csv` of the lake under `root`.

    The path contains all that raw needs to know about a file: its name, when the delivery received it, and its content
    by its id. Landing a file again writes the same object. Earlier releases left out the time.

    `after_raw` decides whether `remove` moves files to `archive/` (`archive`) or deletes them (`delete`).
    """

    store: ObjectStore
    root: str
    after_raw: str

    def land(self, table: str, day: date, file: DeliveredFile) -> Landing:
        """Copy a delivered file into the landing zone.

        Raises:
            FileNotReadyError: the file cannot be read, or changed while it was copied; nothing is written.
        """
        file_id, last_byte = _read_content(file)
        received = file.received_at.astimezone(UTC).strftime(_RECEIVED)
        path = f"landzone/{table}/{day}/{file.name.removesuffix('.csv')}.{received}.{file_id}.csv"
        with open_writer(self.store, path) as writer:  # an error in the block leaves no object
            digest = hashlib.sha256()
            for chunk in file.chunks():
                digest.update(chunk)
                writer.write(chunk)
            if _file_id(digest.digest()) != file_id or file.has_changed():
                raise FileNotReadyError("still being written")
        times = file.extracted_at, file.received_at
        landed = LandedFile(f"{self.root}/{path}", file.name, file_id, day, *times, file.size)
        return Landing(landed, last_byte in (b"\n", b""))

    def files(self, table: str, window: Window) -> tuple[LandedFile, ...]:
        """The landed files of a table and of the window's days, in the order of their paths."""
        days = window.days
        prefix = f"landzone/{table}/{days[0]}" if len(days) == 1 else f"landzone/{table}"
        files = [file for file in self._list(prefix) if file.landing_date in window]
        return tuple(sorted(files, key=lambda file: file.uri))

    def pending_days(self) -> list[date]:
        """The landing date of each landed file; a day occurs once per file."""
        return [file.landing_date for file in self._list("landzone")]

    def remove(self, files: Collection[LandedFile]) -> None:
        """Archive or delete exactly these files. Files that another run has removed are skipped."""
        for file in files:
            if self.after_raw == "delete":
                with suppress(FileNotFoundError):
                    self.store.delete(self._path(file))
            else:
                self._move(self._path(file), "archive")
        if isinstance(self.store, LocalStore):
            for folder in {Path(file.uri).parent for file in files}:
                with suppress(OSError):  # another file has landed there
                    folder.rmdir()

    def set_aside_replaced(self, table: str, window: Window, landed: Iterable[LandedFile]) -> None:
        """Move earlier contents of these files to `replaced/`: the delivery has replaced them before raw loaded them.

        Args:
            table: the table.
            window: the landing dates of the files.
            landed: the files that were just landed.
        """
        newest = {(file.landing_date, file.name): file.uri for file in landed}
        for file in self.files(table, window) if newest else ():
            if newest.get((file.landing_date, file.name), file.uri) != file.uri:
                self._move(self._path(file), "replaced")

    def archived_files(self, table: str) -> dict[str, date]:
        """The path of each archived file of a table, with its landing date."""
        return {self._path(file): file.landing_date for file in self._list(f"archive/{table}")}

    def restore(self, table: str) -> None:
        """Move all archived files of a table back into the landing zone."""
        with ThreadPoolExecutor(_CONCURRENT_MOVES) as pool:
            list(pool.map(partial(self._move, folder="landzone"), self.archived_files(table)))

    def _move(self, path: str, folder: str) -> None:
        """Move an object to the same place in another top folder; one that another run has moved is skipped."""
        with suppress(FileNotFoundError):
            self.store.rename(path, f"{folder}/{path.partition('/')[2]}")

    def _list(self, prefix: str) -> list[LandedFile]:
        """The landed or archived files below a prefix; other objects are ignored."""
        files = (
            self._parse(meta["path"], meta["last_modified"], meta["size"]) for meta in list_objects(self.store, prefix)
        )
        return [file for file in files if file]

    def _path(self, file: LandedFile) -> str:
        return file.uri.removeprefix(f"{self.root}/")

    def _parse(self, path: str, modified: datetime, size: int) -> LandedFile | None:
        """The landed file of a path; None for other objects."""
        match = _PATH.fullmatch(path)
        if match is None or (day := to_day(match["day"])) is None:
            return None
        name = f"{match['stem']}.csv"
        received_at = _parse_time(match["received"]) or extraction_time(name) or modified
        extracted_at = extraction_time(name) or received_at
        return LandedFile(f"{self.root}/{path}", name, match["id"], day, extracted_at, received_at, size)


def _read_content(file: DeliveredFile) -> tuple[str, bytes]:
    """The id and the last byte of a file's content.

    Raises:
        FileNotReadyError: the file is not readable, or gone. An outage of S3 is another error: it concerns all files.
    """
    digest, last_byte = hashlib.sha256(), b""
    try:
        for chunk in file.chunks():
            digest.update(chunk)
            last_byte = chunk[-1:]
    except FileNotFoundError as error:
        raise FileNotReadyError("removed while it was read") from error
    except PermissionDeniedError as error:
        raise FileNotReadyError("permission denied") from error
    except BaseError as error:
        if isinstance(file.store, S3Store):
            raise
        reason = summarize_error(error).rpartition(": ")[2]  # before it: the store and the path
        raise FileNotReadyError(f"cannot be read: {reason}") from error
    return _file_id(digest.digest()), last_byte


def _file_id(digest: bytes) -> str:
    return digest.hex()[:16]


def _parse_time(text: str | None) -> datetime | None:
    with suppress(ValueError):
        return datetime.strptime(text, _RECEIVED).replace(tzinfo=UTC) if text else None
    return None
