"""The worker of a run from the command line, as spark-submit starts it.

python -m spark_steps --requests URI
"""

import argparse

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
        session.conf.set("spark.sql.session.timeZone", "UTC")
        session.sparkContext.setLocalProperty("spark.scheduler.pool", table)  # of this thread
        return session

    try:
        Worker(options.requests, open_session, slots=options.slots, idle_seconds=options.idle_seconds).run()
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
