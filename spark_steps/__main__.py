"""The worker of a run from the command line, as spark-submit starts it.

python -m spark_steps --requests URI
"""

import argparse
from typing import Any

from pyspark.sql import SparkSession

from spark_steps.worker import Worker


def main(arguments: list[str] | None = None) -> None:
    """Execute the requests in a folder, in the application that Spark provides, until the worker ends."""
    parser = argparse.ArgumentParser(prog="python -m spark_steps", description="Run the steps of the lakehouse.")
    parser.add_argument("--requests", required=True, help="path or URI of the folder with the requests")
    parser.add_argument("--slots", type=int, default=4, help="how many steps run at the same time (%(default)s)")
    parser.add_argument(
        "--idle-seconds", type=float, default=300, help="end after so many seconds without a request (%(default)s)"
    )
    options = parser.parse_args(arguments)
    spark = SparkSession.builder.getOrCreate()

    def open_session(table: str) -> SparkSession:
        session = spark.newSession()
        session.sparkContext.setLocalProperty("spark.scheduler.pool", table)  # of this thread
        return session

    def is_alive() -> bool:
        context: Any = spark.sparkContext
        try:
            return not context._jsc.sc().isStopped()  # noqa: SLF001
        except Exception:  # noqa: BLE001 - there is no JVM any more
            return False

    worker = Worker(
        options.requests, open_session, slots=options.slots, idle_seconds=options.idle_seconds, is_alive=is_alive
    )
    try:
        worker.run()
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
