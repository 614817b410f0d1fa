"""The landing date: the daily partition of all assets from the landing zone to the facts."""

import warnings
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.instance import DynamicPartitionsStore

from olist_assets.sources.landing_dates import LandingDates
from spark_steps.protocol import Window

# Without a backfill policy a range would be one run per day. Dagster still marks the parameter as beta.
warnings.filterwarnings("ignore", message=".*`backfill_policy`", category=dg.BetaWarning)

single_run_backfill = dg.BackfillPolicy.single_run()
"""A range of days of any length is one run, with one step per table."""


class LandingDatePartitions(dg.DailyPartitionsDefinition):
    """One partition per landing date (UTC), without a loop over time windows for the list of all of them.

    Dagster lists all partitions whenever an asset without partitions reads one with partitions, about forty times in a
    run of the whole lineage. For ten years its own list takes 30 ms each time.
    """

    def get_partition_keys(
        self,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> Sequence[str]:
        """The landing dates in order, as texts."""
        with partition_loading_context(current_time, dynamic_partitions_store):
            last = self.get_last_partition_key()
        if last is None:
            return []
        return _days_between(self.start.date(), date.fromisoformat(last))


@cache
def _days_between(first: date, last: date) -> Sequence[str]:
    """The days from the first to the last, as texts."""
    return [(first + timedelta(days=i)).isoformat() for i in range((last - first).days + 1)]


def landing_date_partitions(landing_dates: LandingDates) -> dg.DailyPartitionsDefinition:
    """The partitions of landing dates. Today is one of them: a delivery can be loaded on the day that it lands."""
    end = landing_dates.last + timedelta(days=1) if landing_dates.last else None
    return LandingDatePartitions(
        start_date=landing_dates.first.isoformat(),
        end_date=end.isoformat() if end else None,
        timezone="UTC",
        end_offset=1,
    )


def to_window(span: dg.TimeWindow) -> Window:
    """The landing dates of a partition or of a range of partitions."""
    return Window(span.start.date(), span.end.date())
