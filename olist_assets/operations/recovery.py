"""Recompute tables from all loaded days: lost ones, or tables that are removed first.

A recovery is safe to interrupt. Before anything changes, each table gets a recompute mark, which its step clears. The
next plain run continues with the marked tables, and no step reads a marked table.
"""

import shutil
import uuid
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from obstore.store import ObjectStore

from olist_assets.errors import RebuildError, SettingsError, close_matches, did_you_mean
from olist_assets.lake.files import table_for_file
from olist_assets.lake.inspection import TableState, inspect_tables
from olist_assets.lake.layout import Lake
from olist_assets.lake.leases import hold_lease
from olist_assets.lake.storage import list_objects
from olist_assets.operations.pending import with_dependents, written_by
from olist_assets.sources.deliveries import Deliveries
from spark_steps.declarations import Layer
from spark_steps.protocol import Window
from spark_steps.tables import TABLES

_SHOWN_DAYS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What is to be recomputed.

    Attributes:
        tables: the ids of the tables whose steps run, upstream first.
        window: from the first to the last loaded day.
        states: the state of each Delta table that these steps write, quarantine tables included.
        archived: the number of archived files of each raw table in `tables`.
    """

    tables: tuple[str, ...]
    window: Window
    states: Mapping[str, TableState]
    archived: Mapping[str, int]


def find_tables(names: Iterable[str]) -> frozenset[str]:
    """The tables of names such as `trusted/orders`, `trusted.orders` or `trusted`; a quarantine's are the trusted ones.

    Raises:
        SettingsError: a name is not known.
    """
    found: set[str] = set()
    for name in names:
        wanted = name.strip("/").replace(".", "/")
        matches = {table_id for table_id in TABLES if wanted in (table_id, table_id.partition("/")[0])}
        if not matches:
            hint = did_you_mean(close_matches(wanted, [*TABLES, *Layer]), fallback="; see `olist status`")
            raise SettingsError(f"no table or layer {name!r}{hint}")
        found |= matches
    return frozenset(map(written_by, found))


def plan(lake: Lake, deliveries: Deliveries, table_ids: Iterable[str]) -> Recovery:
    """Plan to recompute tables and everything that is computed from them. Nothing is changed.

    Raises:
        RebuildError: no day is loaded, an input cannot be read, or the files of a raw table are neither in the archive
            nor in the source.
        DeliveryError: the source cannot be opened, and a raw table needs it.
    """
    tables = with_dependents(frozenset(table_ids))
    states = inspect_tables(lake)
    for table_id in tables:
        for name in TABLES[table_id].upstreams:
            if name in TABLES and name not in tables and states[name].problem:
                raise RebuildError(f"{table_id} is computed from {name}: {states[name].problem}")
    marks = lake.load_marks.read()
    raw = [TABLES[table_id].name for table_id in tables if TABLES[table_id].layer is Layer.RAW]
    archived = {name: lake.landzone.archived_files(name) for name in raw}
    _require_files(lake, deliveries, marks, archived)
    days = {*marks, *(day for files in archived.values() for day in files.values())}
    days.update(day for state in states.values() if state.id.startswith(f"{Layer.RAW}/") for day in state.days or ())
    if not days:
        raise RebuildError("no day is loaded: load deliveries with `olist run`")
    return Recovery(
        tables=tables,
        window=_hull(days),
        states={table_id: state for table_id, state in states.items() if written_by(table_id) in tables},
        archived={f"{Layer.RAW}/{name}": len(files) for name, files in archived.items()},
    )


def start(lake: Lake, recovery: Recovery, *, remove: frozenset[str]) -> None:
    """Mark the tables, remove some of them, and move archived files of raw tables back into the landing zone.

    Args:
        lake: the lake.
        recovery: the plan.
        remove: the tables of the plan to remove first; the quarantine is removed with its trusted table.

    Raises:
        LeaseError: another run writes one of the tables; nothing has been changed.
    """
    run_id = f"rebuild-{uuid.uuid4()}"
    with ExitStack() as leases:
        for table_id in recovery.tables:
            leases.enter_context(hold_lease(lake.store, table_id, run_id))
        lake.recompute_marks.write(set(recovery.tables) - remove, remove=False)
        lake.recompute_marks.write(remove, remove=True)
        for table_id in recovery.states:
            if written_by(table_id) in remove:
                _remove_table(lake, table_id)
        lake.recompute_marks.write(remove, remove=False)
        for table_id in recovery.archived:
            lake.landzone.restore(TABLES[table_id].name)


def _require_files(
    lake: Lake,
    deliveries: Deliveries,
    marks: Mapping[date, list[str] | None],
    archived: Mapping[str, Mapping[str, date]],
) -> None:
    """Check that the files of each loaded day of raw tables are in the archive, the landing zone or the source.

    Raises:
        RebuildError: a day is missing.
    """
    for name, files in archived.items():
        missing = {day for day, texts in marks.items() if _has_table(texts, name)}.difference(files.values())
        if missing:
            landed = lake.landzone.files(name, _hull(missing))
            missing -= {file.landing_date for file in landed}
        if missing:
            delivered = deliveries.days()
            missing = {day for day in missing if not _has_table(delivered.get(day), name)}
        if missing:
            some = ", ".join(map(str, sorted(missing)[:_SHOWN_DAYS])) + ", …" * (len(missing) > _SHOWN_DAYS)
            raise RebuildError(
                f"raw/{name} cannot be recomputed: its files of {len(missing)} loaded days ({some}) are neither in the "
                "archive nor in the source: put these deliveries back into the source"
            )


def _has_table(fingerprint: list[str] | None, name: str) -> bool:
    """Whether a delivery, given by its fingerprint, has files of a source."""
    return any(table_for_file(text.rsplit(" ", 2)[0]) == name for text in fingerprint or ())


def _hull(days: Iterable[date]) -> Window:
    """The window from the first to the last of these days."""
    days = sorted(days)
    return Window(days[0], days[-1] + timedelta(days=1))


def _remove_table(lake: Lake, table_id: str) -> None:
    """Remove everything at the place of a table."""
    if lake.on_s3:
        _remove_objects(lake.store, table_id)
        return
    path = Path(lake.root, table_id)
    if not path.parent.is_dir():
        path.parent.unlink(missing_ok=True)  # a file in place of the layer's folder
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_objects(store: ObjectStore, prefix: str) -> None:
    if paths := [meta["path"] for meta in list_objects(store, prefix)]:
        store.delete(paths)
