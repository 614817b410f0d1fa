"""`python -m bench.daily`: two years of daily runs, what a day costs, and what the lake consists of meanwhile.

A dump is replayed into one delivery a day, and each is loaded by an `olist run` of its own on one lake that grows: in a
process of its own, or with `--warm` 30 days in one process, which leaves out most starts of Python and of the engine.

A machine may be faster in one hour than in the next. So the last 30 days alternate with the first 30 days, which are
loaded a second time, into a new lake.

Two years pass within hours, but retention counts by the clock: no version and no log entry would become old. So after
each block the lake loses the history before it, and Delta logs list removed files for a minute instead of a week. The
lake then has as much history as after real days.
"""

import argparse
import io
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import deltalake
import pyarrow as pa

from bench import report
from bench.errors import BenchError
from bench.full_load import LAYERS, olist
from olist_assets.lake.history import remove_history
from olist_assets.lake.layout import Lake
from olist_assets.serving.sql.session import CONTROL_STEPS, connect
from olist_assets.sources.generator.dump import generate
from spark_steps.tables import TABLES

if TYPE_CHECKING:
    from olist_assets.lake.step_records import StepRecord

_DAYS = 730
_ORDERS_A_DAY = 60
_SEED = 13
_BLOCK = 30
_MEGABYTE = 1e6
_LAST_LINES = 5
_FORGET_REMOVED_FILES = {"delta.deletedFileRetentionDuration": "interval 1 minute"}

_Times = tuple[float, float]
"""Seconds and CPU seconds of a command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What a lake consists of.

    Attributes:
        files: data files of the current version, by table.
        data_bytes: their size.
        table_objects: objects of all tables, earlier versions and logs included.
        table_bytes: their size.
        log_entries: objects in the Delta log, by table.
        control_objects: objects below `control/`.
    """

    files: Mapping[str, int]
    data_bytes: int
    table_objects: int
    table_bytes: int
    log_entries: Mapping[str, int]
    control_objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some days that were loaded one after the other, and the lake after them.

    Attributes:
        first: the landing date of the first day.
        last: the landing date of the last day.
        orders: inserted orders, day by day.
        seconds: seconds of each day's command, from start to end.
        cpu: CPU seconds of each day's command, all processes included.
        layers: by layer, the seconds of its steps, day by day.
        step_query: seconds of a query of `control.steps` after the last day, a new session included.
        storage: the lake after the last day.
    """

    first: str
    last: str
    orders: list[int]
    seconds: list[float]
    cpu: list[float]
    layers: Mapping[str, list[float]]
    step_query: float
    storage: Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The benchmark's figures.

    Attributes:
        blocks: all days, in blocks of up to 30.
        first_again: the first days, loaded into a new lake while the last block was loaded, each after one of its days;
            None if there is one block.
    """

    blocks: list[Block]
    first_again: Block | None


def run(dump: Path, days: int, *, first: str, warm: bool, workspace: Path) -> Iterator[Result]:
    """Load days of a dump's replay, one by one.

    Args:
        dump: a folder of Olist files.
        days: how many days.
        first: the landing date to begin with, such as 2018-05-10; the days before it are loaded by one run.
        warm: run the commands of a block in one process. A block, because Dagster's objects of earlier runs stay in
            memory, and slow down the garbage collector.
        workspace: an empty folder.

    Yields:
        The figures so far, after each block.

    Raises:
        BenchError: a command failed, or the replay has fewer days.
    """
    daily = workspace / "daily"
    olist(["replay", str(dump)], {"OLIST_SOURCE": str(daily)}, workspace)
    earlier = [delivery for delivery in sorted(daily.iterdir()) if delivery.name < first]
    deliveries = [delivery for delivery in sorted(daily.iterdir()) if delivery.name >= first][:days]
    if len(deliveries) < days:
        raise BenchError(f"the replay of {dump} has {len(deliveries):,} days from {first or 'its first'} on")
    shop = _Shop(workspace / "shop", warm)
    shop.start(earlier)
    blocks: list[Block] = []
    *parts, last = split_into_blocks(deliveries)
    for part in parts or [last]:
        started = datetime.now(UTC)
        with shop.loader() as load:
            blocks.append(_block(part, [load(delivery) for delivery in part], shop.lake))
        yield Result(blocks=blocks, first_again=None)
        shorten_history(shop.lake, started)
    if not parts:
        return
    new_shop = _Shop(workspace / "new-shop", warm)
    new_shop.start(earlier)
    first_part = deliveries[: len(last)]
    with shop.loader() as load, new_shop.loader() as load_again:
        took = [(load(of_last), load_again(of_first)) for of_last, of_first in zip(last, first_part, strict=True)]
    blocks.append(_block(last, [pair[0] for pair in took], shop.lake))
    again = _block(first_part, [pair[1] for pair in took], new_shop.lake)
    yield Result(blocks=blocks, first_again=again)


