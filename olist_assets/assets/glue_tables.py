"""The tables in Glue as an asset, for lakes on S3."""

import dagster as dg

from olist_assets.assets.step_recording import record_step
from olist_assets.aws.environment import is_s3
from olist_assets.engines.base import Engine
from olist_assets.lake.layout import Lake
from olist_assets.settings.general import Settings


class GlueTables(dg.Config):
    """How the tables are registered."""

    drop: bool = False
    """Drop tables from Glue that are no longer in the lake."""


def glue_assets(settings: Settings) -> tuple[dg.AssetsDefinition, ...]:
    """The asset that registers the tables in Glue; none unless the lake is on S3 and OLIST_GLUE is set."""
    if not settings.glue or not is_s3(settings.lake):
        return ()
    from olist_assets.catalog import glue  # noqa: PLC0415 - brings what only lakes on S3 need

    @dg.asset(
        key=["serving", "glue_tables"],
        group_name="serving",
        deps=[table.id.split("/") for table in glue.published()],
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
        with record_step(context, lake, engine, None) as record:
            outcomes = glue.register(lake.root, settings.glue, drop=config.drop)
            counts = {f"tables_{o.name.lower()}": count for o, count in glue.table_counts(outcomes).items()}
            record.update(counts)
        changes = {outcome: [place for place in outcomes if outcomes[place] is outcome] for outcome in glue.CHANGES}
        databases = [glue.database_name(layer, settings.glue) for layer in glue.DATABASES]
        return dg.MaterializeResult(metadata={"databases": databases, **counts, "changes": changes})

    return (register,)
