"""Local Spark: Spark and Delta Lake on this machine's JVM, started when the first step asks for it."""

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import dagster as dg
from pydantic import Field, PrivateAttr
from pyspark.conf import SparkConf
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from olist_assets.engines.base import LocalEngine
from olist_assets.engines.local.jars import default_folder, delta_jars, find, s3_jars
from olist_assets.engines.local.java import require_java
from olist_assets.engines.spark_properties import SPARK, s3_properties
from olist_assets.errors import OlistError

PROPERTIES = {
    "spark.master": "local[*]",
    "spark.app.name": "olist",
    **SPARK,
    # For a lake of one machine: the defaults, 200 and 50, are a cluster's.
    "spark.sql.shuffle.partitions": str(os.cpu_count() or 2),
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "spark-warehouse"),  # else a folder where one stands
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
"""What local Spark is started with, beside the jars."""


class SparkEngine(LocalEngine):
    """Runs steps on local Spark. A session that a run has started ends with it.

    Attributes:
        jars_folder: where Delta's jars are looked for first, and put if they have to be fetched.
        on_s3: whether tables or files lie on S3.
        properties: Spark properties beside, or in place of, those of `PROPERTIES`.
    """

    jars_folder: str = str(default_folder())
    on_s3: bool = False
    properties: Mapping[str, str] = Field(default_factory=dict)
    _started: SparkSession | None = PrivateAttr(default=None)

    @property
    def name(self) -> str:
        """As in OLIST_ENGINE."""
        return "spark"

    def prepare(self, on_progress: Callable[[str], None] = lambda _: None) -> None:
        """See that Java and the jars are there; jars are fetched.

        Raises:
            OlistError: Java is missing or of a wrong version, or a jar cannot be fetched.
        """
        self._jars(on_progress)

    def session(self, on_progress: Callable[[str], None] = lambda _: None) -> SparkSession:
        """The session on this process's JVM."""
        os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)  # a Sail session in this process has set it
        running = SparkSession.getActiveSession()
        if running is None:
            self._started = running = self._start(on_progress)
        return running

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - the contract
        """Stop the session if this engine has started it."""
        if self._started is not None:
            self._started.stop()
            self._started = None

    def _jars(self, on_progress: Callable[[str], None]) -> list[Path]:
        require_java()
        jars = (*delta_jars(), *(s3_jars() if self.on_s3 else ()))
        return find(jars, folder=Path(self.jars_folder), on_progress=on_progress)

    def _start(self, on_progress: Callable[[str], None]) -> SparkSession:
        from dagster_pyspark import LazyPySparkResource  # noqa: PLC0415 - costs a second

        jars = self._jars(on_progress)
        on_progress("starting Spark on the JVM")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # Spark's Python workers need this environment
        # Spark is for this process alone. It would look up the machine's own name, which may have no address.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        properties = PROPERTIES | (s3_properties() if self.on_s3 else {})
        properties |= {"spark.jars": ",".join(map(str, jars)), **self.properties}
        try:
            spark: SparkSession = LazyPySparkResource(spark_config=properties).spark_session
        except PySparkRuntimeError as error:
            if error.getCondition() != "JAVA_GATEWAY_EXITED":
                raise
            raise OlistError(f"local Spark does not start: {_jvm_failure(properties)}") from error
        spark.sparkContext.setLogLevel("ERROR")
        return spark


def _jvm_failure(properties: Mapping[str, str]) -> str:
    """What the JVM says when it ends instead of serving: the innermost cause."""
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415 - of use in an error only

    with tempfile.TemporaryFile("w+") as said:
        with suppress(PySparkRuntimeError):  # as before; now its words are kept
            launch_gateway(SparkConf(loadDefaults=False).setAll(list(properties.items())), {"stderr": said}).shutdown()
        said.seek(0)
        causes = [line.strip() for line in said if line.startswith(("Caused by: ", "Exception in thread", "Error: "))]
    return causes[-1] if causes else "its JVM ended without a word; try again"