@dataclass(frozen=True, slots=True)
class _Shop:
    """A source and its lake in a folder; both grow by a day at a time.

    Attributes:
        folder: the folder; `start` creates it.
        warm: load the days of a block in one process.
    """

    folder: Path
    warm: bool

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def settings(self) -> dict[str, str]:
        return {
            "OLIST_SOURCE": str(self.folder / "source"),
            "OLIST_LAKE": str(self.lake),
            "DAGSTER_HOME": str(self.folder / "dagster"),
        }

    def start(self, deliveries: Sequence[Path]) -> None:
        """Load these days by one run."""
        (self.folder / "source").mkdir(parents=True)
        for delivery in deliveries:
            self._deliver(delivery)
        if deliveries:
            olist(["run"], self.settings, self.folder)

    @contextmanager
    def loader(self) -> "Iterator[Callable[[Path], _Times]]":
        """A function that delivers a day and runs `olist run`, and returns its seconds and CPU seconds."""

        def load_in_process(delivery: Path) -> _Times:
            self._deliver(delivery)
            took = olist(["run"], self.settings, self.folder)
            return took.wall, took.cpu

        if not self.warm:
            yield load_in_process
            return
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, spawn, initializer=_start_engine, initargs=(self.settings,)) as process:

            def load_warm(delivery: Path) -> _Times:
                self._deliver(delivery)
                return process.submit(_run_here).result()

            yield load_warm

    def _deliver(self, delivery: Path) -> None:
        shutil.copytree(delivery, self.folder / "source" / delivery.name)


def _start_engine(settings: Mapping[str, str]) -> None:
    """Start the engine in this process; a run that finds a session leaves it open."""
    from olist_assets.engines.local.sail import SailEngine  # noqa: PLC0415 - it needs the settings

    os.environ.update(settings)
    SailEngine().session()


def _run_here() -> _Times:
    """Run `olist run` in this process, and return its seconds and CPU seconds.

    Raises:
        BenchError: it failed.
    """
    from olist_assets.cli.app import main  # noqa: PLC0415 - it needs the settings

    started, cpu = time.perf_counter(), time.process_time()
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(output):
        try:
            main(["run"])
        except SystemExit as end:
            if end.code:
                lines = output.getvalue().splitlines()[-_LAST_LINES:]
                raise BenchError(f"olist run failed: {'; '.join(lines)}") from None
    return time.perf_counter() - started, time.process_time() - cpu


def shorten_history(lake: Path, before: datetime) -> None:
    """Remove the history before a time, and let the logs forget removed files a minute after their removal."""
    store = Lake(str(lake)).store
    for table_id in TABLES:
        if deltalake.DeltaTable.is_deltatable(str(lake / table_id)):
            log = deltalake.DeltaTable(lake / table_id)
            if not _FORGET_REMOVED_FILES.items() <= log.metadata().configuration.items():
                log.alter.set_table_properties(_FORGET_REMOVED_FILES)
            remove_history(store, table_id, before)


def _block(deliveries: Sequence[Path], took: Sequence[_Times], lake: Path) -> Block:
    runs: dict[str, list[StepRecord]] = {}
    for record in Lake(str(lake)).step_records.read_all():
        runs.setdefault(record.run_id, []).append(record)
    newest = list(runs.values())[-len(deliveries) :]
    return Block(
        first=deliveries[0].name,
        last=deliveries[-1].name,
        orders=[sum(r.rows_inserted or 0 for r in records if r.table == "trusted/orders") for records in newest],
        seconds=[round(wall, 3) for wall, _ in took],
        cpu=[round(cpu, 3) for _, cpu in took],
        layers={
            layer: [round(sum(r.seconds or 0 for r in rs if r.table.startswith(f"{layer}/")), 3) for rs in newest]
            for layer in (*LAYERS, "serving")
        },
        step_query=round(_time_step_query(lake), 3),
        storage=measure_storage(lake),
    )


def _time_step_query(lake: Path) -> float:
    """The seconds of a query of `control.steps` in a new session."""
    connect(str(lake)).close()  # the first session of a process takes longer
    started = time.perf_counter()
    with connect(str(lake)) as session:
        session.query(f"SELECT count(*) FROM {CONTROL_STEPS}").fetchall()
    return time.perf_counter() - started


def measure_storage(lake: Path) -> Storage:
    """What a lake in a folder consists of."""
    sizes = {table_id: _file_sizes(lake / table_id) for table_id in TABLES}
    objects = [path.stat().st_size for table_id in TABLES for path in _files(lake / table_id)]
    return Storage(
        files={table_id: len(table_sizes) for table_id, table_sizes in sizes.items()},
        data_bytes=sum(map(sum, sizes.values())),
        table_objects=len(objects),
        table_bytes=sum(objects),
        log_entries={table_id: len(_files(lake / table_id / "_delta_log")) for table_id in TABLES},
        control_objects=len(_files(lake / "control")),
    )


