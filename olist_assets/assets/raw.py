"""Raw assets: append what waits in the landzone, which is cleared away once raw holds it."""

import dagster as dg

from olist_assets.assets.table_asset import delta_asset, run_step_of
from olist_assets.engines.base import Engine
from olist_assets.lake.layout import Lake
from spark_steps.declarations import Layer, Table
from spark_steps.protocol import LandedFile
from spark_steps.tables import tables_of


def _raw_asset(table: Table) -> dg.AssetsDefinition:
    @delta_asset(table)
    def append(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[Engine],
        **landed: tuple[LandedFile, ...],
    ) -> dg.MaterializeResult:
        [files] = landed.values()
        return run_step_of(table, context, lake, engine, files=files)

    return append


raw_assets = tuple(_raw_asset(table) for table in tables_of(Layer.RAW))
