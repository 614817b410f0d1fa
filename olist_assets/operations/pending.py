"""What `olist run` has to do: the landing dates to load, and the tables to recompute."""

from collections.abc import Mapping
from datetime import date, timedelta

from olist_assets.lake.layout import Lake
from olist_assets.lake.table_versions import resolve_versions
from spark_steps.declarations import Layer
from spark_steps.protocol import Window
from spark_steps.tables import TABLES


def windows_to_load(lake: Lake, delivered: Mapping[date, list[str]]) -> list[Window]:
    """Windows of landing dates to load, in order.

    Neighboring days share a window. Loaded days split windows; days without a delivery do not.

    Args:
        lake: the lake.
        delivered: the fingerprint of each day's delivery.
    """
    pending = pending_days(lake, lake.load_marks.read(), delivered)
    windows: list[Window] = []
    adjoining = False
    for day in sorted(pending.union(delivered)):
        if day in pending:
            start = windows.pop().start if adjoining else day
            windows.append(Window(start, day + timedelta(days=1)))
        adjoining = day in pending
    return windows


def pending_days(lake: Lake, marks: Mapping[date, list[str] | None], delivered: Mapping[date, list[str]]) -> set[date]:
    """The landing dates to load.

    Their delivery differs from what the last fully successful run loaded, or they have files in the landing zone.

    Args:
        lake: the lake.
        marks: its load marks.
        delivered: the fingerprint of each day's delivery.
    """
    changed = {day for day, files in delivered.items() if marks.get(day) != files}
    return changed.union(lake.landzone.pending_days())


def tables_to_recompute(lake: Lake) -> frozenset[str]:
    """The ids of tables that are to be computed from all loaded days: lost ones, and those with a recompute mark.

    A table is lost if it is missing although days are loaded. One that an earlier release did not have counts as well.
    """
    marked = lake.recompute_marks.tables()
    if not marked and not lake.load_marks.days():
        return frozenset()
    versions, unreadable = resolve_versions(lake.store, TABLES, None)
    return marked | (TABLES.keys() - versions.keys() - unreadable.keys())


def written_by(table_id: str) -> str:
    """The table whose step writes a table: the trusted table for a quarantine, otherwise the table itself."""
    return table_id.replace(f"{Layer.QUARANTINE}/", f"{Layer.TRUSTED}/", 1)


def with_dependents(table_ids: frozenset[str]) -> tuple[str, ...]:
    """The tables whose steps are to run if these tables change, upstream first: they and all that depend on them.

    A quarantine table is not among them, because the step of its trusted table writes it.
    """
    affected = {written_by(table_id) for table_id in table_ids}
    for table in TABLES.values():  # upstream first
        if affected.intersection(table.upstreams):
            affected.add(written_by(table.id))
    return tuple(table_id for table_id in TABLES if table_id in affected)
