"""The steps: each is a function of its request and reads nothing else."""

import time
from collections.abc import Callable
from dataclasses import replace

from pyspark.sql import SparkSession

from spark_steps.declarations import Layer
from spark_steps.protocol import StepRequest, StepResult
from spark_steps.steps import raw, refined, trusted

_STEPS: dict[Layer, Callable[[SparkSession, StepRequest], StepResult]] = {
    Layer.RAW: raw.load,
    Layer.TRUSTED: trusted.load,
    Layer.REFINED: refined.load,
}


def run_step(spark: SparkSession, request: StepRequest) -> StepResult:
    """Run the step that writes `request.output`.

    Args:
        spark: the session; its time zone must be UTC.
        request: all inputs of the step.

    Returns:
        What the step did; its `seconds` are wall time.

    Raises:
        StepError: the step failed and the table was not changed. A trusted step may have committed its quarantine; a
            rerun repairs that.
        ValueError: the request lacks something that every step of its layer needs.
    """
    started = time.perf_counter()
    result = _STEPS[request.output.declaration.layer](spark, request)
    return replace(result, seconds=round(time.perf_counter() - started, 3))
