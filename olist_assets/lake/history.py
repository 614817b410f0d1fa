"""The history of Delta tables: how far back their versions can be read, and the removal of what is older.

The log itself says which data files a commit has removed from the table. So when old commits are removed, exactly the
data files that only they refer to are removed with them, without a listing of the table's data.
"""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import unquote

from obstore.store import ObjectStore

from olist_assets.lake.storage import CONCURRENT_READS, list_objects, read_object, remove_objects
from olist_assets.lake.table_versions import DeltaLog

MIN_COMMITS = 20
"""How many old commits a log has before they are removed, so that the log is not read again for each of them."""


def remove_history(store: ObjectStore, table_id: str, before: datetime) -> None:
    """Remove the versions of a table that had been replaced by a newer one before a time, and their data files.

    The caller writes the table, and nothing else does. Later versions stay readable, also the one that was the newest
    at that time: the newest checkpoint that is not newer than it is kept, with all commits since. A run that is killed
    leaves the log complete from that checkpoint on, and the next one continues.

    Args:
        store: the lake's objects.
        table_id: the table.
        before: the beginning of the history to keep.

    Raises:
        BaseError: the storage failed; likewise OSError.
        ValueError: a commit is damaged.
    """
    listing = list_objects(store, f"{table_id}/_delta_log")
    log = DeltaLog(store, table_id, listing)
    if sum(meta["last_modified"] < before for meta in listing) < MIN_COMMITS:
        return
    newest_before = log.version_at(before)
    start = max((v for v in log.checkpoints if newest_before is not None and v <= newest_before), default=None)
    if start is None or sum(version < start for version in log.versions) < MIN_COMMITS:
        return
    with ThreadPoolExecutor(CONCURRENT_READS) as pool:
        read = partial(_read_actions, log)
        old = list(pool.map(read, [version for version in log.versions if version <= start]))
        kept = list(pool.map(read, [version for version in log.versions if version > start]))
    needed = {path for actions in kept for path in actions.added}
    remove_objects(store, [f"{table_id}/{unquote(path)}" for path in sorted(_removed_paths(old) - needed)])
    remove_objects(store, log.paths_before(start))


@dataclass(frozen=True, slots=True)
class _Actions:
    """The data files that a commit adds and removes, by their paths in the log."""

    added: frozenset[str]
    removed: frozenset[str]


def _read_actions(log: DeltaLog, version: int) -> _Actions:
    actions: list[dict[str, Any]] = [
        json.loads(line) for line in read_object(log.store, log.path(version)).splitlines()
    ]
    added, removed = (
        frozenset(action[kind]["path"] for action in actions if kind in action) for kind in ("add", "remove")
    )
    return _Actions(added, removed)


def _removed_paths(commits: Iterable[_Actions]) -> set[str]:
    """The files that the commits removed and did not add again, without those of other tables."""
    removed: set[str] = set()
    for commit in commits:
        removed |= commit.removed
        removed -= commit.added
    return {path for path in removed if "://" not in path and not path.startswith("/")}
