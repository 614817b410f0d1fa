"""Recompute marks: which tables are to be computed from all loaded days before anything reads them."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from obstore.store import ObjectStore

from olist_assets.lake import json_objects
from olist_assets.lake.storage import list_objects, read_object
from spark_steps.tables import TABLES

_FOLDER = "control/recompute"
_PATH = re.compile(rf"{_FOLDER}/(?P<layer>\w+)\.(?P<name>\w+)\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecomputeMark:
    """A table to recompute.

    Attributes:
        remove: what is left of the table is to be removed first.
    """

    remove: bool = False


@dataclass(frozen=True)
class RecomputeMarks:
    """The objects `control/recompute/<layer>.<table>.json`; others are ignored.

    They are written before a table is removed or recomputed, and cleared by the step that has computed it. So a run
    that was killed leaves the marks of the tables that are still to be computed, and the next run continues with them.
    """

    store: ObjectStore

    def write(self, tables: Iterable[str], *, remove: bool) -> None:
        """Mark tables."""
        content = json_objects.encode(RecomputeMark(remove=remove))
        for table_id in tables:
            self.store.put(_path(table_id), content)

    def clear(self, table_id: str) -> None:
        """Remove the mark of a table, if there is one."""
        with suppress(FileNotFoundError):
            self.store.delete(_path(table_id))

    def tables(self) -> frozenset[str]:
        """The ids of the marked tables."""
        matches = [_PATH.fullmatch(meta["path"]) for meta in list_objects(self.store, _FOLDER)]
        return frozenset(f"{match['layer']}/{match['name']}" for match in matches if match) & TABLES.keys()

    def tables_to_remove(self) -> frozenset[str]:
        """The ids of the marked tables whose remains are to be removed first; a damaged mark counts as well."""
        return frozenset(table_id for table_id in self.tables() if self._read(table_id).remove)

    def _read(self, table_id: str) -> RecomputeMark:
        with suppress(FileNotFoundError):
            mark = json_objects.decode_or_none(read_object(self.store, _path(table_id)), RecomputeMark)
            return mark or RecomputeMark(remove=True)
        return RecomputeMark()


def _path(table_id: str) -> str:
    return f"{_FOLDER}/{table_id.replace('/', '.')}.json"
