"""Results of a benchmark, as JSON for programs and as Markdown for people."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.contenders import LAYERS
from bench.full_load import Result

_PACKAGES = ("dagster", "pysail", "pyspark", "delta-spark", "deltalake", "duckdb", "pyarrow")
_MEGABYTE = 1e6
_NOTHING = "-"
_PARTS = {
    "start-up": "start-up: until the first step",
    "engine start": "engine start",
    "work": "from the first step to the last, without it",
    "end": "after the last step",
}
_NOTES = """\
*The baseline*: Arrow, DuckDB and delta-rs overwrite the same tables, without landzone, history or orchestration; in
brackets the multiple of it. *dbt*: `dbt build` with dbt-duckdb replaces the same tables in one DuckDB file and tests
their keys and required values, without landzone, quarantine, increments, history or Delta tables. *spark-submit*: one
Spark application per table, in turn, with the properties and jars of the engine spark, without landzone, quarantine,
increments or orchestration; their start is engine start.

*Work* is the time of the steps themselves. Steps of one load run at the same time, so layers overlap. Only the start of
the session counts as engine start: later costs of a cold engine are part of its steps. Memory: the largest process by
the kernel's account (VmHWM); all processes are sampled ten times a second, and shared memory counts for each of them.
Files and bytes are those of the data files that Delta commits added, or of DuckDB's file. The same delivery again: the
baseline and spark-submit would repeat the first load, so its figures are repeated.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine and the day of a benchmark; `load` is the load average of the minute before it."""

    system: str
    cores: int
    memory_bytes: int
    python: str
    versions: Mapping[str, str]
    day: date
    load: float

    @classmethod
    def this(cls, day: date) -> "Machine":
        """This machine with its installed packages."""
        return cls(
            system=f"{platform.system()} {platform.machine()}",
            cores=os.cpu_count() or 1,
            memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            python=platform.python_version(),
            versions={package: version(package) for package in _PACKAGES},
            day=day,
            load=round(os.getloadavg()[0], 1),
        )

    def __str__(self) -> str:
        packages = _packages(self.versions)
        return (
            f"{self.system}, {self.cores} cores, {self.memory_bytes / (1 << 30):.0f} GiB; Python {self.python}, "
            f"{packages}; {self.day}; load {self.load} before it began"
        )


def write(result: Result, machine: Machine, folder: Path) -> list[Path]:
    """Write a result as `<dump>.json` and `<dump>.md`; returns their paths."""
    content = {"machine": asdict(machine), "lineage": asdict(result)}
    write_page(folder, result.dump, content, markdown(result, machine))
    return [folder / f"{result.dump}.json", folder / f"{result.dump}.md"]


def markdown(result: Result, machine: Machine) -> str:
    """The result as a page of Markdown: a table whose columns are the baseline, the engines and the competitors."""
    tools = "".join(f"{name}: {_packages(versions)}; " for name, versions in result.tools.items())
    tables = f"The {len(result.equal)} refined tables of each column equal the baseline's in every row"
    lines = [
        f"# {result.dump}: {result.orders:,} orders, {result.csv_bytes / _MEGABYTE:,.0f} MB of CSV",
        "",
        f"{machine}; {tools}{describe_runs(result.runs)}. {tables}.",
        "",
        *table(["", "baseline", *result.loads], _rows(result)),
        "",
        _NOTES,
    ]
    return "\n".join(lines)


def page(title: str, introduction: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A page of Markdown with one table."""
    return "\n".join([f"# {title}", "", introduction, "", *table(heads, rows), ""])


def write_page(folder: Path, name: str, content: Mapping[str, Any], text: str) -> None:
    """Write a result as `<name>.json` and its page as `<name>.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1, default=str) + "\n")
    (folder / f"{name}.md").write_text(text)


def describe_runs(runs: int) -> str:
    """How many runs the figures come from."""
    return "one run of each" if runs == 1 else f"the fastest of {runs} runs of each"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown, numbers to the right; short rows are filled up."""
    cells = [heads, ["---", *["--:"] * (len(heads) - 1)], *([*row, *[""] * (len(heads) - len(row))] for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]


def with_multiples(values: Sequence[float | None], form: str = "{:,.2f}") -> list[str]:
    """The values as text; those after the first with their multiple of the first."""
    first, *others = values
    return [_text(first, form), *(_text(value, form) + _multiple(value, first) for value in others)]


def log(line: str) -> None:
    """Write a line of progress to standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _rows(result: Result) -> list[tuple[str, ...]]:
    firsts = [result.baseline, *result.loads.values()]
    agains = [result.baseline, *(result.reruns.get(name, load) for name, load in result.loads.items())]
    return [
        ("**Seconds of work**",),
        *((layer, *with_multiples([f.layers.get(layer) for f in firsts])) for layer in LAYERS),
        ("all layers", *with_multiples([f.parts["work"] for f in firsts])),
        ("**Seconds of the command**",),
        *((label, *with_multiples([f.parts.get(part) for f in firsts])) for part, label in _PARTS.items()),
        ("from start to end", *with_multiples([f.wall for f in firsts])),
        ("of CPU", *with_multiples([f.cpu for f in firsts])),
        ("**Memory and storage**",),
        ("MB of the largest process", *with_multiples([f.peak_process / _MEGABYTE for f in firsts], "{:,.0f}")),
        ("MB of all processes", *with_multiples([f.peak_tree / _MEGABYTE for f in firsts], "{:,.0f}")),
        ("data files written", *with_multiples([f.files for f in firsts], "{:,.0f}")),
        ("MB of data files", *with_multiples([f.bytes / _MEGABYTE for f in firsts], "{:,.1f}")),
        ("**The same delivery again**",),
        ("seconds of work", *with_multiples([f.parts["work"] for f in agains])),
        ("from start to end", *with_multiples([f.wall for f in agains])),
        ("data files written", *with_multiples([f.files for f in agains], "{:,.0f}")),
    ]


def _packages(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _text(value: float | None, form: str) -> str:
    return _NOTHING if value is None else form.format(value)


def _multiple(value: float | None, first: float | None) -> str:
    return f" ({value / first:.1f}x)" if value is not None and first else ""
