"""Refined assets: dimensions, facts and aggregates of the star schema."""

import dagster as dg

from olist_assets.assets.table_asset import materialize_table, table_asset
from olist_assets.engines.base import Engine
from olist_assets.lake.layout import Lake
from spark_steps.declarations import Layer, TableSpec
from spark_steps.protocol import TableHandle
from spark_steps.tables import tables_in


def _refined_asset(
    table: TableSpec, engine_name: str, landing_dates: dg.DailyPartitionsDefinition
) -> dg.AssetsDefinition:
    @table_asset(table, engine_name, landing_dates)
    def compute(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[Engine],
        **inputs: TableHandle,
    ) -> dg.MaterializeResult:
        return materialize_table(table, context, lake, engine, inputs=tuple(inputs.values()))

    return compute


def refined_assets(engine_name: str, landing_dates: dg.DailyPartitionsDefinition) -> tuple[dg.AssetsDefinition, ...]:
    """The refined assets, with their partitions and the pools that runs on this engine need."""
    return tuple(_refined_asset(table, engine_name, landing_dates) for table in tables_in(Layer.REFINED))
