"""The whole lineage on one dump: the baseline, each engine through Dagster, and each competitor.

All get the same delivery on the same machine, one after the other, each in fresh processes with a fresh lake.
"""

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import LAYERS, REPOSITORY, Contender, Figures, data_files, environment
from bench.dbt import DbtProject
from bench.errors import BenchError
from bench.measure import Measurement, measure
from bench.spark_submit import SparkSubmits
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import StepRecord
from olist_assets.operations.diff import differences
from spark_steps import delta
from spark_steps.declarations import Layer
from spark_steps.protocol import TableHandle
from spark_steps.tables import TABLES, tables_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The scenario's figures: the fastest of several runs, by wall time.

    Attributes:
        dump: the dump's name.
        orders: its number of orders.
        csv_bytes: the size of its files.
        runs: how often each was run.
        baseline: the baseline.
        loads: the first load of each engine and competitor.
        reruns: their second loads of the same delivery, which change no table's content; not of those that would repeat
            the first load.
        equal: the tables of each that equal the baseline's.
        tools: the versions of the tools that only one of them uses.
    """

    dump: str
    orders: int
    csv_bytes: int
    runs: int
    baseline: Figures
    loads: dict[str, Figures]
    reruns: dict[str, Figures]
    equal: tuple[str, ...]
    tools: dict[str, dict[str, str]]


COMPETITORS: Mapping[str, Callable[[Path, Path], Contender]] = {"dbt": DbtProject, "spark-submit": SparkSubmits}
"""What a user would use instead, by its name: made of the folder of a delivery and a folder of its own."""


def run(
    name: str,
    dump: Path,
    engines: Sequence[str],
    competitors: Sequence[str],
    *,
    runs: int,
    workspace: Path,
    progress: Callable[[str], None],
) -> Result:
    """Run the benchmark on a dump.

    Args:
        name: what the dump is called.
        dump: a folder of nine Olist files.
        engines: the engines' names, as `olist run --engine` takes them.
        competitors: names in COMPETITORS.
        runs: how often each is run; they take turns.
        workspace: an empty folder for lakes.
        progress: called with a line for each load that has ended.

    Raises:
        BenchError: a command failed, or a refined table differs from the baseline's.
    """
    source, baseline_lake = workspace / "source", workspace / "baseline"
    olist(["deliver", str(dump)], {"OLIST_SOURCE": str(source)}, workspace)
    [delivery] = source.iterdir()
    contenders: dict[str, Contender] = {engine: Lakehouse(engine, source, workspace / engine) for engine in engines}
    contenders |= {label: COMPETITORS[label](delivery, workspace / label) for label in competitors}
    for contender in contenders.values():
        contender.prepare()
    baselines: list[Figures] = []
    loads: dict[str, list[Figures]] = {contender: [] for contender in contenders}
    reruns: dict[str, list[Figures]] = {contender: [] for contender in contenders}
    for _ in range(runs):
        shutil.rmtree(baseline_lake, ignore_errors=True)
        baselines.append(_baseline(delivery, baseline_lake))
        progress(_line(name, "baseline", baselines[-1]))
        for label, contender in contenders.items():
            with contender:
                loads[label].append(contender.load())
                progress(_line(name, label, loads[label][-1]))
                equal = _verify_equal(label, baseline_lake, contender.lake)
                progress(f"{name}: {len(equal)} refined tables of {label} equal the baseline's")
                if again := contender.load_again():
                    reruns[label].append(again)
                    progress(_line(name, f"{label} again", again))
    return Result(
        dump=name,
        orders=delta.row_count(TableHandle("refined/fact_orders", str(baseline_lake / "refined" / "fact_orders"))),
        csv_bytes=sum(path.stat().st_size for path in delivery.iterdir()),
        runs=runs,
        baseline=_fastest(baselines),
        loads={label: _fastest(figures) for label, figures in loads.items()},
        reruns={label: _fastest(figures) for label, figures in reruns.items() if figures},
        equal=tuple(table.id for table in tables_in(Layer.REFINED)),
        tools={label: contender.versions for label, contender in contenders.items() if contender.versions},
    )


# --- The baseline --------------------------------------------------------------------------------------------------


def _baseline(delivery: Path, lake: Path) -> Figures:
    command = [sys.executable, "-m", "bench.baseline", str(delivery), str(lake), "--day", delivery.name]
    took = measure(command, environment=environment({}), folder=REPOSITORY)
    layers: dict[str, float] = json.loads(took.output)
    files = [data_files(lake / table_id) for table_id in TABLES]
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
class Lakehouse(Contender):
    """The product with a lake and a Dagster instance of its own."""

    engine: str
    source: Path
    root: Path

    @property
    def home(self) -> Path:
        """The folder of its Dagster instance."""
        return self.root / "dagster"

    def load(self) -> Figures:
        """Run `olist run`."""
        return _run_figures(*self.run())

    def load_again(self) -> Figures:
        """Run `olist run` for the days of the source, which are loaded already."""
        days = sorted(path.name for path in self.source.iterdir())
        return _run_figures(*self.run("--from", days[0], "--to", days[-1]))

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


def _run_figures(took: Measurement, records: Sequence[StepRecord]) -> Figures:
    return build_figures(took, [_step(record) for record in records])


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
    """A run's figures, from its process and its steps. Steps overlap, so their seconds may add up to more."""
    layers = {layer: sum(s.work for s in steps if s.table.startswith(f"{layer}/")) for layer in LAYERS}
    first, over = min(step.started for step in steps), max(step.started + step.seconds for step in steps)
    # What the first step on the engine takes beyond its own work is the start of the engine.
    on_engine = min((s for s in steps if not s.table.startswith("landzone/")), key=lambda step: step.started)
    engine_start = on_engine.seconds - on_engine.work
    return Figures(
        layers=layers,
        parts={
            "start-up": first - took.started,
            "engine start": engine_start,
            "work": over - first - engine_start,
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


def _verify_equal(contender: str, baseline: Path, lake: Path) -> tuple[str, ...]:
    """Check that the refined tables of the contender equal the baseline's, and return their ids.

    Raises:
        BenchError: tables differ; the message lists the differences.
    """
    tables = tables_in(Layer.REFINED)
    lines = [line for table in tables for line in differences(table, baseline, lake)]
    if lines:
        raise BenchError(f"the tables of {contender} differ from the baseline's: {'; '.join(lines)}")
    return tuple(table.id for table in tables)


def olist(arguments: Sequence[str], settings: Mapping[str, str], folder: Path) -> Measurement:
    """Run an `olist` command in a process of its own, in this folder."""
    return measure([sys.executable, "-m", "olist_assets", *arguments], environment=environment(settings), folder=folder)


def _fastest(figures: Sequence[Figures]) -> Figures:
    return min(figures, key=lambda f: f.wall)


def _line(dump: str, what: str, figures: Figures) -> str:
    layers = ", ".join(f"{layer} {seconds:.1f}" for layer, seconds in figures.layers.items())
    return f"{dump}: {what}: {figures.wall:.1f} s, of which work {figures.parts['work']:.1f} s ({layers})"
