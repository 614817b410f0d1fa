"""`olist run`: load deliveries."""

import gc
import os
import time
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from olist_assets.aws.redaction import redact
from olist_assets.cli.console import day_option, err, literal, out, print_error, print_note
from olist_assets.errors import quantity
from olist_assets.settings.engine_names import EngineName
from olist_assets.sources.notices import (
    DUE_LATER,
    LAST_LINES_COMPLETE,
    NOTICES,
    describe_notices,
    describe_waiting_rows,
)
from spark_steps.declarations import WAITING_FOR_ORDER

if TYPE_CHECKING:
    from dagster import AssetKey

    from olist_assets.operations.recovery import Recovery
    from olist_assets.runs import Lakehouse, Step
    from spark_steps.protocol import Window

_COUNTS = (
    *("rows_inserted", "rows_updated", "rows_quarantined"),
    *("tables_created", "tables_updated", "tables_dropped"),
)
"""The counts that are printed for a step, from its metadata."""

_NOTED_CHECKS = {"nothing_quarantined", LAST_LINES_COMPLETE}
"""Checks that are not printed, because a count of the step or a notice shows them."""

_NoticePrinter = Callable[[Iterable[str]], None]

commands = typer.Typer()


@commands.command(
    epilog="Examples: `olist run`, `olist run --day 2018-10-18`, `olist run --select trusted/orders --day …`"
)
def run(
    day: Annotated[date | None, day_option("Load one landing date.")] = None,
    from_: Annotated[date | None, day_option("First landing date of a range; needs --to.", "--from")] = None,
    to: Annotated[date | None, day_option("Last landing date of a range; needs --from.", "--to")] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(help="Run only this asset, such as trusted/orders, or this layer; may be repeated."),
    ] = None,
    engine: Annotated[
        EngineName | None, typer.Option(help="Engine that runs the steps; OLIST_ENGINE by default.")
    ] = None,
) -> None:
    """Load deliveries into the tables through Dagster, by default all delivered days that are not loaded yet.

    Without dates and --select, tables that are missing although days are loaded are recomputed first.
    """
    window = _to_window(*_resolve_range(day, from_, to))
    lakehouse = open_lakehouse(engine)
    lost = 0 if window or select else _recover_lost_tables(lakehouse)
    print_notices = _notice_printer()
    windows = [window] if window else _windows_to_load(lakehouse, print_notices)
    if windows:
        _load(lakehouse, windows, select or [], print_notices)  # a step that needs an unreadable table names it
    else:
        out.print("nothing to load: every delivered day has been loaded")
    unreadable = 0 if windows or select else _print_unreadable_tables(lakehouse)
    if lost or unreadable:
        raise typer.Exit(1)


def open_lakehouse(engine: EngineName | None) -> "Lakehouse":
    """The lakehouse of the settings, with Dagster's home prepared. Imports Dagster, which takes a second.

    Args:
        engine: the engine that runs the steps; None for the one of the settings.

    Raises:
        SettingsError: a setting is not accepted.
    """
    if engine is not None:
        os.environ["OLIST_ENGINE"] = engine  # the processes of a run read it there
    gc.disable()  # imported objects stay; collections among them would take a sixth of the start
    try:
        return _open_lakehouse()
    finally:
        gc.enable()
        gc.freeze()


def _open_lakehouse() -> "Lakehouse":
    from olist_assets.orchestration.instance.home import prepare_home  # noqa: PLC0415
    from olist_assets.settings.general import load_settings  # noqa: PLC0415

    settings = load_settings()
    prepare_home(settings.dagster_home)
    with err.status("starting"):
        from olist_assets.runs import Lakehouse, report_dead_runs  # noqa: PLC0415

        lakehouse = Lakehouse.from_settings(settings)
    for run_id in report_dead_runs():
        print_note(f"the process of run {run_id} had died: the run is now reported as failed", out)
    return lakehouse


def run_recovery(lakehouse: "Lakehouse", plan: "Recovery", *, remove: frozenset[str]) -> None:
    """Recompute the tables of a plan, and print its steps and a summary.

    Raises:
        OlistError: the engine cannot run steps, or another run writes one of the tables; nothing has been changed.
        typer.Exit: a step failed; the code is 1.
    """
    from olist_assets.operations import recovery  # noqa: PLC0415

    lakehouse.prepare(lambda line: out.print(line, style="dim"))
    assets = lakehouse.select_tables(plan.tables)
    with err.status("preparing"):
        recovery.start(lakehouse.lake, plan, remove=remove)
    started = time.perf_counter()
    place = redact(lakehouse.lake.root)
    out.print(f"[bold]recomputing {len(plan.tables)} tables[/bold] from {plan.window} in {place}")
    steps = _materialize(lakehouse, plan.window, assets, _notice_printer())
    _print_summary(lakehouse, steps, time.perf_counter() - started)


def _recover_lost_tables(lakehouse: "Lakehouse") -> int:
    """Recompute tables that are missing although days are loaded, or marked by a rebuild that was interrupted.

    Returns:
        The number of these tables that cannot be recomputed. Steps that need them will fail.
    """
    from olist_assets.errors import RebuildError  # noqa: PLC0415
    from olist_assets.operations import recovery  # noqa: PLC0415
    from olist_assets.operations.pending import tables_to_recompute  # noqa: PLC0415

    lake = lakehouse.lake
    if not (lost := tables_to_recompute(lake)):
        return 0
    print_note(f"missing or incomplete although days are loaded: {', '.join(sorted(lost))}", out)
    try:
        plan = recovery.plan(lake, lakehouse.deliveries, lost)
    except RebuildError as error:
        print_error(redact(str(error), lake.root))
        return len(lost)
    run_recovery(lakehouse, plan, remove=lake.recompute_marks.tables_to_remove())
    return 0


