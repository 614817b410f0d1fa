"""The partitions of landing dates are those of Dagster's own daily partitions."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from olist_assets.definitions import build_definitions
from olist_assets.orchestration.partitions import landing_date_partitions
from olist_assets.settings.general import Settings
from olist_assets.sources.landing_dates import LandingDates

TODAY = datetime.now(UTC).date()


@pytest.mark.parametrize(
    ("landing_dates", "end"),
    [
        (LandingDates(), None),
        (LandingDates(date(2018, 2, 27), date(2018, 3, 1)), "2018-03-02"),
        (LandingDates(date(2018, 2, 27), date(9999, 12, 30)), "9999-12-31"),
        (LandingDates(TODAY, TODAY), f"{TODAY + timedelta(days=1)}"),
        (LandingDates(TODAY + timedelta(days=1)), None),
    ],
)
def test_the_partition_keys_are_those_of_dagster(landing_dates, end):
    partitions = landing_date_partitions(landing_dates)
    dagster = dg.DailyPartitionsDefinition(f"{landing_dates.first}", end_date=end, timezone="UTC", end_offset=1)
    assert partitions.get_partition_keys() == dagster.get_partition_keys()
    midnight = datetime(2018, 2, 28, tzinfo=UTC)
    assert partitions.get_partition_keys(midnight) == dagster.get_partition_keys(midnight)


def test_all_partitioned_assets_have_the_landing_dates_of_the_settings():
    settings = Settings(first_landing_date=date(2016, 9, 1), last_landing_date=date(2018, 10, 31))
    assets = [asset for asset in build_definitions(settings).assets if isinstance(asset, dg.AssetsDefinition)]
    partitioned = [asset.partitions_def.get_partition_keys() for asset in assets if asset.partitions_def]
    assert len(partitioned) == 35
    assert {(keys[0], keys[-1], len(keys)) for keys in partitioned} == {("2016-09-01", "2018-10-31", 791)}
