"""Serving assets: what is made of the tables for those who ask them."""

import dagster as dg

from olist_assets.assets.control import controlled
from olist_assets.aws import S3
from olist_assets.engines.base import Engine
from olist_assets.lake import Lake
from olist_assets.settings import Settings
from spark_steps.schema import Layer
from spark_steps.tables import tables_of

# --- Tables in Glue ---------------------------------------------------------------------------------------------------


class GlueTables(dg.Config):
    """How the tables are registered."""

    drop: bool = False
    """Drop tables that the lake no longer has from Glue."""


def glue_assets(settings: Settings) -> tuple[dg.AssetsDefinition, ...]:
    """The asset that registers the tables in Glue, where the lake is on S3 and OLIST_GLUE asks for it."""
    if not settings.glue or not settings.lake.startswith(S3):
        return ()

    @dg.asset(
        key=["serving", "glue_tables"],
        group_name="serving",
        deps=[table.id.split("/") for layer in (Layer.TRUSTED, Layer.REFINED) for table in tables_of(layer)],
        kinds={"glue", "athena"},
        owners=["team:analytics"],
        description="Trusted and refined in the Glue Data Catalog, where Athena, QuickSight and Spark find them.",
    )
    def register(
        context: dg.AssetExecutionContext,
        config: GlueTables,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[Engine],
    ) -> dg.MaterializeResult:
        from olist_assets.serving import glue  # noqa: PLC0415 - brings what only lakes on S3 need

        with controlled(context, lake, engine, None) as record:
            outcomes = glue.register(lake.root, settings.glue, drop=config.drop)
            counts = {f"tables_{o.name.lower()}": count for o, count in glue.table_counts(outcomes).items()}
            record.update(counts)
        changes = {outcome: [place for place in outcomes if outcomes[place] is outcome] for outcome in glue.CHANGES}
        databases = [f"{settings.glue}_{layer}" for layer in glue.DATABASES]
        return dg.MaterializeResult(metadata={"databases": databases, **counts, "changes": changes})

    return (register,)


serving_assets = glue_assets(Settings.from_environment())
"""What is served of this lake."""