def _print_unreadable_tables(lakehouse: "Lakehouse") -> int:
    """Print which tables cannot be read, and why; returns their number. This opens the log of every table."""
    from olist_assets.lake.inspection import inspect_tables  # noqa: PLC0415

    problems = [state.problem for state in inspect_tables(lakehouse.lake).values() if state.problem]
    for problem in problems:
        print_error(redact(problem, lakehouse.lake.root))
    return len(problems)


def _resolve_range(day: date | None, first: date | None, last: date | None) -> tuple[date, date] | tuple[None, None]:
    """The first and last landing date in the options; None if there are none."""
    if day is not None and (first or last):
        raise typer.BadParameter("--day goes without --from and --to")
    if day is not None:
        return day, day
    if first is None and last is None:
        return None, None
    if first is None or last is None:
        raise typer.BadParameter("--from and --to go together")
    if first > last:
        raise typer.BadParameter(f"--from {first} is after --to {last}")
    return first, last


def _to_window(first: date | None, last: date | None) -> "Window | None":
    from spark_steps.protocol import Window  # noqa: PLC0415

    return Window(first, last + timedelta(days=1)) if first and last else None


def _load(lakehouse: "Lakehouse", windows: list["Window"], select: list[str], print_notices: _NoticePrinter) -> None:
    """Run each window, and print its steps and a summary.

    Raises:
        typer.Exit: a step failed; the code is 1.
    """
    selections = [lakehouse.select(select, window) for window in windows]
    started = time.perf_counter()
    lakehouse.prepare(lambda line: out.print(line, style="dim"))
    steps: list[Step] = []
    for window, selection in zip(windows, selections, strict=True):
        out.print(f"[bold]loading {window}[/bold] into {redact(lakehouse.lake.root)}")
        steps += _materialize(lakehouse, window, selection, print_notices)
    _print_summary(lakehouse, steps, time.perf_counter() - started)


def _materialize(
    lakehouse: "Lakehouse", window: "Window", assets: list["AssetKey"], print_notices: "_NoticePrinter"
) -> list["Step"]:
    """Materialize assets, and print a line for each."""
    with err.status("running") as status:
        return lakehouse.materialize(
            window,
            assets,
            on_step=_step_printer(status.update, print_notices),
            on_progress=lambda line: status.update(f"running: {literal(line)}"),
        )


def _print_summary(lakehouse: "Lakehouse", steps: list["Step"], seconds: float) -> None:
    """Print failed steps, and the number of the others.

    Raises:
        typer.Exit: a step failed; the code is 1.
    """
    failed = [step for step in steps if step.error]
    summary = f"{len(steps) - len(failed)} assets in {seconds:.1f} s"
    for step in failed:
        message = (step.error or "").removeprefix(f"{step.asset}: ")
        err.print(f"[red]failed:[/red] {step.asset}: {literal(redact(message, lakehouse.lake.root))}")
    if failed:
        err.print(f"{summary}; downstream assets were skipped; fix the failure and run again")
        raise typer.Exit(1)
    out.print(f"{summary}; next: olist status")


def _windows_to_load(lakehouse: "Lakehouse", print_notices: _NoticePrinter) -> list["Window"]:
    """The windows of days that are not loaded yet; prints what the source has for later, and what is in no day."""
    from olist_assets.operations.pending import windows_to_load  # noqa: PLC0415

    scan = lakehouse.deliveries.scan()
    notices = [notice for notice in scan.notices if notice.day is None or notice.status == DUE_LATER]
    print_notices(describe_notices(notices))
    return windows_to_load(lakehouse.lake, scan.fingerprints)


def _notice_printer() -> _NoticePrinter:
    """A function that prints notices about the source, each once."""
    printed: set[str] = set()

    def print_notices(lines: Iterable[str]) -> None:
        for line in lines:
            if line not in printed:
                printed.add(line)
                print_note(line, out)

    return print_notices


def _step_printer(update_status: Callable[[str], None], print_notices: _NoticePrinter) -> "Callable[[Step], None]":
    def print_step(step: "Step") -> None:
        print_notices(step.metadata.get(NOTICES, ()))
        if step.error:
            errors = [check for check in step.failed_checks if check.is_error]
            out.print(f"  [red]✗[/red] {': '.join([step.asset, *map(str, errors)])}")
            return
        seconds = f"{step.metadata['seconds']:.1f} s" if "seconds" in step.metadata else ""
        line = f"{step.asset:<44} {_summarize(step) or 'nothing new':<36} {seconds}"
        out.print(f"  [green]✓[/green] {line.rstrip()}")
        for check in step.failed_checks:
            if check.name == WAITING_FOR_ORDER:
                print_notices([describe_waiting_rows(step.asset, check.rows)])
            elif check.name not in _NOTED_CHECKS:
                out.print(f"  [yellow]![/yellow] {step.asset}: {check.name}: {quantity(check.rows, 'row')}")
        update_status(f"running: after {step.asset}")

    return print_step


def _summarize(step: "Step") -> str:
    """The counts of a step that are not zero, such as `400 inserted, 2 quarantined`."""
    if "files" in step.metadata:
        return f"{step.metadata['files']} landed"
    if "path" in step.metadata:
        return f"{step.metadata['bytes'] / 1e6:.1f} MB written"
    counts = {name.partition("_")[2]: step.metadata.get(name) for name in _COUNTS}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
