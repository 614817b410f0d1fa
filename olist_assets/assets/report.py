"""Serving assets: what is made of the tables for those who ask them."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from olist_assets.assets.step_recording import record_step
from olist_assets.aws.environment import S3
from olist_assets.engines.base import Engine
from olist_assets.lake.layout import Lake
from olist_assets.serving import report
from olist_assets.settings import Settings
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES

# --- The report -------------------------------------------------------------------------------------------------------

_PICTURES = ("revenue", "states", "delivery")
"""Charts that Dagit shows; they are kept with every run, so they are few and small."""


def _asset_of(table_id: str) -> dg.AssetKey:
    """The asset that writes a table; the quarantine is written with the trusted table."""
    table = TABLES[table_id]
    layer = Layer.TRUSTED if table.layer is Layer.QUARANTINE else table.layer
    return dg.AssetKey([layer.value, table.name])


@dg.asset(
    key=["serving", "report"],
    deps=sorted({_asset_of(table_id) for table_id in report.TABLES_READ}),
    group_name="serving",
    kinds={"html", "duckdb"},
    owners=["team:analytics"],
    description="The sales report: one HTML page that needs no network, of the newest version of each table.",
)
def write_report(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], engine: dg.ResourceParam[Engine]
) -> dg.MaterializeResult:
    """Write the report into the lake."""
    with record_step(context, lake, engine, None) as record:
        made = report.make(
            lake.root, records=lake.step_records.newest_of_lineage(), written_at=datetime.now(UTC), pictures=_PICTURES
        )
        size = report.put(lake.store, made, on_s3=lake.on_s3)
    path = f"{lake.root}/{report.PATH}"
    pictures = "\n\n".join(
        f"**{title}**\n\n![{title}](data:image/png;base64,{b64encode(png).decode()})"
        for title, png in made.pictures.items()
    )
    metadata: dict[str, Any] = {
        "path": lake.display_uri(path) if lake.on_s3 else dg.MetadataValue.path(path),
        "seconds": record.seconds,
        "bytes": size,
        "data_as_of": made.as_of.isoformat() if made.as_of else "no data",
        **made.headline,
    }
    if pictures:
        metadata["charts"] = dg.MetadataValue.md(pictures)
    return dg.MaterializeResult(metadata=metadata)


# --- Tables in Glue ---------------------------------------------------------------------------------------------------


class GlueTables(dg.Config):
    """How the tables are registered."""

    drop: bool = False
    """Drop tables that the lake no longer has from Glue."""


def glue_assets(settings: Settings) -> tuple[dg.AssetsDefinition, ...]:
    """The asset that registers the tables in Glue, where the lake is on S3 and OLIST_GLUE asks for it."""
    if not settings.glue or not settings.lake.startswith(S3):
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


serving_assets = (write_report, *glue_assets(Settings.from_environment()))
"""What is served of this lake."""
