"""The landing date: the daily partition of everything from the landzone up to the facts."""

import warnings

import dagster as dg

from olist_assets.lake.files import FIRST_LANDING_DATE
from spark_steps.protocol import Window

# Without a backfill policy a range would be a run a day; the name is Dagster's only one for it, and still called beta.
warnings.filterwarnings("ignore", message=".*`backfill_policy`", category=dg.BetaWarning)

landing_dates = dg.DailyPartitionsDefinition(start_date=FIRST_LANDING_DATE.isoformat(), timezone="UTC", end_offset=1)
"""One partition a day (UTC), today's among them: a delivery can be loaded on the day it lands."""

single_run_backfill = dg.BackfillPolicy.single_run()
"""A range of days is one run and one step a table, whatever its length."""


def to_window(span: dg.TimeWindow) -> Window:
    """The landing dates of a partition or of a range of partitions."""
    return Window(span.start.date(), span.end.date())
