"""The steps: each is a function of its request and reads nothing else."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from pyspark.sql import SparkSession

from spark_steps.declarations import Layer
from spark_steps.maintenance import maintain
from spark_steps.protocol import StepRequest, StepResult
from spark_steps.steps import raw, refined, trusted

_log = logging.getLogger(__name__)

_STEPS: dict[Layer, Callable[[SparkSession, StepRequest], StepResult]] = {
    Layer.RAW: raw.load,
    Layer.TRUSTED: trusted.load,
    Layer.REFINED: refined.load,
}


def run_step(spark: SparkSession, request: StepRequest) -> StepResult:
    """Run the step that writes `request.output`, and maintain the tables that it has changed.

    Args:
        spark: the session; its time zone must be UTC.
        request: all inputs of the step.

    Returns:
        What the step did; its `seconds` are wall time. Except for these, maintenance does not count.

    Raises:
        StepError: the step failed and the table was not changed. A trusted step may have committed its quarantine; a
            rerun repairs that.
        ValueError: the request lacks something that every step of its layer needs.
    """
    started = time.perf_counter()
    result = _STEPS[request.output.declaration.layer](spark, request)
    _maintain(request, result)
    return replace(result, seconds=round(time.perf_counter() - started, 3))


def _maintain(request: StepRequest, result: StepResult) -> None:
    """Maintain the changed tables. A failure is logged: the step has succeeded, and its next commit repeats this."""
    handles = [request.output] if result.version_after != result.version_before else []
    if request.quarantine and result.rows.quarantined:
        handles.append(request.quarantine)
    for handle in handles:
        try:
            maintain(handle)
        except Exception as error:  # noqa: BLE001 - delta-rs has no common class
            _log.warning("%s has many small files or commits, and its maintenance failed: %s", handle.id, error)
