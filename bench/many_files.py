"""`python -m bench.many_files`: how landing and loading grow with the number of files in a delivery."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import report
from bench.full_load import Lakehouse

_DAY = "2018-05-10"
_HEADER = "order_id,payment_sequential,payment_type,payment_installments,payment_value\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load of a day with many files of one row.

    Attributes:
        files: the number of files, all of payments.
        land: seconds of the step that lands them.
        raw: seconds of the step that appends them to raw.
        wall: seconds of the command.
    """

    files: int
    land: float
    raw: float
    wall: float


def run(numbers: Sequence[int], *, runs: int, workspace: Path, progress: Callable[[str], None]) -> list[Load]:
    """Load a day with each number of files.

    Args:
        numbers: the numbers of files.
        runs: how often each is loaded; the run with the quickest landing counts.
        workspace: an empty folder.
        progress: called with a line for each load.
    """
    return [
        min((_load(n, workspace / f"{n}-{run}", progress) for run in range(runs)), key=lambda load: load.land)
        for n in numbers
    ]


def _load(files: int, workspace: Path, progress: Callable[[str], None]) -> Load:
    folder = workspace / "source" / _DAY
    folder.mkdir(parents=True)
    for n in range(files):
        (folder / f"olist_order_payments_dataset_{n:06}.csv").write_text(f"{_HEADER}o{n},1,boleto,1,10.00\n")
    with Lakehouse("sail", folder.parent, workspace / "lakehouse") as lakehouse:
        took, records = lakehouse.run("--day", _DAY)
    seconds = {record.table: record.seconds or 0 for record in records}
    load = Load(
        files=files,
        land=seconds["landzone/order_payments"],
        raw=seconds["raw/order_payments"],
        wall=took.wall,
    )
    progress(f"{files:,} files: landed in {load.land:.1f} s, raw {load.raw:.1f} s, the command {load.wall:.1f} s")
    return load


def markdown(loads: Sequence[Load], machine: report.Machine, runs: int) -> str:
    """The loads side by side, with their multiples of the first."""
    rows = [
        ["landing, s", *report.with_multiples([load.land for load in loads])],
        ["raw, s", *report.with_multiples([load.raw for load in loads])],
        ["the command, s", *report.with_multiples([load.wall for load in loads])],
    ]
    title = f"Many files of one row in a day's delivery: {machine.day}"
    heads = ["", *(f"{load.files:,} files" for load in loads)]
    return report.page(title, f"{machine}; {report.describe_runs(runs)}.", heads, rows)


def main() -> None:
    """Run the benchmark, and write `many_files.json` and `many_files.md`."""
    parser = argparse.ArgumentParser(prog="python -m bench.many_files", description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 2_000, 10_000], metavar="N", help="numbers")
    parser.add_argument("--runs", type=int, default=2, metavar="N", help="run each N times, and take the quickest")
    parser.add_argument("--out", type=Path, default=Path("bench", "results"), metavar="DIR", help="where results go")
    arguments = parser.parse_args()
    machine = report.Machine.this(datetime.now(UTC).date())
    with TemporaryDirectory(prefix="olist-bench-") as workspace:
        loads = run(arguments.files, runs=arguments.runs, workspace=Path(workspace), progress=report.log)
    result = {"machine": asdict(machine), "loads": [asdict(load) for load in loads]}
    report.write_page(arguments.out, "many_files", result, markdown(loads, machine, arguments.runs))


if __name__ == "__main__":
    main()
