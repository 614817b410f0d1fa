"""The steps: each is a function of its request and reads nothing else."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from pyspark.sql import SparkSession

from spark_steps.declarations import Layer
from spark_steps.delta_log import accept_commit
from spark_steps.maintenance import maintain
from spark_steps.protocol import Progress, StepRequest, StepResult, ignore_progress
from spark_steps.steps import last_step, raw, refined, trusted
from spark_steps.steps.memory import MEMORY, is_shortage
from spark_steps.steps.tables import StepTables

_log = logging.getLogger(__name__)

_STEPS: dict[Layer, Callable[[SparkSession, StepRequest, StepTables, Progress], StepResult]] = {
    Layer.RAW: raw.load,
    Layer.TRUSTED: trusted.load,
    Layer.REFINED: refined.load,
}


def run_step(
    spark: SparkSession,
    request: StepRequest,
    on_progress: Progress = ignore_progress,
    *,
    before_commit: Callable[[], None] = accept_commit,
) -> StepResult:
    """Run the step that writes `request.output`, and maintain the tables that it has changed.

    Args:
        spark: the session; its time zone must be UTC.
        request: all inputs of the step.
        on_progress: called with what a step of many rows is doing, and if a step waits for memory or is repeated.
        before_commit: called before each commit to a table; an error of it prevents the commit and ends the step.

    Returns:
        What the step did; its `seconds` are wall time, without waits for memory. Except for these, maintenance does not
        count. Nothing is done if the inputs have not changed since the table's last step.

    Raises:
        StepError: the step failed and the table was not changed. A trusted step may have committed its quarantine; a
            rerun repairs that.
        ValueError: the request lacks something that every step of its layer needs.
    """
    started, seconds_waited = time.perf_counter(), 0.0
    layer, tables = request.output.declaration.layer, StepTables.open(request, before_commit)
    # Raw compares files, not versions: the landed ones are not in a table.
    last = last_step.read(request) if layer is not Layer.RAW else None
    result = last.repeat(request, tables) if last and not request.recompute else None
    if result is None:
        # An earlier release kept no former values, so a refined table is computed as a whole after it.
        to_run = replace(request, window=None) if layer is Layer.REFINED and last is None else request
        result, tables, seconds_waited = _compute(spark, to_run, tables, on_progress)
        _maintain(tables, result)
        if layer is not Layer.RAW:
            _keep(request, tables, result)
    return replace(result, seconds=round(time.perf_counter() - started - seconds_waited, 3))


def _compute(
    spark: SparkSession, request: StepRequest, tables: StepTables, on_progress: Progress
) -> tuple[StepResult, StepTables, float]:
    """Compute the step, within the engine's memory if the request limits it.

    A large step runs alone. Another one is repeated alone if the memory does not suffice beside other steps.

    Returns:
        What the step did, its tables as it has opened them, and the seconds that it waited for memory.
    """
    compute = _STEPS[request.output.declaration.layer]
    if not request.limits_memory:
        return compute(spark, request, tables, on_progress), tables, 0
    seconds_before = 0.0
    if not _is_large(request, tables):
        with MEMORY.share(on_progress) as seconds_before:
            try:
                return compute(spark, request, tables, on_progress), tables, seconds_before
            except Exception as error:
                if not is_shortage(error):
                    raise
                _log.info("%s lacks memory beside other steps: %s", request.table, error)
        on_progress("the memory does not suffice beside other steps: repeating the step alone")
        tables = StepTables.open(request, tables.output.before_commit)  # the first attempt may have committed
    with MEMORY.take(on_progress) as seconds:
        return compute(spark, request, tables, on_progress), tables, seconds_before + seconds


def _is_large(request: StepRequest, tables: StepTables) -> bool:
    """Whether the step may need most of the memory."""
    layer = request.output.declaration.layer
    if layer is Layer.RAW:
        return raw.is_large(request.files)
    return tables.are_large(request.window if layer is Layer.TRUSTED else None)


def _maintain(tables: StepTables, result: StepResult) -> None:
    """Maintain the changed tables. A failure is logged: the step has succeeded, and its next commit repeats this."""
    changed = [tables.output] if result.version_after != result.version_before else []
    if tables.quarantine and result.rows.quarantined:
        changed.append(tables.quarantine)
    for table in changed:
        try:
            maintain(table)
        except Exception as error:  # noqa: BLE001 - delta-rs has no common class
            _log.warning("%s has many small files or commits, and its maintenance failed: %s", table.handle.id, error)


def _keep(request: StepRequest, tables: StepTables, result: StepResult) -> None:
    """Keep the step as the table's last one. A failure is logged: the next step is computed, a refined one whole."""
    try:
        last_step.keep(request, tables, result)
    except OSError as error:
        _log.warning("%s: the last step cannot be stored, so the next one is computed: %s", request.table, error)
