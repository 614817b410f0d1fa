"""A step from a command line, as spark-submit runs it: a request as JSON in, its result or its error as JSON out.

python -m spark_steps --request URI --result URI
"""

import argparse
import sys

import pyarrow.fs
from pyspark.sql import SparkSession

from spark_steps.protocol import StepError, StepRequest
from spark_steps.steps import run_step


def main(arguments: list[str] | None = None) -> int:
    """Read the request, run its step in the session that Spark gives, write the result.

    Returns:
        The exit code: 0, or 1 where the step could not be done: the error stands in place of the result, and on
        standard error.
    """
    parser = argparse.ArgumentParser(prog="python -m spark_steps", description="Run one step of the lakehouse.")
    parser.add_argument("--request", required=True, help="path or URI of the request (JSON)")
    parser.add_argument("--result", required=True, help="path or URI that the result is written to (JSON)")
    options = parser.parse_args(arguments)
    request = StepRequest.from_json(_read(options.request))
    spark = SparkSession.builder.appName(request.table).getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    try:
        result = run_step(spark, request)
    except StepError as error:
        _write(options.result, error.to_json())
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the driver's log is where EMR looks
        return 1
    _write(options.result, result.to_json())
    return 0


def _read(uri: str) -> str:
    filesystem, path = _resolved(uri)
    with filesystem.open_input_stream(path) as stream:
        return stream.read().decode()


def _write(uri: str, text: str) -> None:
    filesystem, path = _resolved(uri)
    with filesystem.open_output_stream(path) as stream:
        stream.write(text.encode())


def _resolved(uri: str) -> tuple[pyarrow.fs.FileSystem, str]:
    return pyarrow.fs.FileSystem.from_uri(uri) if "://" in uri else (pyarrow.fs.LocalFileSystem(), uri)


if __name__ == "__main__":
    sys.exit(main())
