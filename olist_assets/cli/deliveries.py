"""`olist generate`, `olist deliver`, `olist replay`: where deliveries come from."""

import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from olist_assets.cli.console import day_option, literal, out, print_note

commands = typer.Typer()


@commands.command(epilog="Example: `olist generate --orders 1000 --days 60 --seed 1 dump`")
def generate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write the nine files to.")],
    orders: Annotated[int, typer.Option(help="Number of orders.", min=1)] = 10_000,
    days: Annotated[int, typer.Option(help="Number of days with purchases.", min=1, max=3650)] = 730,
    seed: Annotated[int, typer.Option(help="The same seed generates the same data.")] = 1,
) -> None:
    """Generate data in Olist's format, with errors as in real data, and write them as a dump of nine CSV files."""
    from olist_assets.sources.generator import dump  # noqa: PLC0415

    with _exit_on_signals(), out.status("generating") as status:
        dump.generate(
            directory,
            orders=orders,
            days=days,
            seed=seed,
            progress=lambda done: status.update(f"generating: {done:,} of {orders:,} orders"),
        )
    folder = literal(str(directory))
    out.print(f"wrote {orders:,} orders to {folder}; next: olist deliver {folder}")


@commands.command(epilog="Examples: `olist deliver dump --day 2018-10-18`, `olist deliver archive.zip`")
def deliver(
    dump: Annotated[
        Path, typer.Argument(metavar="DUMP", help="Folder, zip archive or file with Olist CSV; files may be in gzip.")
    ],
    day: Annotated[date | None, day_option("Landing date; by default the day after the newest event.")] = None,
) -> None:
    """Copy a dump into the source folder as the delivery of one day. Archives are unpacked on the way."""
    from olist_assets.settings.general import load_settings  # noqa: PLC0415
    from olist_assets.sources import deliver as source  # noqa: PLC0415
    from olist_assets.sources.landing_dates import LandingDates  # noqa: PLC0415
    from olist_assets.sources.notices import describe_notices  # noqa: PLC0415

    settings = load_settings()
    copied: list[str] = []

    def show(name: str) -> None:
        copied.append(name)
        out.print(f"  {literal(name)}")

    landing_dates = LandingDates.from_settings(settings)
    delivery = source.deliver(dump, settings.source, day=day, landing_dates=landing_dates, on_file=show)
    for line in describe_notices(delivery.notices):
        print_note(line)
    _print_missing(delivery.missing)
    present = len(delivery.files) - len(copied)
    note = f" ({present} were there already)" if present else ""
    out.print(f"delivered {len(copied)} files as {delivery.day}{note}; next: olist run")


@commands.command(epilog="Examples: `olist replay dump`, `olist replay dump --from 2018-05-01 --to 2018-05-31`")
def replay(
    dump: Annotated[Path, typer.Argument(metavar="DUMP", help="Folder with Olist CSV files.")],
    from_: Annotated[date | None, day_option("First landing date; by default the dump's first.", "--from")] = None,
    to: Annotated[date | None, day_option("Last landing date; by default the dump's last.", "--to")] = None,
) -> None:
    """Split a dump by the time of its events, and copy it into the source folder as daily deliveries."""
    from olist_assets.settings.general import load_settings  # noqa: PLC0415
    from olist_assets.sources import replay as source  # noqa: PLC0415
    from olist_assets.sources.landing_dates import LandingDates  # noqa: PLC0415

    settings = load_settings()
    files: Counter[str] = Counter()  # by month
    with out.status("reading the dump") as status:

        def show(day: date, new_files: int) -> None:
            month = f"{day:%Y-%m}"
            if month not in files:
                _print_last_month(files)
            files[month] += new_files
            status.update(f"replaying: {day}")

        landing_dates = LandingDates.from_settings(settings)
        done = source.replay(dump, settings.source, first=from_, last=to, landing_dates=landing_dates, on_day=show)
    _print_last_month(files)
    _print_missing(done.missing)
    if not done.days:
        out.print("nothing to deliver: the dump has no events on these days")
        return
    present = f" ({done.files - done.new_files:,} were there already)" if done.files > done.new_files else ""
    days = f"{len(done.days):,} days, {done.days[0]} to {done.days[-1]}"
    out.print(f"delivered {done.new_files:,} files as {days}{present}; next: olist run")


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP end the process as Ctrl-C does, so that temporary files are removed."""

    def exit_once(number: int, _frame: object) -> None:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        sys.exit(128 + number)

    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGHUP)}
    for name, handler in before.items():
        if handler != signal.SIG_IGN:  # as nohup sets
            signal.signal(name, exit_once)
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _print_last_month(files: Counter[str]) -> None:
    for month, count in list(files.items())[-1:]:
        out.print(f"  {month}: {count:,} {'file' if count == 1 else 'files'}")


def _print_missing(tables: Iterable[str]) -> None:
    if names := ", ".join(tables):
        print_note(f"the dump has no {names}")
