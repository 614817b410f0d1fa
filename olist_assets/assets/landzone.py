"""Landzone: the files of a delivery, copied from the source as they are."""

from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from olist_assets.assets.metadata import materialization_metadata
from olist_assets.assets.step_recording import record_step
from olist_assets.engines.base import Engine
from olist_assets.lake.files import FILE_STEMS
from olist_assets.lake.layout import Lake
from olist_assets.orchestration.partitions import landing_dates, single_run_backfill, to_window
from olist_assets.sources.deliveries import Deliveries


def _landzone_asset(name: str, file_stem: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["landzone", name],
        group_name="landzone",
        kinds={"csv"},
        owners=["team:data-engineering"],
        description=f"Files `{file_stem}*.csv` of a landing date's delivery, waiting for raw.",
        partitions_def=landing_dates,
        backfill_policy=single_run_backfill,
    )
    def land(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        deliveries: dg.ResourceParam[Deliveries],
        engine: dg.ResourceParam[Engine],
    ) -> dg.MaterializeResult:
        window = to_window(context.partition_time_window)
        with record_step(context, lake, engine, window) as record:
            delivered = deliveries.days()
            manifests = {d: _land(lake, deliveries, name, d) if d in delivered else [] for d in window.days}
            record["files"] = files = [row for manifest in manifests.values() for row in manifest]
        if not files:
            context.log.info("nothing was delivered for %s on %s", name, window)
        days = {day: _figures(manifest) for day, manifest in manifests.items()}
        return dg.MaterializeResult(metadata=materialization_metadata(context, window, _totals(files), days))

    return land


def _figures(manifest: list[dict]) -> dict[str, Any]:
    """What a landing date is told of itself."""
    if not manifest:
        return {**_totals([]), "note": "no files: nothing was delivered"}
    return {**_totals(manifest), "manifest": _table_of(manifest)}


def _totals(manifest: list[dict]) -> dict[str, int]:
    return {"files": len(manifest), "bytes": sum(row["bytes"] for row in manifest)}


def _table_of(manifest: list[dict]) -> dg.TableMetadataValue:
    names = ("file_name", "file_id", "landing_date", "bytes", "extracted_at", "landed_at")
    records = [dg.TableRecord({k: v if isinstance(v, int) else str(v) for k, v in row.items()}) for row in manifest]
    return dg.TableMetadataValue(records, dg.TableSchema([dg.TableColumn(name) for name in names]))


def _land(lake: Lake, deliveries: Deliveries, name: str, day: date) -> list[dict]:
    rows = []
    for file in deliveries.files(name, day):
        landed = lake.land(name, day, file)
        rows.append(
            {
                "file_name": file.name,
                "file_id": landed.file_id,
                "landing_date": day,
                "bytes": file.size,
                "extracted_at": landed.extracted_at,
                "landed_at": datetime.now(UTC),
            }
        )
    return rows


landzone_assets = tuple(_landzone_asset(name, stem) for name, stem in FILE_STEMS.items())
