"""Refined assets: dimensions, facts and aggregates of the star schema."""

import dagster as dg

from olist_assets.assets.table_asset import delta_asset, run_step_of
from olist_assets.engines.base import Engine
from olist_assets.lake.layout import Lake
from spark_steps.declarations import Layer, Table
from spark_steps.protocol import DeltaTable
from spark_steps.tables import tables_of


def _refined_asset(table: Table) -> dg.AssetsDefinition:
    @delta_asset(table)
    def compute(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[Engine],
        **inputs: DeltaTable,
    ) -> dg.MaterializeResult:
        return run_step_of(table, context, lake, engine, inputs=tuple(inputs.values()))

    return compute


refined_assets = tuple(_refined_asset(table) for table in tables_of(Layer.REFINED))
