"""The whole lineage on one dump: each engine through Dagster, a rerun of the same delivery, and the baseline.

All get the same delivery on the same machine, one after the other, each in a fresh process with a fresh lake.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import deltalake
import pyarrow as pa

from bench.errors import BenchError
from bench.measure import Measurement, measure
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import StepRecord
from olist_assets.operations.diff import differences
from spark_steps import delta
from spark_steps.declarations import Layer
from spark_steps.protocol import TableHandle
from spark_steps.tables import TABLES, tables_in

LAYERS = ("landzone", "raw", "trusted", "refined")
_REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Time, memory and storage of one command.

    Attributes:
        layers: seconds of work by layer: what the steps themselves took.
        parts: the command's seconds from start to end, part by part; `work` is all layers.
        wall: seconds from start to end, the sum of the parts.
        cpu: CPU seconds of all its processes.
        peak_process: the peak memory of its largest process in bytes.
        peak_tree: the peak memory of all its processes together in bytes.
        files: data files that it added to Delta tables.
        bytes: bytes of these files.
        steps: seconds of work by table; empty for the baseline, which works on several at a time.
    """

    layers: dict[str, float]
    parts: dict[str, float]
    wall: float
    cpu: float
    peak_process: int
    peak_tree: int
    files: int
    bytes: int
    steps: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The scenario's figures: the fastest of several runs, by wall time.

    Attributes:
        dump: the dump's name.
        orders: its number of orders.
        csv_bytes: the size of its files.
        runs: how often each was run.
        baseline: the baseline.
        engines: each engine's first load of the delivery.
        reruns: each engine's second run for the same delivery, which changes no table's content.
        equal: the tables of each engine that equal the baseline's.
    """

    dump: str
    orders: int
    csv_bytes: int
    runs: int
    baseline: Figures
    engines: dict[str, Figures]
    reruns: dict[str, Figures]
    equal: tuple[str, ...]


def run(
    name: str, dump: Path, engines: Sequence[str], *, runs: int, workspace: Path, progress: Callable[[str], None]
) -> Result:
    """Run the benchmark on a dump.

    Args:
        name: what the dump is called.
        dump: a folder of nine Olist files.
        engines: the engines' names, as `olist run --engine` takes them.
        runs: how often each is run; they take turns.
        workspace: an empty folder for lakes.
        progress: called with a line for each command that has ended.

    Raises:
        BenchError: a command failed, or a refined table of an engine differs from the baseline's.
    """
    source, baseline_lake = workspace / "source", workspace / "baseline"
    olist(["deliver", str(dump)], {"OLIST_SOURCE": str(source)}, workspace)
    [delivery] = source.iterdir()
    baselines: list[Figures] = []
    firsts: dict[str, list[Figures]] = {engine: [] for engine in engines}
    reruns: dict[str, list[Figures]] = {engine: [] for engine in engines}
    for _ in range(runs):
        shutil.rmtree(baseline_lake, ignore_errors=True)
        baselines.append(_baseline(delivery, baseline_lake))
        progress(_line(name, "baseline", baselines[-1]))
        for engine in engines:
            with Lakehouse(engine, source, workspace / engine) as lakehouse:
                firsts[engine].append(lakehouse.load())
                progress(_line(name, engine, firsts[engine][-1]))
                equal = _verify_equal(engine, baseline_lake, lakehouse.lake)
                progress(f"{name}: {len(equal)} refined tables of {engine} equal the baseline's")
                reruns[engine].append(lakehouse.load("--day", delivery.name))
                progress(_line(name, f"{engine} again", reruns[engine][-1]))
    return Result(
        dump=name,
        orders=delta.row_count(TableHandle("refined/fact_orders", str(baseline_lake / "refined" / "fact_orders"))),
        csv_bytes=sum(path.stat().st_size for path in delivery.iterdir()),
        runs=runs,
        baseline=_fastest(baselines),
        engines={engine: _fastest(figures) for engine, figures in firsts.items()},
        reruns={engine: _fastest(figures) for engine, figures in reruns.items()},
        equal=tuple(table.id for table in tables_in(Layer.REFINED)),
    )


# --- The baseline --------------------------------------------------------------------------------------------------


def _baseline(delivery: Path, lake: Path) -> Figures:
    command = [sys.executable, "-m", "bench.baseline", str(delivery), str(lake), "--day", delivery.name]
    took = measure(command, environment=_environment({}), folder=_REPOSITORY)
    layers: dict[str, float] = json.loads(took.output)
    files = [_files(lake / table_id) for table_id in TABLES]
    work = sum(layers.values())
    return Figures(
        layers=layers,
        parts={"start-up": took.wall - work, "work": work},
        wall=took.wall,
        cpu=took.cpu,
        peak_process=took.peak_process,
        peak_tree=took.peak_tree,
        files=sum(len(sizes) for sizes in files),
        bytes=sum(sum(sizes) for sizes in files),
    )


def _files(table: Path) -> list[int]:
    """The sizes of a table's data files."""
    return pa.table(deltalake.DeltaTable(table).get_add_actions(flatten=True)).column("size_bytes").to_pylist()


