"""What a bench found, as JSON for programs and as Markdown for people."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from bench.full_load import LAYERS, Result

_PACKAGES = ("dagster", "pysail", "pyspark", "delta-spark", "deltalake", "duckdb", "pyarrow")
_MEGABYTE = 1e6
_NOTHING = "-"
_PARTS = {
    "start-up": "start-up: until the first step",
    "engine start": "engine start",
    "work": "work",
    "around steps": "around steps: handles",
    "between steps": "between steps: Dagster, control objects",
    "end": "after the last step",
}
_NOTES = """\
*The floor*: Arrow, DuckDB and delta-rs overwrite the same tables, without landzone, history or orchestration; in
brackets the multiple of it. *Work* is what the steps themselves took; the rest of a command is Dagster, imports and the
start of the engine, of which only the session is counted as such: what a cold engine costs later is within its steps.
Around steps: the time between an asset's start and end that its step does not know of. Memory: the largest process is
the kernel's own account of it (VmHWM); all processes are looked at ten times a second, and memory that they share
counts for each. Bytes are those of the data files that Delta commits added.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where and when a bench ran; `load` is how many processes wanted a core just before it (of the last minute)."""

    system: str
    cores: int
    memory_bytes: int
    python: str
    versions: Mapping[str, str]
    day: date
    load: float

    @classmethod
    def this(cls, day: date) -> "Machine":
        """This machine, with the packages that are installed."""
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
        packages = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.system}, {self.cores} cores, {self.memory_bytes / (1 << 30):.0f} GiB; Python {self.python}, "
            f"{packages}; {self.day}; load {self.load} before it began"
        )


def write(result: Result, machine: Machine, folder: Path) -> list[Path]:
    """Write a result as `<dump>.json` and `<dump>.md`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {"machine": asdict(machine), "lineage": asdict(result)}
    paths = [folder / f"{result.dump}.json", folder / f"{result.dump}.md"]
    paths[0].write_text(json.dumps(found, indent=1, default=str) + "\n")
    paths[1].write_text(markdown(result, machine))
    return paths


def markdown(result: Result, machine: Machine) -> str:
    """The result as a page of Markdown: a table whose columns are the floor and the engines."""
    tables = f"{len(result.equal)} refined tables of each engine equal the floor's in every row"
    lines = [
        f"# {result.dump}: {result.orders:,} orders, {result.csv_bytes / _MEGABYTE:,.0f} MB of CSV",
        "",
        f"{machine}; {runs_of(result.runs)}. {tables}.",
        "",
        *table(["", "floor", *result.engines], _rows(result)),
        "",
        _NOTES,
    ]
    return "\n".join(lines)


def runs_of(runs: int) -> str:
    """How many runs the figures stand for."""
    return "one run of each" if runs == 1 else f"of {runs} runs of each the quickest"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown, numbers to the right; short rows are filled up."""
    cells = [heads, ["---", *["--:"] * (len(heads) - 1)], *([*row, *[""] * (len(heads) - len(row))] for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]


def compared(values: Sequence[float | None], form: str = "{:,.2f}") -> list[str]:
    """The values as text, those after the first with their multiple of it."""
    first, *others = values
    return [_text(first, form), *(_text(value, form) + _multiple(value, first) for value in others)]


def say(line: str) -> None:
    """Tell how far a bench is."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _rows(result: Result) -> list[tuple[str, ...]]:
    firsts, agains = [result.floor, *result.engines.values()], [result.floor, *result.reruns.values()]
    return [
        ("**Seconds of work**",),
        *((layer, *compared([f.layers.get(layer) for f in firsts])) for layer in LAYERS),
        ("all layers", *compared([f.parts["work"] for f in firsts])),
        ("**Seconds of the command**",),
        *((label, *compared([f.parts.get(part) for f in firsts])) for part, label in _PARTS.items()),
        ("from start to end", *compared([f.wall for f in firsts])),
        ("of CPU", *compared([f.cpu for f in firsts])),
        ("**Memory and storage**",),
        ("MB of the largest process", *compared([f.peak_process / _MEGABYTE for f in firsts], "{:,.0f}")),
        ("MB of all processes", *compared([f.peak_tree / _MEGABYTE for f in firsts], "{:,.0f}")),
        ("data files written", *compared([f.files for f in firsts], "{:,.0f}")),
        ("MB of data files", *compared([f.bytes / _MEGABYTE for f in firsts], "{:,.1f}")),
        ("**The same delivery again**",),
        ("seconds of work", *compared([f.parts["work"] for f in agains])),
        ("from start to end", *compared([f.wall for f in agains])),
        ("data files written", *compared([f.files for f in agains], "{:,.0f}")),
    ]


def _text(value: float | None, form: str) -> str:
    return _NOTHING if value is None else form.format(value)


def _multiple(value: float | None, first: float | None) -> str:
    return f" ({value / first:.1f}x)" if value is not None and first else ""
