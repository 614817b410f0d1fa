"""Trusted assets: raw rows typed, judged, and merged into the newest state of each key."""

import dagster as dg

from olist_assets.assets.table_asset import delta_asset, run_step_of
from olist_assets.engines.base import Engine
from olist_assets.lake.layout import Lake
from spark_steps.declarations import Layer, Table
from spark_steps.protocol import DeltaTable
from spark_steps.tables import tables_of


def _trusted_asset(table: Table) -> dg.AssetsDefinition:
    @delta_asset(table)
    def merge(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[Engine],
        **inputs: DeltaTable,
    ) -> dg.MaterializeResult:
        quarantine = lake.table(f"{Layer.QUARANTINE}/{table.name}")
        return run_step_of(table, context, lake, engine, inputs=tuple(inputs.values()), quarantine=quarantine)

    return merge


trusted_assets = tuple(_trusted_asset(table) for table in tables_of(Layer.TRUSTED))
