"""Raw assets: append the landed files, which leave the landing zone after the commit."""

import dagster as dg

from olist_assets.assets.table_asset import materialize_table, table_asset
from olist_assets.engines.base import Engine
from olist_assets.lake.layout import Lake
from spark_steps.declarations import Layer, TableSpec
from spark_steps.protocol import LandedFile
from spark_steps.tables import tables_in


def _raw_asset(table: TableSpec, engine_name: str, landing_dates: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @table_asset(table, engine_name, landing_dates)
    def append(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[Engine],
        **landed: tuple[LandedFile, ...],
    ) -> dg.MaterializeResult:
        [files] = landed.values()
        return materialize_table(table, context, lake, engine, files=files)

    return append


def raw_assets(engine_name: str, landing_dates: dg.DailyPartitionsDefinition) -> tuple[dg.AssetsDefinition, ...]:
    """The raw assets, with their partitions and the pools that runs on this engine need."""
    return tuple(_raw_asset(table, engine_name, landing_dates) for table in tables_in(Layer.RAW))
