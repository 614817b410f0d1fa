"""The assets: one per table, built from the declarations, and those that serve the tables."""

import dagster as dg

from olist_assets.assets.glue_tables import glue_assets
from olist_assets.assets.landzone import landzone_assets
from olist_assets.assets.raw import raw_assets
from olist_assets.assets.refined import refined_assets
from olist_assets.assets.report import write_report
from olist_assets.assets.trusted import trusted_assets
from olist_assets.settings.general import Settings


def build_assets(settings: Settings) -> tuple[dg.AssetsDefinition, ...]:
    """The whole lineage, upstream first."""
    return (
        *landzone_assets,
        *raw_assets(settings.engine),
        *trusted_assets(settings.engine),
        *refined_assets(settings.engine),
        write_report,
        *glue_assets(settings),
    )
