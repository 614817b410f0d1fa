"""The report as an asset: one HTML page in the lake, written from the newest version of each table."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from olist_assets.assets.step_recording import record_step
from olist_assets.engines.base import Engine
from olist_assets.lake.layout import Lake
from olist_assets.operations.status import describe_left_out
from olist_assets.serving import report
from olist_assets.sources.deliveries import Deliveries
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES


def _asset_key(table_id: str) -> dg.AssetKey:
    """The key of the asset that writes a table; the quarantine is written with the trusted table."""
    table = TABLES[table_id]
    layer = Layer.TRUSTED if table.layer is Layer.QUARANTINE else table.layer
    return dg.AssetKey([layer.value, table.name])


@dg.asset(
    key=["serving", "report"],
    deps=sorted({_asset_key(table_id) for table_id in report.TABLES_READ}),
    group_name="serving",
    kinds={"html", "duckdb"},
    owners=["team:analytics"],
    description="The sales report: one HTML page that needs no network, of the newest version of each table.",
)
def write_report(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    deliveries: dg.ResourceParam[Deliveries],
    engine: dg.ResourceParam[Engine],
) -> dg.MaterializeResult:
    """Write the report into the lake."""
    with record_step(context, lake, engine, None) as record:
        records = lake.step_records.newest_of_lineage()
        page = report.make(
            lake.root,
            records=records,
            left_out=describe_left_out(deliveries.notices(), records),
            written_at=datetime.now(UTC),
        )
        size = report.put(lake.store, page, on_s3=lake.on_s3)
    path = f"{lake.root}/{report.PATH}"
    metadata: dict[str, Any] = {
        "path": lake.display_uri(path) if lake.on_s3 else dg.MetadataValue.path(path),
        "seconds": record.seconds,
        "bytes": size,
        "data_as_of": page.as_of.isoformat() if page.as_of else "no data",
        **page.headline,
    }
    return dg.MaterializeResult(metadata=metadata)
