"""Run one step from the command line, as spark-submit does: read a request as JSON, write its result or its error.

python -m spark_steps --request URI --result URI
"""

import argparse
import sys

from pyspark.sql import SparkSession

from spark_steps import filesystems
from spark_steps.protocol import StepError, StepRequest
from spark_steps.steps import run_step


def main(arguments: list[str] | None = None) -> int:
    """Read the request, run its step in the session that Spark provides, write the result.

    Returns:
        The exit code: 0, or 1 after a StepError, which is written in place of the result and to standard error.
    """
    parser = argparse.ArgumentParser(prog="python -m spark_steps", description="Run one step of the lakehouse.")
    parser.add_argument("--request", required=True, help="path or URI of the request (JSON)")
    parser.add_argument("--result", required=True, help="path or URI for the result (JSON)")
    options = parser.parse_args(arguments)
    request = StepRequest.from_json(_read(options.request))
    spark = SparkSession.builder.appName(request.table).getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    try:
        result = run_step(spark, request)
    except StepError as error:
        _write(options.result, error.to_json())
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - EMR shows the driver's standard error
        return 1
    _write(options.result, result.to_json())
    return 0


def _read(uri: str) -> str:
    filesystem, path = filesystems.resolve(uri)
    with filesystem.open_input_stream(path) as stream:
        return stream.read().decode()


def _write(uri: str, text: str) -> None:
    filesystem, path = filesystems.resolve(uri)
    with filesystem.open_output_stream(path) as stream:
        stream.write(text.encode())


if __name__ == "__main__":
    sys.exit(main())
