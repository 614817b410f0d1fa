"""Metadata of materializations: a table's columns, a run's totals, and the figures of each landing date."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from spark_steps.declarations import Layer, TableSpec
from spark_steps.protocol import DayCounts, StepResult, Window

RANGE = "range"
"""The metadata key for the totals of a range of landing dates."""

_DAY_COUNTS = {
    Layer.RAW: ("rows_read", "rows_inserted"),
    Layer.TRUSTED: (
        "rows_read",
        "rows_inserted",
        "rows_updated",
        "rows_unchanged",
        "rows_superseded",
        "rows_quarantined",
    ),
}
"""The counts that each landing date reports. Zeros are included, so that charts over partitions have no gaps."""

_NOTE_WITHOUT_ROWS = {
    Layer.RAW: "no rows: nothing new landed",
    Layer.TRUSTED: "no rows: raw has none of this day",
}


def column_schema(table: TableSpec) -> dg.TableSchema:
    """A table's declared columns in Dagster's terms."""
    return dg.TableSchema(
        [
            dg.TableColumn(c.name, c.type, c.comment or None, dg.TableColumnConstraints(nullable=not c.required))
            for c in table.columns
        ]
    )


def materialization_metadata(
    context: dg.AssetExecutionContext,
    window: Window | None,
    totals: Mapping[str, Any],
    days: Mapping[date, Mapping[str, Any]],
) -> dict[str, Any]:
    """Add the figures of each landing date to its partition, and return the metadata of the whole materialization.

    Dagster copies run-level metadata into the event of every partition. Range totals are therefore nested under one
    key, `range`, so that they cannot be mistaken for a day's figures. A single-day run has both at the top level.

    Args:
        context: the context of the asset.
        window: the landing dates of the run; None if the asset has no partitions.
        totals: the figures of the run.
        days: the figures of each landing date; empty if the asset has none per day.
    """
    if window is None:
        return dict(totals)
    if len(window.days) == 1:
        return {"window": str(window), **totals, **days.get(window.start, {})}
    for day, figures in days.items():
        context.add_asset_metadata(figures, partition_key=day.isoformat())
    return {RANGE: {"window": str(window), **totals}}


def day_metadata(table: TableSpec, window: Window | None, result: StepResult) -> dict[date, dict[str, Any]]:
    """The figures of each landing date of the window; empty for tables without figures per day."""
    if window is None or table.layer not in _DAY_COUNTS:
        return {}
    counts = {day: DayCounts(day=day, partition_rows=0) for day in window.days}
    counts |= {day_counts.day: day_counts for day_counts in result.days}
    return {day: _day_figures(table.layer, counts[day]) for day in window.days}


def _day_figures(layer: Layer, counts: DayCounts) -> dict[str, Any]:
    figures: dict[str, Any] = {name: counts.rows.figures()[name] for name in _DAY_COUNTS[layer]}
    if layer is Layer.RAW:  # raw is partitioned by landing date, trusted is not
        figures["dagster/partition_row_count"] = counts.partition_rows
    if not counts.rows.read:
        figures["note"] = _NOTE_WITHOUT_ROWS[layer]
    return figures