def _file_sizes(table: Path) -> list[int]:
    """The sizes of the data files of a table's current version; none if there is no table."""
    if not deltalake.DeltaTable.is_deltatable(str(table)):
        return []
    return pa.table(deltalake.DeltaTable(table).get_add_actions(flatten=True)).column("size_bytes").to_pylist()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def split_into_blocks(deliveries: Sequence[Path]) -> list[Sequence[Path]]:
    """The deliveries in blocks of 30 days; the block before the last has the remainder."""
    last = max(0, len(deliveries) - _BLOCK)
    return [deliveries[start:end] for start, end in pairwise([*range(0, last, _BLOCK), last, len(deliveries)])]


def markdown(result: Result, machine: report.Machine, *, dump: str, warm: bool) -> str:
    """The blocks, one per line, and the last one as a multiple of the first."""
    blocks, first_again = result.blocks, result.first_again
    heads = [
        *("days", "orders a day", "s a day", "CPU s", "s of steps", *blocks[0].layers),
        f"s of a query of {CONTROL_STEPS}",
        *("data files", "most in a table", "MB", "with history: objects", "MB", "log entries", "most in a log"),
        "control objects",
    ]
    rows = [[f"{block.first} to {block.last}", *map(_text, _figures(block))] for block in blocks]
    if first_again:
        rows.append([f"{first_again.first} to {first_again.last}, again", *map(_text, _figures(first_again))])
        multiples = zip(_figures(first_again), _figures(blocks[-1]), strict=True)
        rows.append(
            ["**last to first, again**", *(f"{last / first:.2f}x" if first else "" for first, last in multiples)]
        )
    days = sum(len(block.seconds) for block in blocks)
    how = f"{_BLOCK} in each process" if warm else "each by a process of its own"
    introduction = (
        f"{machine}; one run. {days:,} days of the replay of {dump}, loaded one by one by `olist run`, "
        f"{how}. Seconds and orders are medians of the days in the line; files, bytes, objects and the query are "
        f"those after its last day. Earlier versions are kept for the days of one block."
    )
    if first_again:
        introduction += " The first days were loaded again, into a new lake, each after one of the last days."
    return report.page(f"{days:,} daily runs: {machine.day}", introduction, heads, rows)


def _figures(block: Block) -> list[float]:
    storage = block.storage
    steps = [sum(day) for day in zip(*block.layers.values(), strict=True)]
    return [
        *(median(block.orders), median(block.seconds), median(block.cpu), median(steps)),
        *(median(seconds) for seconds in block.layers.values()),
        block.step_query,
        *(sum(storage.files.values()), max(storage.files.values()), storage.data_bytes / _MEGABYTE),
        *(storage.table_objects, storage.table_bytes / _MEGABYTE),
        *(sum(storage.log_entries.values()), max(storage.log_entries.values()), storage.control_objects),
    ]


def _text(figure: float) -> str:
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:,.2f}"


def _line(block: Block) -> str:
    storage = block.storage
    return (
        f"{block.first} to {block.last}: {median(block.seconds):.1f} s a day, "
        f"{sum(storage.files.values()):,} data files, {sum(storage.log_entries.values()):,} log entries, "
        f"{storage.control_objects:,} control objects"
    )


def main() -> None:
    """Run the benchmark, and write `daily-<days>.json` and `daily-<days>.md` after each block."""
    parser = argparse.ArgumentParser(prog="python -m bench.daily", description=__doc__)
    parser.add_argument("--days", type=int, default=_DAYS, metavar="N", help="load N days one by one")
    parser.add_argument(
        "--first", default="", metavar="DAY", help="begin with this landing date, after one run for the days before it"
    )
    parser.add_argument("--dump", type=Path, metavar="DIR", help="the dump in a folder; by default a generated one")
    parser.add_argument("--warm", action="store_true", help=f"run {_BLOCK} days in each process")
    parser.add_argument("--out", type=Path, default=Path("bench", "results"), metavar="DIR", help="where results go")
    arguments = parser.parse_args()
    machine = report.Machine.this(datetime.now(UTC).date())
    name = arguments.dump.resolve().name if arguments.dump else "a generated dump"
    try:
        with TemporaryDirectory(prefix="olist-bench-") as folder:
            dump = arguments.dump.resolve() if arguments.dump else _generate(Path(folder, "dump"), arguments.days)
            workspace = Path(folder, "workspace")
            workspace.mkdir()
            figures = run(dump, arguments.days, first=arguments.first, warm=arguments.warm, workspace=workspace)
            for result in figures:
                content = {"machine": asdict(machine), "dump": name, "warm": arguments.warm, **asdict(result)}
                page = markdown(result, machine, dump=name, warm=arguments.warm)
                report.write_page(arguments.out, f"daily-{arguments.days}", content, page)
                report.log(_line(result.blocks[-1]))
                if result.first_again:
                    report.log(f"again: {_line(result.first_again)}")
    except BenchError as error:
        report.log(f"error: {error}")
        sys.exit(1)


def _generate(folder: Path, days: int) -> Path:
    generate(folder, orders=_ORDERS_A_DAY * days, days=days, seed=_SEED)
    return folder


if __name__ == "__main__":
    main()
