"""Local Spark: Spark and Delta Lake on this machine's JVM. The first step of a process starts it."""

import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock

import dagster as dg
from pydantic import Field, PrivateAttr
from pyspark import SparkContext
from pyspark.conf import SparkConf
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from olist_assets.engines.base import LocalEngine
from olist_assets.engines.local.jars import default_folder, delta_jars, find, s3_jars
from olist_assets.engines.local.java import require_java
from olist_assets.engines.spark_properties import SPARK, s3_properties
from olist_assets.errors import EngineError
from spark_steps.protocol import Progress, ignore_progress

PROPERTIES = {
    "spark.master": "local[*]",
    "spark.app.name": "olist",
    **SPARK,
    # The defaults, 200 and 50, are for clusters.
    "spark.sql.shuffle.partitions": str(os.cpu_count() or 2),
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "spark-warehouse"),  # else in the working directory
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
"""Properties of local Spark, except for the jars."""


_starting = Lock()
"""Locked while a thread starts the session, so that steps of several threads share one."""


class SparkEngine(LocalEngine):
    """Runs steps on local Spark. A session that a run has started ends with the run.

    Attributes:
        jars_folder: folder that is searched for jars first, and that missing jars are fetched into.
        on_s3: whether tables or files are on S3.
        properties: Spark properties in addition to `PROPERTIES`; they take precedence.
    """

    jars_folder: str = str(default_folder())
    on_s3: bool = False
    properties: Mapping[str, str] = Field(default_factory=dict)
    _started: SparkSession | None = PrivateAttr(default=None)

    @property
    def name(self) -> str:
        """The name in OLIST_ENGINE."""
        return "spark"

    def prepare(self, on_progress: Progress = ignore_progress) -> None:
        """Check Java, and find or fetch the jars.

        Raises:
            OlistError: Java is missing or has a version that Spark does not support, or a jar cannot be fetched.
        """
        self._jars(on_progress)

    def session(self, on_progress: Progress = ignore_progress) -> SparkSession:
        """The session on this process's JVM.

        Raises:
            EngineError: the JVM does not start.
            OlistError: as `prepare` does.
        """
        os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)  # set by a Sail session in this process
        with _starting:
            with suppress(PySparkRuntimeError):  # no session is active in this process
                return SparkSession.active()
            self._started = self._start(on_progress)
            return self._started

    def stop_queries(self) -> None:
        """Let the running queries fail."""
        if context := SparkContext._active_spark_context:  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
            context.cancelAllJobs()

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - the contract
        """Stop the session if this engine started it."""
        if self._started is not None:
            self._started.stop()
            self._started = None

    def _jars(self, on_progress: Progress) -> list[Path]:
        require_java()
        jars = (*delta_jars(), *(s3_jars() if self.on_s3 else ()))
        return find(jars, folder=Path(self.jars_folder), on_progress=on_progress)

    def _start(self, on_progress: Progress) -> SparkSession:
        from dagster_pyspark import LazyPySparkResource  # noqa: PLC0415 - costs a second

        jars = self._jars(on_progress)
        on_progress("starting Spark on the JVM")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # Spark's Python workers need this environment
        # Otherwise Spark looks up the machine's own name, which may have no address.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        properties = PROPERTIES | (s3_properties() if self.on_s3 else {})
        properties |= {"spark.jars": ",".join(map(str, jars)), **self.properties}
        try:
            spark: SparkSession = LazyPySparkResource(spark_config=properties).spark_session
        except PySparkRuntimeError as error:
            if error.getCondition() != "JAVA_GATEWAY_EXITED":
                raise
            raise EngineError(f"local Spark does not start: {_jvm_failure(properties)}") from error
        spark.sparkContext.setLogLevel("ERROR")
        return spark


def _jvm_failure(properties: Mapping[str, str]) -> str:
    """The innermost cause that the JVM prints when it does not start. Starts it once more to read its output."""
    # Used in an error only. Its parameters are not annotated.
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415 # pyright: ignore[reportUnknownVariableType]

    with tempfile.TemporaryFile("w+") as output:
        with suppress(PySparkRuntimeError):  # the same failure, now with its output
            launch_gateway(
                SparkConf(loadDefaults=False).setAll(list(properties.items())), {"stderr": output}
            ).shutdown()
        output.seek(0)
        causes = [line.strip() for line in output if line.startswith(("Caused by: ", "Exception in thread", "Error: "))]
    return causes[-1] if causes else "the JVM exited without output; try again"
