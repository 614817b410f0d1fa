"""The dbt project in `dbt_project`: the same tables in a DuckDB database, by dbt-duckdb.

dbt runs in an environment of its own, which uv creates from `requirements.txt`. dbt-duckdb replaces the tables in one
file of DuckDB: they have no history and no quarantine, and a text that cannot be cast ends the run.
"""

import json
import os
import re
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
from deltalake import write_deltalake

from bench.baseline import arrow_schema
from bench.contenders import REPOSITORY, Contender, Figures, environment
from bench.measure import Measurement, measure
from spark_steps.declarations import Layer
from spark_steps.tables import tables_in

_PROJECT = Path(__file__).with_name("dbt_project")
_REQUIREMENTS = _PROJECT / "requirements.txt"
_UV = Path(sys.executable).with_name("uv")
_COMMAND = (
    *(str(_UV), "tool", "run", "--quiet", "--python", sys.executable),
    *("--with-requirements", str(_REQUIREMENTS), "--from", "dbt-core"),
)


@dataclass(frozen=True)
class DbtProject(Contender):
    """The dbt project with a database of its own.

    Attributes:
        delivery: the folder of the delivered files.
        root: the folder of the database.
    """

    delivery: Path
    root: Path

    def prepare(self) -> None:
        """Create the environment of dbt, or find it in uv's cache."""
        measure([*_COMMAND, "--compile-bytecode", "python", "-c", ""], environment=environment({}), folder=REPOSITORY)

    @property
    def versions(self) -> dict[str, str]:
        """The versions of dbt and of its DuckDB, which `requirements.txt` pins."""
        pins = dict(re.findall(r"^([\w-]+)==(\S+)", _REQUIREMENTS.read_text(), re.MULTILINE))
        return {package: pins[package] for package in ("dbt-core", "dbt-duckdb", "duckdb")}

    def load(self) -> Figures:
        """Run `dbt build`, which writes and tests all tables; then export the refined tables, which is not measured."""
        figures = self._build()
        self._export()
        return figures

    def load_again(self) -> Figures:
        """Run `dbt build` again. It replaces all tables."""
        return self._build()

    @property
    def _database(self) -> Path:
        return self.root / "dbt.duckdb"

    def _build(self) -> Figures:
        target = self.root / "target"
        options = {"--project-dir": _PROJECT, "--profiles-dir": _PROJECT, "--target-path": target}
        command = [*_COMMAND, "--offline", "dbt", "--log-path", str(self.root / "logs"), "--no-version-check", "build"]
        settings = {
            "BENCH_DELIVERY": str(self.delivery),
            "BENCH_DUCKDB": str(self._database),
            "BENCH_THREADS": str(os.cpu_count() or 1),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        command += [str(word) for option in options.items() for word in option]
        took = measure(command, environment=environment(settings), folder=self.root)
        return _figures(took, json.loads((target / "run_results.json").read_text())["results"], self._database)

    def _export(self) -> None:
        """Write the refined tables as Delta tables in the declared types, so that they can be compared."""
        with duckdb.connect(self._database, read_only=True) as duck:
            for table in tables_in(Layer.REFINED):
                query = f"SELECT {', '.join(table.column_names)} FROM {table.layer}.{table.name}"
                write_deltalake(self.lake / table.id, duck.execute(query).to_arrow_table().cast(arrow_schema(table)))


def _figures(took: Measurement, results: list[dict], database: Path) -> Figures:
    """A build's figures. Models and tests run on several threads, so layers overlap."""
    times = [timing for result in results for timing in result["timing"]]
    first = min(datetime.fromisoformat(timing["started_at"]).timestamp() for timing in times)
    last = max(datetime.fromisoformat(timing["completed_at"]).timestamp() for timing in times)
    return Figures(
        layers={},
        parts={"start-up": first - took.started, "work": last - first, "end": took.started + took.wall - last},
        wall=took.wall,
        cpu=took.cpu,
        peak_process=took.peak_process,
        peak_tree=took.peak_tree,
        files=1,
        bytes=database.stat().st_size,
        steps={r["unique_id"]: r["execution_time"] for r in results if r["unique_id"].startswith("model.")},
    )