# --- The product ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a run: its start (seconds since 1970), its seconds from start to end, and those of its own work."""

    table: str
    started: float
    seconds: float
    work: float
    files: int
    bytes: int


@dataclass(frozen=True)
class Lakehouse:
    """The product with a lake and a Dagster instance of its own, which the `with` block ends."""

    engine: str
    source: Path
    root: Path

    def __enter__(self) -> Self:
        self.root.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.root)

    @property
    def lake(self) -> Path:
        """The root of its lake."""
        return self.root / "lake"

    @property
    def home(self) -> Path:
        """The folder of its Dagster instance."""
        return self.root / "dagster"

    def load(self, *options: str) -> Figures:
        """Run `olist run`."""
        took, records = self.run(*options)
        return build_figures(took, [_step(record) for record in records])

    def run(self, *options: str) -> tuple[Measurement, list[StepRecord]]:
        """Run `olist run` on the layers, and return its step records in the order in which the steps ran."""
        layers = [word for layer in LAYERS for word in ("--select", layer)]  # the baseline serves nothing
        settings = {
            "OLIST_SOURCE": str(self.source),
            "OLIST_LAKE": str(self.lake),
            "DAGSTER_HOME": str(self.home),
        }
        before = self._run_ids()
        took = olist(["run", "--engine", self.engine, *layers, *options], settings, self.root)
        [run_id] = self._run_ids() - before
        return took, [record for record in self._records() if record.run_id == run_id]

    def _run_ids(self) -> set[str]:
        return {record.run_id for record in self._records()}

    def _records(self) -> list[StepRecord]:
        return Lake(str(self.lake)).step_records.read_all()


def _step(record: StepRecord) -> Step:
    return Step(
        table=record.table,
        started=record.started_at.timestamp(),
        seconds=record.total_seconds or 0,
        work=record.seconds or 0,
        files=record.files_added or 0,
        bytes=record.bytes_added or 0,
    )


def build_figures(took: Measurement, steps: list[Step]) -> Figures:
    """A run's figures, from its process and its steps in the order in which they ran, one after the other."""
    layers = {layer: sum(s.work for s in steps if s.table.startswith(f"{layer}/")) for layer in LAYERS}
    first, last = steps[0], steps[-1]
    over = last.started + last.seconds
    # What a step takes beyond its own work: the first on the engine starts it, the others open handles.
    beside = [step.seconds - step.work for step in steps if not step.table.startswith("landzone/")]
    start, work, controlled = first.started - took.started, sum(s.work for s in steps), sum(s.seconds for s in steps)
    return Figures(
        layers=layers,
        parts={
            "start-up": start,
            "engine start": beside[0],
            "work": work,
            "around steps": sum(beside[1:]),
            "between steps": over - first.started - controlled,
            "end": took.started + took.wall - over,
        },
        wall=took.wall,
        cpu=took.cpu,
        peak_process=took.peak_process,
        peak_tree=took.peak_tree,
        files=sum(step.files for step in steps),
        bytes=sum(step.bytes for step in steps),
        steps={step.table: step.work for step in steps},
    )


def _verify_equal(engine: str, baseline: Path, lake: Path) -> tuple[str, ...]:
    """Check that the refined tables of the engine equal the baseline's, and return their ids.

    Raises:
        BenchError: tables differ; the message lists the differences.
    """
    tables = tables_in(Layer.REFINED)
    lines = [line for table in tables for line in differences(table, baseline, lake)]
    if lines:
        raise BenchError(f"the tables of {engine} differ from the baseline's: {'; '.join(lines)}")
    return tuple(table.id for table in tables)


def olist(arguments: Sequence[str], settings: Mapping[str, str], folder: Path) -> Measurement:
    """Run an `olist` command in a process of its own, in this folder."""
    return measure(
        [sys.executable, "-m", "olist_assets", *arguments], environment=_environment(settings), folder=folder
    )


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without its own settings of the product, and with these."""
    others = {k: v for k, v in os.environ.items() if not k.startswith("OLIST_") and k != "DAGSTER_HOME"}
    return {**others, **settings}


def _fastest(figures: Sequence[Figures]) -> Figures:
    return min(figures, key=lambda f: f.wall)


def _line(dump: str, what: str, figures: Figures) -> str:
    layers = ", ".join(f"{layer} {seconds:.1f}" for layer, seconds in figures.layers.items())
    return f"{dump}: {what}: {figures.wall:.1f} s, of which work {figures.parts['work']:.1f} s ({layers})"
