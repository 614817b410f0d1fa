"""Which version of each table a session reads: the newest there is, or the one that held at a time."""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from obstore.store import ObjectStore

_COMMIT = re.compile(r".*/(\d{20})\.json")
_AT_ONCE = 16
"""Tables whose logs are looked at at once; on S3 each answer is waited for."""


def resolve_versions(store: ObjectStore, table_ids: Iterable[str], as_of: datetime | None) -> dict[str, int]:
    """The version of each table that was the newest at a time, now if none is given; tables without one are left out.

    A log is listed once, and no commit is read unless a time is given: then some ten a table.
    """

    def version(table_id: str) -> int | None:
        log = DeltaLog(store, table_id)
        return log.newest if as_of is None else log.version_at(as_of)

    table_ids = tuple(table_ids)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        versions = pool.map(version, table_ids)
        return {name: found for name, found in zip(table_ids, versions, strict=True) if found is not None}


@dataclass(frozen=True)
class DeltaLog:
    """The commits of a Delta table in a store."""

    store: ObjectStore
    table_id: str

    @cached_property
    def versions(self) -> list[int]:
        """Versions whose commits are in the log, oldest first; the first is not 0 where a log has been cleaned up."""
        paths = (meta["path"] for page in self.store.list(f"{self.table_id}/_delta_log") for meta in page)
        return sorted(int(match[1]) for path in paths if (match := _COMMIT.fullmatch(path)))

    @property
    def newest(self) -> int | None:
        """The newest version; None if the table has not been written."""
        return self.versions[-1] if self.versions else None

    def version_at(self, time: datetime) -> int | None:
        """The newest version that was committed no later than a time; None if the log has none so old."""
        older = bisect_right(self.versions, time, key=self.committed_at)
        return self.versions[older - 1] if older else None

    def committed_at(self, version: int) -> datetime:
        """When a version was committed: by what the commit says, else by the age of its file.

        Sail, delta-rs and Spark all write the time into the commit, which survives a copy of the table.
        """
        found = self.store.get(f"{self.table_id}/_delta_log/{version:020}.json")
        modified = found.meta["last_modified"]
        for line in bytes(found.bytes()).splitlines():
            if line.startswith(b'{"commitInfo"'):
                info = json.loads(line)["commitInfo"]
                milliseconds = info.get("inCommitTimestamp") or info.get("timestamp")
                return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else modified
        return modified
