"""Bundles of step records: compressed objects with the records of many runs, so that years of runs are few objects.

A run ends by moving all single records into a bundle of level 0. When there are `_MERGED` bundles of a level, their
records move into one bundle of the next level. So n runs leave about n / 64 bundles and a few small ones, and a record
is written four times at most.

Objects are created before the ones that they replace are removed, and readers count equal records once. So a process
that is killed in between, or two processes that do the same at once, lose and duplicate nothing.
"""

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from obstore.store import ObjectStore

from olist_assets.lake import json_objects
from olist_assets.lake.json_objects import ZonedTime
from olist_assets.lake.storage import CONCURRENT_READS, list_objects, read_object, remove_objects

FOLDER = "control/step_bundles"
"""Where the bundles are in the lake."""

_LONG_AGO = datetime.fromtimestamp(0, UTC)
_MERGED = 8
_TOP_LEVEL = 2
"""Bundles of this level are not merged, so that the memory and the time of a merge have a limit."""

_TIME = "%Y%m%dT%H%M%S.%fZ"
_PATH = re.compile(rf"{FOLDER}/(?P<level>\d)-(?P<end>\d{{8}}T\d{{6}}\.\d{{6}}Z)-[0-9a-f]{{16}}\.jsonl\.gz")


class _Identity(msgspec.Struct, frozen=True):
    """The fields that identify a record."""

    table: str
    run_id: str
    started_at: ZonedTime


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle.

    Attributes:
        path: its path.
        level: how often its records have been merged.
        end: when the last of its step runs started (UTC).
    """

    path: str
    level: int
    end: datetime


@dataclass(frozen=True)
class StepBundles:
    """The objects `control/step_bundles/<level>-<end>-<digest>.jsonl.gz`; others are ignored.

    Each line is a record as JSON. The digest is that of the lines, so the same records have the same name.
    """

    store: ObjectStore

    def list_all(self) -> list[Bundle]:
        """All bundles; one request on S3."""
        matches = [_PATH.fullmatch(meta["path"]) for meta in list_objects(self.store, FOLDER)]
        return [
            Bundle(match[0], int(match["level"]), datetime.strptime(match["end"], _TIME).replace(tzinfo=UTC))
            for match in matches
            if match
        ]

    def read(self, path: str) -> list[bytes] | None:
        """The records of a bundle as JSON, one line each; None if it is damaged.

        Raises:
            FileNotFoundError: the bundle has been merged since it was listed.
        """
        try:
            return gzip.decompress(read_object(self.store, path)).split(b"\n")[:-1] or None
        except (OSError, EOFError, zlib.error) as error:
            if isinstance(error, FileNotFoundError):
                raise
            return None

    def write(self, lines: Iterable[bytes], level: int = 0) -> Bundle:
        """Create a bundle of records.

        Args:
            lines: step records as JSON, one line each. Of several of a table in one run and on one day the last counts.
            level: the level.
        """
        unique, end = _unique_lines(lines)
        content = b"".join(line + b"\n" for line in unique)
        path = f"{FOLDER}/{level}-{end.strftime(_TIME)}-{hashlib.sha256(content).hexdigest()[:16]}.jsonl.gz"
        self.store.put(path, gzip.compress(content, mtime=0))
        return Bundle(path, level, end)

    def merge(self) -> None:
        """Merge the bundles of each level that has enough of them."""
        bundles = self.list_all()
        for level in range(_TOP_LEVEL):
            peers = [bundle for bundle in bundles if bundle.level == level]
            if len(peers) < _MERGED:
                continue
            with ThreadPoolExecutor(CONCURRENT_READS) as pool:
                try:
                    contents = list(pool.map(self.read, (bundle.path for bundle in peers)))
                except FileNotFoundError:
                    return  # another process merges them
            merged = {b.path: lines for b, lines in zip(peers, contents, strict=True) if lines is not None}
            if len(merged) > 1:
                bundles.append(self.write((line for lines in merged.values() for line in lines), level + 1))
                remove_objects(self.store, merged)


def _unique_lines(lines: Iterable[bytes]) -> tuple[list[bytes], datetime]:
    """The records in order of their start and without repetitions; and the last start."""
    records: dict[object, tuple[datetime, bytes]] = {}
    for line in lines:
        identity = json_objects.decode_or_none(line, _Identity)
        if identity is None:  # of another release, or damaged: readers decide
            records[line] = _LONG_AGO, line
            continue
        start = identity.started_at.astimezone(UTC)
        key = (start.date(), identity.run_id, identity.table)
        records[key] = max(records.get(key, (start, b"")), (start, line))
    ordered = sorted(records.values())
    return [line for _, line in ordered], ordered[-1][0]
