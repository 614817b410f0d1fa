"""The assets of Delta tables: their definition from a declaration, and the execution of their step."""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import dagster as dg

from olist_assets.assets.checks import check_result, check_specs
from olist_assets.assets.metadata import column_schema, day_metadata, materialization_metadata
from olist_assets.assets.priorities import priority_tags
from olist_assets.assets.step_recording import record_step
from olist_assets.engines.base import Engine
from olist_assets.engines.code_version import code_version
from olist_assets.errors import LeaseError, OutageError
from olist_assets.lake.layout import Lake
from olist_assets.lake.leases import LeaseUnavailableError, hold_lease
from olist_assets.operations.preconditions import check_tables, explain_failure
from olist_assets.orchestration.executors import pool_for
from olist_assets.orchestration.partitions import single_run_backfill, to_window
from spark_steps.declarations import Layer, TableSpec
from spark_steps.protocol import LandedFile, StepRequest, StepResult, TableHandle
from spark_steps.steps import last_step

_KINDS = {Layer.RAW: "bronze", Layer.TRUSTED: "silver", Layer.REFINED: "gold"}
_OWNERS = {Layer.RAW: "team:data-engineering", Layer.TRUSTED: "team:data-engineering", Layer.REFINED: "team:analytics"}

_HISTORY_INTERVAL = 10
"""The number of commits after which a step looks for old versions to remove."""


def table_asset(
    table: TableSpec, engine_name: str, landing_dates: dg.DailyPartitionsDefinition
) -> Callable[[Callable[..., dg.MaterializeResult]], dg.AssetsDefinition]:
    """A decorator: `@dg.asset` with all arguments that follow from a table's declaration, partitions and pool."""
    arguments: dict[str, Any] = {
        "key": table.id.split("/"),
        "ins": {name.replace("/", "_"): dg.AssetIn(key=name.split("/")) for name in table.upstreams},
        "group_name": str(table.layer),
        "pool": pool_for(table.id, engine_name),  # the lease protects against writers outside Dagster
        "kinds": {"deltalake", "pyspark", _KINDS[table.layer]},
        "owners": [_OWNERS[table.layer]],
        "op_tags": priority_tags(table.id),
        "description": table.description,
        "metadata": {
            "dagster/column_schema": column_schema(table),
            "dagster/table_name": table.id.replace("/", "."),
            **({"partitioned_by": table.partition} if table.partition else {}),
        },
        "check_specs": check_specs(table),
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
    """Run the step that writes a table, write its record, and report its result in Dagster's terms.

    The lease on the table covers everything that the step changes: the table, its quarantine and the landed files. A
    refined table with a recompute mark is computed whole.

    Args:
        table: the declaration.
        context: the context of the asset.
        lake: the lake.
        engine: the engine that runs the step.
        inputs: the tables that the step reads.
        files: the landed files that a raw step appends; they are removed from the landing zone after the commit.
        quarantine: the table for rows that a trusted step rejects.

    Raises:
        dagster.Failure: see `record_step`.
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
        limits_memory=engine.limits_memory,
    )
    with record_step(context, lake, engine, window) as record, _hold_lease(lake, request):
        is_marked = check_tables(lake, request)
        if is_marked:
            computed = None if table.layer is Layer.REFINED else window
            request = replace(request, window=computed, recompute=True)
        result = _run(context, lake, engine, request)
        record.update(result.figures())
        lake.landzone.remove(files)  # raw contains them now
        if is_marked:
            lake.recompute_marks.clear(table.id)
        if result.version_after // _HISTORY_INTERVAL > result.version_before // _HISTORY_INTERVAL:
            for handle in (request.output, request.quarantine):
                if handle:
                    lake.remove_history(handle.id)
    metadata = {"dagster/uri": lake.display_uri(request.output.uri), "delta_version": result.version_after}
    metadata |= materialization_metadata(context, window, _totals(result), day_metadata(table, window, result))
    return dg.MaterializeResult(metadata=metadata, check_results=[check_result(check) for check in result.checks])


@contextmanager
def _hold_lease(lake: Lake, request: StepRequest) -> Generator[None]:
    """Hold the lease on the table. After a takeover its content is uncertain, so the next step must compute it.

    Raises:
        LeaseError: see `hold_lease`.
    """
    try:
        with hold_lease(lake.store, request.table, request.run_id):
            yield
    except LeaseUnavailableError:
        raise
    except LeaseError:
        with suppress(FileNotFoundError):
            lake.store.delete(f"{request.table}/{last_step.NAME}")
        raise


def _run(context: dg.AssetExecutionContext, lake: Lake, engine: Engine, request: StepRequest) -> StepResult:
    """Run the step. If it fails because of an unreadable table, the error names the table and the remedy."""
    try:
        return engine.run(context, request)
    except OutageError:
        raise
    except Exception as error:
        if explanation := explain_failure(lake, request, error):
            raise explanation from error
        raise


def _totals(result: StepResult) -> dict[str, Any]:
    counts = result.rows.figures() | result.files.figures()
    return {"seconds": result.seconds, **{name: value for name, value in counts.items() if value}}
