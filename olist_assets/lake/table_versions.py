"""The Delta logs of tables: whether a log is complete, and which version a session reads."""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore

from olist_assets.aws.redaction import summarize_error
from olist_assets.errors import rebuild_remedy
from olist_assets.lake.storage import list_objects, read_object

if TYPE_CHECKING:
    from obstore import ObjectMeta

_LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.(?:.+\.)?(?:parquet|json)")
_OF_A_COMMIT = re.compile(r"(\d{20})\.(?:json|crc|checkpoint\..+)")
_SYSTEM_ERROR = re.compile(r"(?:^|: |\x1b\[0m )([A-Z][^:\x1b]*) \(os error \d+\)")
_DENIED = "permission to read its files is denied"
_NO_ANSWER = "the storage of its files failed"
_CONCURRENT_LOGS = 16
"""How many Delta logs are read at the same time. On S3 most of the time is spent waiting."""


def resolve_versions(
    store: ObjectStore, table_ids: Iterable[str], as_of: datetime | None
) -> tuple[dict[str, int], dict[str, str]]:
    """The newest version of each table, now or at an earlier time, by the table's id.

    Each log is listed once. Commits are read only for `as_of`, and then about log2(versions) per table.

    Args:
        store: the lake's objects.
        table_ids: the tables.
        as_of: the time; now if None.

    Returns:
        The versions, and the reasons why tables cannot be read. Tables that had no version are in neither.
    """

    def resolve(table_id: str) -> int | str | None:
        try:
            log = DeltaLog(store, table_id) if as_of else _open_recent(store, table_id)
            return log.damage or (log.newest if as_of is None else log.version_at(as_of))
        except (BaseError, OSError, ValueError) as error:
            return explain_storage_error(error)

    table_ids = tuple(table_ids)
    with ThreadPoolExecutor(_CONCURRENT_LOGS) as pool:
        resolved = dict(zip(table_ids, pool.map(resolve, table_ids), strict=True))
    versions = {table_id: version for table_id, version in resolved.items() if isinstance(version, int)}
    return versions, {table_id: reason for table_id, reason in resolved.items() if isinstance(reason, str)}


def _open_recent(store: ObjectStore, table_id: str) -> "DeltaLog":
    """The log of a table, on a disk only from the newest checkpoint on: listing all of an old log takes 30 ms."""
    folder = f"{table_id}/{_LOG}"
    log = DeltaLog(store, table_id)
    if not isinstance(store, LocalStore):
        return log
    try:
        version = int(json.loads(read_object(store, f"{folder}/_last_checkpoint"))["version"])
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return log
    recent = DeltaLog(store, table_id, list_objects(store, folder, first=f"{version:020}"))
    return recent if version in recent.checkpoints else log


def explain_storage_error(error: Exception) -> str:
    """Why storage does not list or return a table's objects, in a few words."""
    text = summarize_error(error)
    if "Permission denied" in text or "AccessDenied" in text or isinstance(error, PermissionError):
        return _DENIED
    if "Not a directory" in text:
        return "a file is in its place"
    system_error = _SYSTEM_ERROR.search(str(error))
    if reason := system_error[1] if system_error else getattr(error, "strerror", None):
        return f"its files cannot be read: {reason}"
    return f"{_NO_ANSWER}: {text}"


def unreadable_message(table_id: str, reason: str) -> str:
    """A line on a table that cannot be read for this reason, with the remedy."""
    remedy = rebuild_remedy(table_id)
    if reason == _DENIED:
        remedy = "let this user read them"
    elif reason.startswith(_NO_ANSWER):
        remedy = "try again later"
    return f"{table_id} is unreadable: {reason}: {remedy}"


@dataclass(frozen=True)
class DeltaLog:
    """The log of a Delta table in a store.

    Attributes:
        store: the store.
        table_id: the table's path in it.
        listing: objects of the table, at least those of its log; None to list the log on first use.
    """

    store: ObjectStore
    table_id: str
    listing: "Sequence[ObjectMeta] | None" = None

    @cached_property
    def _sizes(self) -> dict[str, int]:
        """The size of each object of the log, by its name."""
        folder = f"{self.table_id}/{_LOG}"
        listing = list_objects(self.store, folder) if self.listing is None else self.listing
        names = ((meta["path"].removeprefix(f"{folder}/"), meta["size"]) for meta in listing)
        return {name: size for name, size in names if "/" not in name}

    def _numbers(self, pattern: re.Pattern[str]) -> list[int]:
        return sorted(int(match[1]) for name in self._sizes if (match := pattern.fullmatch(name)))

    @cached_property
    def versions(self) -> list[int]:
        """Versions whose commits are in the log, oldest first. The first is not 0 after a log clean-up."""
        return self._numbers(_COMMIT)

    @property
    def checkpoints(self) -> list[int]:
        """Versions that have a checkpoint, oldest first."""
        return self._numbers(_CHECKPOINT)

    def path(self, version: int) -> str:
        """The path of a commit."""
        return f"{self.table_id}/{_LOG}/{version:020}.json"

    def paths_before(self, version: int) -> list[str]:
        """The paths of older commits, checkpoints and checksums, oldest first."""
        names = sorted(name for name in self._sizes if _OF_A_COMMIT.fullmatch(name))
        return [f"{self.table_id}/{_LOG}/{name}" for name in names if name < f"{version:020}"]

    @property
    def newest(self) -> int | None:
        """The newest version; None if the table has not been written."""
        return max(self._numbers(_OF_A_COMMIT), default=None)

    @property
    def damage(self) -> str | None:
        """Why the newest version cannot be read as far as the listing shows it, in a few words; None if it can.

        Libraries read some damaged logs without an error: they skip an empty commit, or commits before the first one.
        """
        if self.newest is None:
            return None
        needed = range(max(self.checkpoints, default=-1) + 1, self.newest + 1)
        if missing := sorted(set(needed).difference(self.versions)):
            return f"commit {missing[0]} of its log is missing"
        if empty := [version for version in needed if not self._sizes[f"{version:020}.json"]]:
            return f"commit {empty[0]} of its log is empty"
        return None

    def damaged_commit(self) -> int | None:
        """The newest commit that is not JSON; None if there is none. Reads commits until it finds one."""
        for version in reversed(self.versions):
            try:
                for line in self._lines(version):
                    json.loads(line)
            except (ValueError, RecursionError):
                return version
        return None

    def version_at(self, time: datetime) -> int | None:
        """The newest version that was committed at or before a time; None if the log has no version that old."""
        older = bisect_right(self.versions, time, key=self.committed_at)
        return self.versions[older - 1] if older else None

    def committed_at(self, version: int) -> datetime:
        """When a version was committed: the time in the commit, or else the modification time of its file.

        Sail, delta-rs and Spark all write the time into the commit. It survives a copy of the table.

        Raises:
            ValueError: the commit is damaged.
        """
        commit = self.store.get(self.path(version))
        modified = commit.meta["last_modified"]
        for line in bytes(commit.bytes()).splitlines():
            if line.startswith(b'{"commitInfo"'):
                info: dict[str, Any] = json.loads(line)["commitInfo"]
                milliseconds = info.get("inCommitTimestamp") or info.get("timestamp")
                return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else modified
        return modified

    def _lines(self, version: int) -> list[bytes]:
        return bytes(self.store.get(self.path(version)).bytes()).splitlines()
