"""`python -m bench.daily_load`: the cost of one day's load on lakes with 1, 5 and 20 times the history.

The day is the last full one of a generated shop's deliveries. All lakes contain the days before it; the larger ones
also contain orders of other times. Each loads the day in a process of its own, through Dagster, on Sail.
"""

import argparse
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import report
from bench.contenders import LAYERS
from bench.full_load import Lakehouse, olist
from olist_assets.lake.step_records import StepRecord
from olist_assets.sources.generator.dump import generate
from spark_steps.tables import TABLES

_ORDERS, _DAYS = 8_000, 60
_SEED = 11
_COUNTS = ("rows_inserted", "rows_updated", "rows_deleted", "rows_copied")
_STORAGE = ("files_added", "files_removed", "bytes_added", "bytes_removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The cost of the day's load on one lake.

    Attributes:
        orders: the number of orders in the lake before.
        wall: seconds of the command.
        steps: per table, the seconds of its step and its counts of rows, files and bytes.
    """

    orders: int
    wall: float
    steps: Mapping[str, Mapping[str, float]]

    def seconds(self, layer: str) -> float:
        """The seconds of a layer's steps."""
        return sum(step["seconds"] for table, step in self.steps.items() if table.startswith(f"{layer}/"))

    @property
    def work(self) -> float:
        """The seconds of all steps."""
        return sum(map(self.seconds, LAYERS))


def run(times: Sequence[int], *, runs: int, workspace: Path, progress: Callable[[str], None]) -> dict[int, Load]:
    """Load the day on a lake of each size.

    Args:
        times: how many times the shop's own history each lake holds.
        runs: how often each is run; the fastest counts.
        workspace: an empty folder.
        progress: called with a line for each load.
    """
    shop, daily = workspace / "shop", workspace / "daily"
    generate(shop, orders=_ORDERS, days=_DAYS, seed=_SEED)
    olist(["replay", str(shop)], {"OLIST_SOURCE": str(daily)}, workspace)
    day = last_full_day_of_sales(daily)
    fastest: dict[int, Load] = {}
    for factor in times:
        source = workspace / f"source-{factor}"
        for folder in sorted(daily.iterdir()):
            if folder.name < day:
                shutil.copytree(folder, source / folder.name)
        if factor > 1:
            others = workspace / f"others-{factor}"
            generate(others, orders=_ORDERS * (factor - 1), days=_DAYS * (factor - 1), seed=_SEED + 1)
            olist(["deliver", str(others)], {"OLIST_SOURCE": str(source)}, workspace)
        with Lakehouse("sail", source, workspace / f"lake-{factor}") as lakehouse:
            _, before = lakehouse.run()
            orders = next(record.rows_inserted or 0 for record in before if record.table == "refined/fact_orders")
            shutil.copytree(daily / day, source / day)
            kept = workspace / f"kept-{factor}"
            shutil.copytree(lakehouse.lake, kept)
            loads: list[Load] = []
            for _ in range(runs):
                shutil.rmtree(lakehouse.lake)
                shutil.copytree(kept, lakehouse.lake)
                took, records = lakehouse.run("--day", day)
                loads.append(
                    Load(orders=orders, wall=took.wall, steps={record.table: _figures(record) for record in records})
                )
                progress(f"{factor}x, {orders:,} orders: {took.wall:.1f} s, of which work {loads[-1].work:.1f} s")
            fastest[factor] = min(loads, key=lambda load: load.work)
            shutil.rmtree(kept)
    return fastest


def last_full_day_of_sales(daily: Path) -> str:
    """The second to last day with orders: the last one may be incomplete."""
    placed = [folder.name for folder in sorted(daily.iterdir()) if list(folder.glob("olist_customers_dataset*"))]
    return placed[-2]


def _figures(record: StepRecord) -> dict[str, float]:
    return {name: getattr(record, name) or 0 for name in ("seconds", *_COUNTS, *_STORAGE)}


def markdown(loads: Mapping[int, Load], machine: report.Machine, runs: int) -> str:
    """The loads side by side, by step: seconds with their multiple of the first, and the counts of the largest lake."""
    first, largest = loads[min(loads)], loads[max(loads)]
    heads = ["", *(f"{factor}x: s" for factor in loads), *(n.replace("_", " ") for n in (*_COUNTS, *_STORAGE))]
    rows = [
        ["orders before", *(f"{load.orders:,}" for load in loads.values())],
        *(
            [
                step,
                *report.with_multiples([load.steps[step]["seconds"] for load in loads.values()]),
                *(f"{largest.steps[step][name]:,.0f}" for name in (*_COUNTS, *_STORAGE)),
            ]
            for step in first.steps
            if step in TABLES
        ),
        *(
            [f"**{layer}**", *report.with_multiples([load.seconds(layer) for load in loads.values()])]
            for layer in LAYERS
        ),
        ["**all steps**", *report.with_multiples([load.work for load in loads.values()])],
        ["**the command**", *report.with_multiples([load.wall for load in loads.values()])],
    ]
    introduction = f"{machine}; {report.describe_runs(runs)}. Rows, files and bytes are those on the largest lake."
    return report.page(f"A day's load on growing history: {machine.day}", introduction, heads, rows)


def main() -> None:
    """Run the benchmark, and write `day.json` and `day.md`."""
    parser = argparse.ArgumentParser(prog="python -m bench.daily_load", description=__doc__)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 5, 20], metavar="N", help="histories, the first 1")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="run each N times, and take the quickest")
    parser.add_argument("--out", type=Path, default=Path("bench", "results"), metavar="DIR", help="where results go")
    arguments = parser.parse_args()
    machine = report.Machine.this(datetime.now(UTC).date())
    with TemporaryDirectory(prefix="olist-bench-") as workspace:
        loads = run(arguments.times, runs=arguments.runs, workspace=Path(workspace), progress=report.log)
    result = {"machine": asdict(machine), "loads": {factor: asdict(load) for factor, load in loads.items()}}
    report.write_page(arguments.out, "day", result, markdown(loads, machine, arguments.runs))


if __name__ == "__main__":
    main()
