"""Running a step: a step is a function of its request, and the request is all that it gets."""

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
    """Run the step that writes `request.output`, and say what it did.

    The session's time zone must be UTC.

    Raises:
        StepError: the step cannot be done; nothing of it was committed.
    """
    started = time.perf_counter()
    result = _STEPS[request.output.declaration.layer](spark, request)
    return replace(result, seconds=round(time.perf_counter() - started, 3))
