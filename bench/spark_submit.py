"""One spark-submit per table: each table of the lineage is overwritten by a Spark application of its own, in turn.

The applications have the same jars and Spark properties as the engine `spark`. They keep no history, except that of
Delta Lake, and have no quarantine, no increments and no orchestration.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import REPOSITORY, Contender, Figures, data_files, environment
from bench.measure import Measurement, measure
from olist_assets.engines.local.jars import delta_jars, find
from olist_assets.engines.local.java import require_java
from olist_assets.engines.local.spark import PROPERTIES
from spark_steps.declarations import Layer
from spark_steps.tables import tables_in

_JOB = Path(__file__).with_name("spark_submit_job.py")
_LAYERS = (Layer.RAW, Layer.TRUSTED, Layer.REFINED)


@dataclass(frozen=True)
class SparkSubmits(Contender):
    """The applications with a lake of their own.

    Attributes:
        delivery: the folder of the delivered files.
        root: the folder of the lake.
        tables: the ids of the tables that they write, each after those that it reads.
    """

    delivery: Path
    root: Path
    tables: tuple[str, ...] = tuple(table.id for layer in _LAYERS for table in tables_in(layer))

    def prepare(self) -> None:
        """Check Java, and find or fetch the jars."""
        require_java()
        find(delta_jars())

    @property
    def versions(self) -> dict[str, str]:
        """The version of Java. Those of Spark and Delta Lake are the engine's."""
        return {"java": str(require_java())}

    def load(self) -> Figures:
        """Submit the application of each table. A second load would be the same."""
        took = {
            table: submit(_JOB, table, str(self.delivery), str(self.lake), folder=self.root) for table in self.tables
        }
        work = {table: float(measurement.output) for table, measurement in took.items()}
        wall = sum(measurement.wall for measurement in took.values())
        files = [size for table in self.tables for size in data_files(self.lake / table)]
        return Figures(
            layers={layer: sum(s for table, s in work.items() if table.startswith(f"{layer}/")) for layer in _LAYERS},
            parts={"engine start": wall - sum(work.values()), "work": sum(work.values())},
            wall=wall,
            cpu=sum(measurement.cpu for measurement in took.values()),
            peak_process=max(measurement.peak_process for measurement in took.values()),
            peak_tree=max(measurement.peak_tree for measurement in took.values()),
            files=len(files),
            bytes=sum(files),
            steps=work,
        )


def submit(application: Path, *arguments: str, folder: Path) -> Measurement:
    """Run a Spark application with the properties and jars of the engine `spark`.

    Raises:
        BenchError: it failed.
    """
    properties = PROPERTIES | {"spark.jars": ",".join(map(str, find(delta_jars()))), "spark.app.name": application.stem}
    confs = [word for name, value in properties.items() for word in ("--conf", f"{name}={value}")]
    return measure(
        [str(Path(sys.executable).with_name("spark-submit")), *confs, str(application), *arguments],
        environment=environment(
            {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(REPOSITORY), "SPARK_LOCAL_IP": "127.0.0.1"}
        ),
        folder=folder,
    )
