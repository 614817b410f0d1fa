"""Which version of each table a session reads: the newest now, or the newest at an earlier time."""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from obstore.store import ObjectStore

from olist_assets.lake.storage import list_objects

_COMMIT = re.compile(r".*/(\d{20})\.json")
_CONCURRENT_LOGS = 16
"""How many Delta logs are read at the same time. On S3 most of the time is spent waiting."""


def resolve_versions(store: ObjectStore, table_ids: Iterable[str], as_of: datetime | None) -> dict[str, int]:
    """The newest version of each table, now or at an earlier time, by the table's id.

    Each log is listed once. Commits are read only for `as_of`, and then about log2(versions) per table.

    Args:
        store: the lake's objects.
        table_ids: the tables.
        as_of: the time; now if None.

    Returns:
        The versions. Tables that had none are left out.
    """

    def resolve(table_id: str) -> int | None:
        log = DeltaLog(store, table_id)
        return log.newest if as_of is None else log.version_at(as_of)

    table_ids = tuple(table_ids)
    with ThreadPoolExecutor(_CONCURRENT_LOGS) as pool:
        versions = pool.map(resolve, table_ids)
        return {table_id: version for table_id, version in zip(table_ids, versions, strict=True) if version is not None}


@dataclass(frozen=True)
class DeltaLog:
    """The commits of a Delta table in a store."""

    store: ObjectStore
    table_id: str

    @cached_property
    def versions(self) -> list[int]:
        """Versions whose commits are in the log, oldest first. The first is not 0 after a log clean-up."""
        paths = (meta["path"] for meta in list_objects(self.store, f"{self.table_id}/_delta_log"))
        return sorted(int(match[1]) for path in paths if (match := _COMMIT.fullmatch(path)))

    @property
    def newest(self) -> int | None:
        """The newest version; None if the table has not been written."""
        return self.versions[-1] if self.versions else None

    def version_at(self, time: datetime) -> int | None:
        """The newest version that was committed at or before a time; None if the log has no version that old."""
        older = bisect_right(self.versions, time, key=self.committed_at)
        return self.versions[older - 1] if older else None

    def committed_at(self, version: int) -> datetime:
        """When a version was committed: the time in the commit, or else the modification time of its file.

        Sail, delta-rs and Spark all write the time into the commit. It survives a copy of the table.
        """
        commit = self.store.get(f"{self.table_id}/_delta_log/{version:020}.json")
        modified = commit.meta["last_modified"]
        for line in bytes(commit.bytes()).splitlines():
            if line.startswith(b'{"commitInfo"'):
                info = json.loads(line)["commitInfo"]
                milliseconds = info.get("inCommitTimestamp") or info.get("timestamp")
                return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else modified
        return modified
