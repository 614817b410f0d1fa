"""What the assets of all Delta tables have in common: their definition, and how their step is run."""

from collections.abc import Callable
from datetime import date
from typing import Any

import dagster as dg

from olist_assets.assets.metadata import materialization_metadata
from olist_assets.assets.step_recording import record_step
from olist_assets.engines.base import Engine
from olist_assets.engines.code_version import code_version
from olist_assets.lake.layout import Lake
from olist_assets.lake.leases import hold_lease
from olist_assets.orchestration.executors import pool_for
from olist_assets.orchestration.partitions import landing_dates, single_run_backfill, to_window
from olist_assets.settings import Settings
from spark_steps import rules
from spark_steps.declarations import Layer, Severity, TableSpec
from spark_steps.protocol import Check, DayCounts, LandedFile, StepRequest, StepResult, TableHandle, Window

_KINDS = {Layer.RAW: "bronze", Layer.TRUSTED: "silver", Layer.REFINED: "gold"}
_OWNERS = {Layer.RAW: "team:data-engineering", Layer.TRUSTED: "team:data-engineering", Layer.REFINED: "team:analytics"}

_ENGINE = Settings.from_environment().engine  # read once: there are as many assets as tables

_CHECKS_THAT_BLOCK = {"rows_accounted_for"}
"""Checks whose failure fails the asset: what stands below it must not go on."""

_COUNTS_OF_A_DAY = {
    Layer.RAW: ("rows_read", "rows_inserted"),
    Layer.TRUSTED: (
        "rows_read",
        "rows_inserted",
        "rows_updated",
        "rows_unchanged",
        "rows_superseded",
        "rows_quarantined",
    ),
}
"""What is told of each landing date, noughts too, so that charts over partitions have no gaps."""

_NOTE_WITHOUT_ROWS = {
    Layer.RAW: "no rows: nothing landed that raw did not hold",
    Layer.TRUSTED: "no rows: raw holds none of this day",
}


def table_asset(table: TableSpec) -> Callable[[Callable[..., dg.MaterializeResult]], dg.AssetsDefinition]:
    """`@dg.asset` with all the arguments that follow from a table's declaration."""
    arguments: dict[str, Any] = {
        "key": table.id.split("/"),
        "ins": {name.replace("/", "_"): dg.AssetIn(key=name.split("/")) for name in table.upstreams},
        "group_name": str(table.layer),
        "pool": pool_for(table.id, _ENGINE),  # the lease sees to writers beside Dagster
        "kinds": {"deltalake", "pyspark", _KINDS[table.layer]},
        "owners": [_OWNERS[table.layer]],
        "description": table.description,
        "metadata": {
            "dagster/column_schema": _column_schema(table),
            "dagster/table_name": table.id.replace("/", "."),
            **({"partitioned_by": table.partition} if table.partition else {}),
        },
        "check_specs": [
            dg.AssetCheckSpec(
                name, asset=table.id.split("/"), description=description, blocking=name in _CHECKS_THAT_BLOCK
            )
            for name, description in _expected_checks(table).items()
        ],
    }
    if not table.full_refresh:
        arguments |= {"partitions_def": landing_dates, "backfill_policy": single_run_backfill}
    return dg.asset(**arguments)


def materialize_table(
    table: TableSpec,
    context: dg.AssetExecutionContext,
    lake: Lake,
    engine: Engine,
    *,
    inputs: tuple[TableHandle, ...] = (),
    files: tuple[LandedFile, ...] = (),
    quarantine: TableHandle | None = None,
) -> dg.MaterializeResult:
    """Run the step that writes a table, leave its control object, and say in Dagster's terms what it did.

    The lease on the table covers all that the step changes: its quarantine and the landed files too.
    """
    window = None if table.full_refresh else to_window(context.partition_time_window)
    request = StepRequest(
        output=lake.table(table.id, window),
        window=window,
        inputs=inputs,
        files=files,
        quarantine=quarantine,
        run_id=context.run.run_id,
        code_version=code_version(),
    )
    with record_step(context, lake, engine, window) as record, hold_lease(lake.store, table.id, request.run_id):
        result = engine.run(context, request)
        record.update(result.figures())
        lake.remove_landed(files)  # the table holds them now
    metadata = {"dagster/uri": lake.display_uri(request.output.uri), "delta_version": result.version_after}
    metadata |= materialization_metadata(context, window, _totals(result), _days(table, window, result))
    return dg.MaterializeResult(metadata=metadata, check_results=[_check_result(check) for check in result.checks])


def _expected_checks(table: TableSpec) -> dict[str, str]:
    expected = {rule.name: rule.reason.strip("'") for rule in rules.warnings(table)}
    if table.layer is Layer.TRUSTED:
        expected |= {
            "rows_accounted_for": "Every raw row has won, was superseded or is quarantined.",
            "nothing_quarantined": "No row breaks a rule.",
        }
    return expected


def _column_schema(table: TableSpec) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(c.name, c.type, c.comment or None, dg.TableColumnConstraints(nullable=not c.required))
            for c in table.columns
        ]
    )


def _totals(result: StepResult) -> dict[str, Any]:
    counts = result.rows.figures() | result.files.figures()
    return {"seconds": result.seconds, **{name: value for name, value in counts.items() if value}}


def _days(table: TableSpec, window: Window | None, result: StepResult) -> dict[date, dict[str, Any]]:
    """What each landing date of the window is told of itself; nothing where the table is computed whole."""
    if window is None or table.layer not in _COUNTS_OF_A_DAY:
        return {}
    counted = {counts.day: counts for counts in result.days}
    return {day: _day(table.layer, counted.get(day, DayCounts(day=day, partition_rows=0))) for day in window.days}


def _day(layer: Layer, counts: DayCounts) -> dict[str, Any]:
    figures: dict[str, Any] = {name: counts.rows.figures()[name] for name in _COUNTS_OF_A_DAY[layer]}
    if layer is Layer.RAW:  # all rows that its partition holds; a trusted table has none of a landing date
        figures["dagster/partition_row_count"] = counts.partition_rows
    if not counts.rows.read:
        figures["note"] = _NOTE_WITHOUT_ROWS[layer]
    return figures


def _check_result(check: Check) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.ERROR if check.severity is Severity.ERROR else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        check_name=check.name, passed=check.passed, severity=severity, metadata={"failed_rows": check.failed_rows}
    )
