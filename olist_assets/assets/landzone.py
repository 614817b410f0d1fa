"""Landzone assets: the files of a delivery, copied unchanged from the source."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from olist_assets.assets.metadata import materialization_metadata
from olist_assets.assets.step_recording import record_step
from olist_assets.engines.base import Engine
from olist_assets.lake.files import FILE_STEMS
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import FileRecord
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
            manifests = {d: _land_day(lake, deliveries, name, d) if d in delivered else [] for d in window.days}
            record.files = files = tuple(file for manifest in manifests.values() for file in manifest)
        if not files:
            context.log.info("nothing was delivered for %s on %s", name, window)
        days = {day: _day_metadata(manifest) for day, manifest in manifests.items()}
        return dg.MaterializeResult(metadata=materialization_metadata(context, window, _totals(files), days))

    return land


def _land_day(lake: Lake, deliveries: Deliveries, name: str, day: date) -> list[FileRecord]:
    """Copy the files of a table that were delivered on a day into the landing zone."""
    manifest: list[FileRecord] = []
    for file in deliveries.files(name, day):
        landed = lake.landzone.land(name, day, file)
        manifest.append(
            FileRecord(
                file_name=file.name,
                file_id=landed.file_id,
                landing_date=day,
                bytes=file.size,
                extracted_at=landed.extracted_at,
                landed_at=datetime.now(UTC),
            )
        )
    return manifest


def _day_metadata(manifest: list[FileRecord]) -> dict[str, Any]:
    """The metadata of one landing date."""
    if not manifest:
        return {**_totals([]), "note": "no files: nothing was delivered"}
    return {**_totals(manifest), "manifest": _manifest_table(manifest)}


def _totals(files: Sequence[FileRecord]) -> dict[str, int]:
    return {"files": len(files), "bytes": sum(file.bytes for file in files)}


def _manifest_table(manifest: list[FileRecord]) -> dg.TableMetadataValue:
    rows = [
        dg.TableRecord({k: v if isinstance(v, int) else str(v) for k, v in asdict(file).items()}) for file in manifest
    ]
    return dg.TableMetadataValue(rows, dg.TableSchema([dg.TableColumn(field.name) for field in fields(FileRecord)]))


landzone_assets = tuple(_landzone_asset(name, stem) for name, stem in FILE_STEMS.items())
