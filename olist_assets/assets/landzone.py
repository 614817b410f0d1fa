"""Landzone assets: the files of a delivery, copied unchanged from the source."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from olist_assets.assets.checks import check_result
from olist_assets.assets.metadata import materialization_metadata
from olist_assets.assets.priorities import priority_tags
from olist_assets.assets.step_recording import record_step
from olist_assets.engines.base import Engine
from olist_assets.errors import FileNotReadyError
from olist_assets.lake.files import FILE_STEMS, DeliveredFile, table_for_file
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import FileRecord
from olist_assets.orchestration.partitions import single_run_backfill, to_window
from olist_assets.sources.deliveries import Deliveries, Scan
from olist_assets.sources.notices import DUE_LATER, LAST_LINES_COMPLETE, NOTICES, WARNING, Notice, describe_notices
from spark_steps.declarations import Severity
from spark_steps.protocol import Check, LandedFile, Window

INCOMPLETE_DAYS = "incomplete_days"
"""The metadata key of the landing dates of which a file could not be landed."""

_MAX_LISTED_FILES = 100
"""Dagster stores the manifest in an event, and shows it as one table."""


def _landzone_asset(name: str, file_stem: str, landing_dates: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    key = ["landzone", name]

    @dg.asset(
        key=key,
        group_name="landzone",
        kinds={"csv"},
        owners=["team:data-engineering"],
        op_tags=priority_tags("/".join(key)),
        description=f"Files `{file_stem}*.csv` of a landing date's delivery, waiting for raw.",
        partitions_def=landing_dates,
        backfill_policy=single_run_backfill,
        check_specs=[
            dg.AssetCheckSpec(LAST_LINES_COMPLETE, asset=key, description="The last line of every file has a line end.")
        ],
    )
    def land(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        deliveries: dg.ResourceParam[Deliveries],
        engine: dg.ResourceParam[Engine],
    ) -> dg.MaterializeResult:
        window = to_window(context.partition_time_window)
        with record_step(context, lake, engine, window) as record:
            landing = _land(lake, name, deliveries.scan_for_run(context.run.run_id, window), window)
            record.files = files = tuple(file for manifest in landing.manifests.values() for file in manifest)
            record.checks = (check := landing.check(),)
        if not files:
            context.log.info("nothing was delivered for %s on %s", name, window)
        for line in landing.lines():
            context.log.warning(line)
        totals = _totals(files) | landing.metadata()
        days = {day: _day_metadata(manifest) for day, manifest in landing.manifests.items()}
        metadata = materialization_metadata(context, window, totals, days)
        return dg.MaterializeResult(metadata=metadata, check_results=[check_result(check)])

    return land


@dataclass
class _Landing:
    """What the landing of a table's files did.

    Attributes:
        manifests: the landed files of each landing date of the window.
        notices: remarks about entries of the source that concern the table, or no table.
        incomplete: the landing dates of which a file could not be landed.
    """

    manifests: dict[date, list[FileRecord]]
    notices: list[Notice] = field(default_factory=list)
    incomplete: set[date] = field(default_factory=set)

    def lines(self) -> list[str]:
        """The notices as lines."""
        return describe_notices(self.notices)

    def check(self) -> Check:
        """The number of files whose last line has no line end."""
        incomplete = sum(notice.status == WARNING for notice in self.notices)
        return Check(LAST_LINES_COMPLETE, Severity.WARN, incomplete, "files whose last line has no line end")

    def metadata(self) -> dict[str, Any]:
        """The notices and the incomplete days; empty if there are none."""
        days = [f"{day}" for day in sorted(self.incomplete)]
        return ({NOTICES: self.lines()} if self.notices else {}) | ({INCOMPLETE_DAYS: days} if days else {})


def _land(lake: Lake, name: str, scan: Scan, window: Window) -> _Landing:
    """Copy the files of a table into the landing zone. A file that is not ready does not stop the others."""
    notices = [n for n in scan.notices_in(window) if table_for_file(n.path.rpartition("/")[2]) in (name, None)]
    landing = _Landing({day: [] for day in window.days}, notices)
    landed: list[LandedFile] = []
    landing.incomplete.update(notice.day for notice in notices if notice.day and notice.path == f"{notice.day}")
    for day in window.days:
        for file in scan.files(name, day):
            try:
                result = lake.landzone.land(name, day, file)
            except FileNotReadyError as error:
                notices.append(Notice(DUE_LATER, file.path, str(error), day))
                landing.incomplete.add(day)
                continue
            landed.append(result.file)
            landing.manifests[day].append(_record(file, result.file))
            if not result.ends_with_line_end:
                reason = "its last line has no line end; the file may be incomplete"
                notices.append(Notice(WARNING, file.path, reason, day))
    if f"raw/{name}" not in lake.recompute_marks.tables():  # otherwise the landing zone has the files of a lost table
        lake.landzone.set_aside_replaced(name, window, landed)
    return landing


def _record(file: DeliveredFile, landed: LandedFile) -> FileRecord:
    return FileRecord(
        file_name=file.name,
        file_id=landed.file_id,
        landing_date=landed.landing_date,
        bytes=file.size,
        extracted_at=landed.extracted_at,
        landed_at=datetime.now(UTC),
    )


def _day_metadata(manifest: list[FileRecord]) -> dict[str, Any]:
    """The metadata of one landing date."""
    if not manifest:
        return {**_totals([]), "note": "no files: nothing was delivered"}
    return {**_totals(manifest), "manifest": _manifest_table(manifest[:_MAX_LISTED_FILES])}


def _totals(files: Sequence[FileRecord]) -> dict[str, int]:
    return {"files": len(files), "bytes": sum(file.bytes for file in files)}


def _manifest_table(manifest: list[FileRecord]) -> dg.TableMetadataValue:
    rows = [
        dg.TableRecord({k: v if isinstance(v, int) else str(v) for k, v in asdict(file).items()}) for file in manifest
    ]
    return dg.TableMetadataValue(rows, dg.TableSchema([dg.TableColumn(field.name) for field in fields(FileRecord)]))


def landzone_assets(landing_dates: dg.DailyPartitionsDefinition) -> tuple[dg.AssetsDefinition, ...]:
    """The landing zone's assets, with their partitions."""
    return tuple(_landzone_asset(name, stem, landing_dates) for name, stem in FILE_STEMS.items())
