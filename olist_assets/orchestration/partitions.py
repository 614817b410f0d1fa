"""The landing date: the daily partition of all assets from the landing zone to the facts."""

import warnings

import dagster as dg

from olist_assets.lake.files import FIRST_LANDING_DATE
from spark_steps.protocol import Window

# Without a backfill policy a range would be one run per day. Dagster still marks the parameter as beta.
warnings.filterwarnings("ignore", message=".*`backfill_policy`", category=dg.BetaWarning)

landing_dates = dg.DailyPartitionsDefinition(start_date=FIRST_LANDING_DATE.isoformat(), timezone="UTC", end_offset=1)
"""One partition per day (UTC), including today: a delivery can be loaded on the day that it lands."""

single_run_backfill = dg.BackfillPolicy.single_run()
"""A range of days of any length is one run, with one step per table."""


def to_window(span: dg.TimeWindow) -> Window:
    """The landing dates of a partition or of a range of partitions."""
    return Window(span.start.date(), span.end.date())
