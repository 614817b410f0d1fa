"""`olist run`: load deliveries."""

import os
import time
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from olist_assets.aws.redaction import redact
from olist_assets.cli.console import day_option, err, out, print_note
from olist_assets.settings.engine_names import EngineName
from olist_assets.sources.notices import describe_notices

if TYPE_CHECKING:
    from olist_assets.runs import Lakehouse, Step
    from spark_steps.protocol import Window

_COUNTS = (
    *("rows_inserted", "rows_updated", "rows_quarantined"),
    *("tables_created", "tables_updated", "tables_dropped"),
)
"""The counts that are printed for a step, from its metadata."""

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
    """Load deliveries into the tables through Dagster, by default all delivered days that are not loaded yet."""
    window = _to_window(*_resolve_range(day, from_, to))
    if engine is not None:
        os.environ["OLIST_ENGINE"] = engine  # the processes of a run read it there
    from olist_assets.orchestration.instance.home import prepare_home  # noqa: PLC0415
    from olist_assets.settings.general import load_settings  # noqa: PLC0415

    settings = load_settings()
    prepare_home(settings.dagster_home)
    with err.status("starting"):
        from olist_assets.runs import Lakehouse, report_dead_runs, windows_to_load  # noqa: PLC0415

        lakehouse = Lakehouse.from_settings(settings)
    for run_id in report_dead_runs():
        print_note(f"the process of run {run_id} had died: the run is now reported as failed", out)
    windows = [window] if window else windows_to_load(lakehouse.lake, lakehouse.deliveries)
    if not windows:
        out.print("nothing to load: every delivered day has been loaded")
        return
    _load(lakehouse, windows, select or [])


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


def _load(lakehouse: "Lakehouse", windows: list["Window"], select: list[str]) -> None:
    """Run each window, and print its steps and a summary.

    Raises:
        typer.Exit: a step failed; the code is 1.
    """
    selections = [lakehouse.select(select, window) for window in windows]
    started = time.perf_counter()
    lakehouse.prepare(lambda line: out.print(line, style="dim"))
    steps: list[Step] = []
    print_notices = _notice_printer()
    for window, selection in zip(windows, selections, strict=True):
        out.print(f"[bold]loading {window}[/bold] into {redact(lakehouse.lake.root)}")
        print_notices(describe_notices(lakehouse.deliveries.scan(window).notices_in(window)))
        with err.status("running") as status:
            steps += lakehouse.materialize(window, selection, on_step=_step_printer(status.update, print_notices))
    failed = [step for step in steps if step.error]
    summary = f"{len(steps) - len(failed)} assets in {time.perf_counter() - started:.1f} s"
    for step in failed:
        message = (step.error or "").removeprefix(f"{step.asset}: ")
        err.print(f"[red]failed:[/red] {step.asset}: {escape(redact(message, lakehouse.lake.root))}")
    if failed:
        err.print(f"{summary}; downstream assets were skipped; fix the failure and run again")
        raise typer.Exit(1)
    out.print(f"{summary}; next: olist status")


def _notice_printer() -> Callable[[Iterable[str]], None]:
    """A function that prints notices about the source, each once."""
    printed: set[str] = set()

    def print_notices(lines: Iterable[str]) -> None:
        for line in lines:
            if line not in printed:
                printed.add(line)
                print_note(line, out)

    return print_notices


def _step_printer(
    update_status: Callable[[str], None], print_notices: Callable[[Iterable[str]], None]
) -> "Callable[[Step], None]":
    def print_step(step: "Step") -> None:
        print_notices(step.metadata.get("notices", ()))
        if step.error:
            out.print(f"  [red]✗[/red] {step.asset}")
            return
        seconds = f"{step.metadata['seconds']:.1f} s" if "seconds" in step.metadata else ""
        line = f"{step.asset:<44} {_summarize(step) or 'nothing new':<36} {seconds}"
        out.print(f"  [green]✓[/green] {line.rstrip()}")
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
