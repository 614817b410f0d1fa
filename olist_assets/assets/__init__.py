"""The assets: one per table, built from the declarations, and those that serve the tables."""

import dagster as dg

from olist_assets.assets.glue_tables import glue_assets
from olist_assets.assets.landzone import landzone_assets
from olist_assets.assets.raw import raw_assets
from olist_assets.assets.refined import refined_assets
from olist_assets.assets.report import write_report
from olist_assets.assets.trusted import trusted_assets
from olist_assets.orchestration.partitions import landing_date_partitions
from olist_assets.settings.general import Settings
from olist_assets.sources.landing_dates import LandingDates


def build_assets(settings: Settings) -> tuple[dg.AssetsDefinition, ...]:
    """The whole lineage, upstream first."""
    landing_dates = landing_date_partitions(LandingDates.from_settings(settings))
    return (
        *landzone_assets(landing_dates),
        *raw_assets(settings.engine, landing_dates),
        *trusted_assets(settings.engine, landing_dates),
        *refined_assets(settings.engine, landing_dates),
        write_report,
        *glue_assets(settings),
    )
