"""What a materialisation tells of landing dates: each day its own figures, alone or within a range."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from spark_steps.protocol import Window

RANGE = "range"
"""The metadata that holds the figures of a range as a whole."""


def materialization_metadata(
    context: dg.AssetExecutionContext,
    window: Window | None,
    totals: Mapping[str, Any],
    days: Mapping[date, Mapping[str, Any]],
) -> dict[str, Any]:
    """Give each day of a range its own figures, and return the metadata for the whole materialisation.

    Dagster writes an event for each day of a range, and what is told of the whole stands in all of them. So that
    nobody takes a range's totals for a day's, they stand there as one value, `range`. A day that runs alone has
    its figures and the run's side by side, as they are of the same day.

    Args:
        context: the asset's.
        window: the landing dates of the run; None if the asset is not partitioned.
        totals: the run's figures.
        days: the figures of each landing date, as far as the asset tells them apart.
    """
    if window is None:
        return dict(totals)
    if len(window.days) == 1:
        return {"window": str(window), **totals, **days.get(window.start, {})}
    for day, figures in days.items():
        context.add_asset_metadata(figures, partition_key=day.isoformat())
    return {RANGE: {"window": str(window), **totals}}
