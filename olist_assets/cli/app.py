"""The command line: `olist`. Each command imports what it needs when it is called."""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from olist_assets.aws.redaction import redact
from olist_assets.errors import OlistError
from olist_assets.settings import EngineName, Settings, load_settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

    from olist_assets.runs import Step

app = typer.Typer(
    name="olist",
    help="Carry Olist deliveries from CSV files to a Delta lakehouse, and ask it questions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
_INTERRUPTED = 130
"""Typer's exit code for Ctrl-C, as shells have it."""
_COUNTS_OF_A_STEP = (
    *("rows_inserted", "rows_updated", "rows_quarantined"),
    *("tables_created", "tables_updated", "tables_dropped"),
)
"""What `olist run` tells of a step, of its metadata."""


class _Output(Console):
    """A console whose reader may go away: what it says then is lost, what the command does is not."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        _discard_stdout()


def _discard_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


out = _Output(soft_wrap=True, width=None if sys.stdout.isatty() else 10_000)
err = Console(stderr=True, soft_wrap=True)


class Format(StrEnum):
    """How `olist sql` prints a result."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    MARKDOWN = "markdown"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date; write it as 2018-05-10") from None


def _day_option(text: str, *names: str) -> Any:
    return typer.Option(*names, parser=_day, metavar="YYYY-MM-DD", help=text)


def _moment(text: str) -> datetime:
    """A time, UTC if it names no zone; of a date the last microsecond."""
    try:
        if len(text) == len("2018-05-10"):
            return datetime.combine(date.fromisoformat(text), datetime.max.time(), UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time; write it as 2018-05-10 or 2018-05-10T12:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def main() -> None:
    """Run the command that the arguments name.

    A user's mistake is one line on standard error; the exit code is 2 if it is in the arguments, 1 otherwise.
    """
    debug = "--debug" in sys.argv
    try:
        code = app([argument for argument in sys.argv[1:] if argument != "--debug"], standalone_mode=False)
        if code == _INTERRUPTED:
            err.print("interrupted: what was committed stays; the same command goes on from there")
        sys.exit(code)
    except (OlistError, OSError, typer.TyperException) as error:
        if debug:
            raise
        usage = isinstance(error, typer.TyperException)
        message = getattr(error, "format_message", error.__str__)()
        if message:  # none without any argument: the help was shown
            err.print(
                f"[red]error:[/red] {escape(redact(message))}" + ("; see --help" if usage else ""), highlight=False
            )
        sys.exit(2 if usage else 1)
    except Exception as error:
        if debug:
            raise
        line = next(iter(str(error).splitlines()), "")
        err.print(
            f"[red]error:[/red] {type(error).__name__}: {escape(redact(line))}; see more with --debug",
            highlight=False,
        )
        sys.exit(1)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """`--debug` is taken out of the arguments by `main`, wherever it stands."""


@app.command(epilog="Example: `olist generate --orders 1000 --days 60 --seed 1 dump`")
def generate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that the nine files are written to.")],
    orders: Annotated[int, typer.Option(help="Number of orders.", min=1)] = 10_000,
    days: Annotated[int, typer.Option(help="Days that the purchases are spread over.", min=1, max=3650)] = 730,
    seed: Annotated[int, typer.Option(help="The same seed makes the same data.")] = 1,
) -> None:
    """Write a dump of made-up data in Olist's shape, dirt included."""
    from olist_assets.sources.generator import dump as source  # noqa: PLC0415

    with out.status("generating") as status:
        source.generate(
            directory,
            orders=orders,
            days=days,
            seed=seed,
            progress=lambda done: status.update(f"generating: {done:,} of {orders:,} orders"),
        )
    out.print(f"wrote {orders:,} orders to {directory}; next: olist deliver {directory}", highlight=False)


@app.command(epilog="Example: `olist deliver dump --day 2018-10-18`")
def deliver(
    dump: Annotated[Path, typer.Argument(metavar="DUMP", help="Folder with Olist CSV files.")],
    day: Annotated[date | None, _day_option("Landing date; the day after the newest event by default.")] = None,
) -> None:
    """Put a dump into the source folder, as one day's delivery."""
    from olist_assets.sources import deliver as source  # noqa: PLC0415

    settings = load_settings()
    copied: list[str] = []

    def show(name: str) -> None:
        copied.append(name)
        out.print(f"  {escape(name)}", highlight=False)

    landing_date, names, missing = source.deliver(dump, settings.source, day=day, on_file=show)
    if missing:
        err.print(f"[yellow]note:[/yellow] the dump has no {', '.join(missing)}")
    held = f" ({len(names) - len(copied)} were there already)" if len(names) > len(copied) else ""
    out.print(f"delivered {len(copied)} files as {landing_date}{held}; next: olist run", highlight=False)


@app.command(epilog="Examples: `olist replay dump`, `olist replay dump --from 2018-05-01 --to 2018-05-31`")
def replay(
    dump: Annotated[Path, typer.Argument(metavar="DUMP", help="Folder with Olist CSV files.")],
    from_: Annotated[date | None, _day_option("First landing date; the dump's by default.", "--from")] = None,
    to: Annotated[date | None, _day_option("Last landing date; the dump's by default.", "--to")] = None,
) -> None:
    """Put a dump into the source folder as daily deliveries, as the shop would have sent them."""
    from olist_assets.sources import replay as source  # noqa: PLC0415

    settings = load_settings()
    files: Counter[str] = Counter()  # by month
    with out.status("reading the dump") as status:

        def show(day: date, new_files: int) -> None:
            month = f"{day:%Y-%m}"
            if month not in files:
                _print_last_month(files)
            files[month] += new_files
            status.update(f"replaying: {day}")

        done = source.replay(dump, settings.source, first=from_, last=to, on_day=show)
    _print_last_month(files)
    if done.missing:
        err.print(f"[yellow]note:[/yellow] the dump has no {', '.join(done.missing)}")
    if not done.days:
        out.print("nothing to deliver: the dump has no events on these days")
        return
    held = f" ({done.files - done.new_files:,} were there already)" if done.files > done.new_files else ""
    days = f"{len(done.days):,} days, {done.days[0]} to {done.days[-1]}"
    out.print(f"delivered {done.new_files:,} files as {days}{held}; next: olist run", highlight=False)


def _print_last_month(files: Counter[str]) -> None:
    for month, count in list(files.items())[-1:]:
        out.print(f"  {month}: {count:,} {'file' if count == 1 else 'files'}", highlight=False)


@app.command(epilog="Examples: `olist run`, `olist run --day 2018-10-18`, `olist run --select trusted/orders --day …`")
def run(
    day: Annotated[date | None, _day_option("One landing date.")] = None,
    from_: Annotated[date | None, _day_option("First landing date.", "--from")] = None,
    to: Annotated[date | None, _day_option("Last landing date.", "--to")] = None,
    select: Annotated[
        list[str] | None, typer.Option(help="An asset such as trusted/orders, or a layer; may be repeated.")
    ] = None,
    engine: Annotated[EngineName | None, typer.Option(help="What runs the steps; OLIST_ENGINE by default.")] = None,
) -> None:
    """Materialise the lineage through Dagster: by default for all delivered days that have not been loaded."""
    first, last = _range(day, from_, to)
    if engine is not None:
        os.environ["OLIST_ENGINE"] = engine  # where the code location looks for it
    settings = load_settings()

    from olist_assets.orchestration.instance.home import prepare_home  # noqa: PLC0415

    prepare_home(settings.dagster_home)
    with err.status("starting"):
        from olist_assets import runs  # noqa: PLC0415
        from spark_steps.protocol import Window  # noqa: PLC0415

    windows = [Window(first, last + timedelta(days=1))] if first and last else runs.windows_to_load()
    if not windows:
        out.print("nothing to load: every delivered day has been loaded")
        return
    selections = [runs.selection(select or (), window) for window in windows]
    started = time.perf_counter()
    runs.prepare(lambda line: out.print(line, style="dim", highlight=False))
    steps: list[runs.Step] = []
    for window, selection in zip(windows, selections, strict=True):
        out.print(f"[bold]loading {window}[/bold] into {redact(settings.lake)}", highlight=False)
        for path in runs.deliveries.unrecognized_files(window):
            out.print(f"[yellow]note:[/yellow] {escape(path)} belongs to no table and is left alone", highlight=False)
        with err.status("running") as status:
            steps += runs.materialize(window, selection, on_step=_step_printer(status.update))
    failed = [step for step in steps if step.error]
    done = f"{len(steps) - len(failed)} assets in {time.perf_counter() - started:.1f} s"
    for step in failed:
        message = (step.error or "").removeprefix(f"{step.asset}: ")
        err.print(f"[red]failed:[/red] {step.asset}: {escape(message)}", highlight=False)
    if failed:
        err.print(f"{done}; what depends on a failed one has not run: mend it and run again", highlight=False)
        raise typer.Exit(1)
    out.print(f"{done}; next: olist status", highlight=False)


def _range(day: date | None, first: date | None, last: date | None) -> tuple[date | None, date | None]:
    """The first and last landing date that the options name; None where they name none."""
    if day is not None and (first or last):
        raise typer.BadParameter("--day goes without --from and --to")
    if day is not None:
        return day, day
    if (first is None) != (last is None):
        raise typer.BadParameter("--from and --to go together")
    if first and last and first > last:
        raise typer.BadParameter(f"--from {first} lies after --to {last}")
    return first, last


def _step_printer(update: Callable[[str], None]) -> "Callable[[Step], None]":
    def show(step: "Step") -> None:
        if step.error:
            out.print(f"  [red]✗[/red] {step.asset}", highlight=False)
            return
        counts = {name: step.metadata.get(name, 0) for name in _COUNTS_OF_A_STEP}
        parts = [f"{value:,} {name.partition('_')[2]}" for name, value in counts.items() if value]
        if "files" in step.metadata:
            parts = [f"{step.metadata['files']} landed"]
        if "path" in step.metadata:
            parts = [f"{step.metadata['bytes'] / 1e6:.1f} MB written"]
        seconds = f"{step.metadata['seconds']:.1f} s" if "seconds" in step.metadata else ""
        line = f"{step.asset:<44} {', '.join(parts) or 'nothing new':<36} {seconds}"
        out.print(f"  [green]✓[/green] {line.rstrip()}", highlight=False)
        update(f"running: after {step.asset}")

    return show


@app.command(epilog="Example: `olist status`")
def status() -> None:
    """Show layers, tables, rows, versions, the last window, and what needs attention."""
    from olist_assets.lake.layout import Lake  # noqa: PLC0415
    from olist_assets.lake.storage import require_lake  # noqa: PLC0415
    from olist_assets.operations import status as lake_status  # noqa: PLC0415

    settings = load_settings()
    require_lake(settings.lake)
    lake = Lake(settings.lake)
    tables = lake_status.tables(lake)
    grid = Table(title=f"lake {redact(settings.lake)}", title_justify="left", box=None, pad_edge=False)
    grid.add_column("layer")
    grid.add_column("table")
    grid.add_column("rows", justify="right")
    grid.add_column("version", justify="right")
    grid.add_column("last landing dates")
    for table in tables:
        if table.version is None:
            grid.add_row(table.layer, table.name, "-", "-", "")
        elif table.layer != "quarantine" or table.rows:
            grid.add_row(table.layer, table.name, f"{table.rows:,}", str(table.version), table.last_window)
    out.print(grid)
    problems = lake_status.problems(lake, tables)
    for problem in problems:
        out.print(f"[yellow]![/yellow] {escape(problem)}", highlight=False)
    if not problems:
        out.print("no open problems")


@app.command(
    epilog="""Examples:

- `olist sql "select order_month, revenue from refined.aggregate_sales_per_month order by 1"`
- `olist sql -p state=SP 'select count(*) from dim_customers where state = $state'`
- `olist sql --as-of 2018-05-10T12:00 "select count(*) from trusted.orders"`
- `olist sql --format csv -f question.sql > answer.csv`
- `olist sql "describe refined.fact_orders"`
- `olist sql`
"""
)
def sql(
    query: Annotated[
        str | None,
        typer.Argument(
            help="One reading statement over layer.table or control.steps; refined is the layer of a name without one. "
            "Without any, a prompt opens; or standard input is read, if that is no terminal."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="Take the statement from a file; - is standard input."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="A value for $NAME in the statement, as text, which DuckDB casts to what it is compared with; "
            "may be repeated.",
        ),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            parser=_moment,
            metavar="TIME",
            help="Read the tables as they were then: 2018-05-10T12:00, UTC if it names no zone, or 2018-05-10, "
            "the end of that day.",
        ),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="How the result is printed.")] = Format.TABLE,
) -> None:
    """Ask the lake questions, in DuckDB's SQL. Tables are read as they stand at one time; nothing can be written."""
    if query is not None and file is not None:
        raise typer.BadParameter("give a statement or a file with one, not both")
    settings = Settings.from_environment()
    if query is None and file is None and sys.stdin.isatty():
        if not sys.stdout.isatty() or param or format_ is not Format.TABLE:
            raise typer.BadParameter("give a statement, or a file with one: the prompt takes no -p and no --format")
        from olist_assets.serving.sql import prompt  # noqa: PLC0415

        prompt.run(settings.lake, as_of, out, settings.dagster_home.parent / "sql_history")
        return
    stored = None if str(file) == "-" else file
    if stored and not stored.is_file():
        raise typer.BadParameter(f"there is no file {stored}")
    statement = query or (stored.read_text() if stored else sys.stdin.read())
    if not statement.strip():
        raise typer.BadParameter("give a statement, a file with one, or one on standard input")
    if format_ is Format.PARQUET and sys.stdout.isatty():
        raise OlistError("parquet is not for a terminal: redirect it, as in `> result.parquet`")
    parameters = _parameters(param or [])
    from olist_assets.serving.sql.session import connect  # noqa: PLC0415

    with connect(settings.lake, as_of=as_of) as lake:
        _print_result(lake.query(statement, parameters), format_)


def _parameters(pairs: list[str]) -> dict[str, str]:
    found = {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise typer.BadParameter(f"-p {wrong[0]}: write it as name=value")
    if len(found) < len(pairs):
        raise typer.BadParameter("-p gives a name twice")
    return found


def _print_result(result: "DuckDBPyRelation", format_: Format) -> None:
    from olist_assets.serving.sql import results  # noqa: PLC0415

    if format_ is Format.TABLE:
        rows = results.rows(result)
        out.print(results.to_table(result.columns, result.types, (map(results.text, row) for row in rows)))
        out.print(f"({len(rows)} rows)" if len(rows) != 1 else "(1 row)", style="dim")
        return
    try:
        if format_ is Format.PARQUET:
            results.write_parquet(result, sys.stdout.buffer)
        else:
            as_text = {
                Format.CSV: results.to_csv,
                Format.JSON: results.to_json,
                Format.MARKDOWN: results.to_markdown,
            }
            sys.stdout.write(as_text[format_](result))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        _discard_stdout()


@app.command(epilog="Examples: `olist register`, `olist register --dry-run`, `olist register --drop`")
def register(
    drop: Annotated[bool, typer.Option("--drop", help="Drop tables that the lake no longer has from Glue.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Make trusted and refined known to Glue, where Athena, QuickSight and Spark find them: only what has changed."""
    from olist_assets.catalog import glue  # noqa: PLC0415

    settings = load_settings()
    name = settings.glue or glue.DEFAULT_NAME
    with err.status("looking at the lake and at Glue"):
        outcomes = glue.register(settings.lake, name, drop=drop, dry_run=dry_run)
    for place, outcome in outcomes.items():
        if outcome in glue.CHANGES:
            out.print(f"  {'would be ' if dry_run else ''}{outcome} {place}", highlight=False)
    for outcome, cure in {glue.Outcome.NOT_WRITTEN: "`olist run`", glue.Outcome.VANISHED: "--drop"}.items():
        if found := [place for place, became in outcomes.items() if became == outcome]:
            err.print(f"[yellow]note:[/yellow] {outcome}: {', '.join(found)}; see to it by {cure}", highlight=False)
    counts = glue.table_counts(outcomes)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count) or "nothing"
    databases = " and ".join(glue.database_name(layer, name) for layer in glue.DATABASES)
    out.print(f"{databases}: {told}", highlight=False)


@app.command(epilog="Examples: `olist report --open`, `olist report --output report.html`")
def report(
    open_: Annotated[bool, typer.Option("--open", help="Show it in a browser.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="File to write it to, instead of the lake.", dir_okay=False)
    ] = None,
) -> None:
    """Write the sales report of the lake as it is now: one HTML page that needs no network."""
    from olist_assets.lake.layout import Lake  # noqa: PLC0415
    from olist_assets.lake.storage import require_lake  # noqa: PLC0415
    from olist_assets.serving import report as serving  # noqa: PLC0415

    settings = load_settings()
    require_lake(settings.lake)
    lake = Lake(settings.lake)
    with err.status("writing the report"):
        made = serving.make(lake.root, records=lake.step_records.newest_of_lineage(), written_at=datetime.now(UTC))
        if output is None:
            serving.put(lake.store, made, on_s3=lake.on_s3)
    path = redact(f"{lake.root}/{serving.PATH}")
    if open_ and output is None and lake.on_s3:  # a browser cannot ask a bucket
        output = settings.dagster_home.parent / "report.html"
        out.print(escape(path), highlight=False)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(made.html, encoding="utf-8")
        path = str(output.resolve())
    out.print(escape(path), highlight=False)
    if open_:
        import webbrowser  # noqa: PLC0415

        if not webbrowser.open(Path(path).as_uri()):
            err.print("[yellow]note:[/yellow] no browser was found; open the file by hand")


@app.command(epilog="Example: `olist ui --port 3000`")
def ui(
    host: Annotated[str, typer.Option(help="Address that Dagit listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port that Dagit listens on.")] = 3000,
) -> None:
    """Open Dagit on this lake: the lineage, its tables, runs and backfills. Ctrl-C ends it."""
    from olist_assets.orchestration.instance.home import prepare_home  # noqa: PLC0415

    settings = load_settings()
    prepare_home(settings.dagster_home)
    out.print(f"Dagit: http://{host}:{port}", highlight=False)
    sys.stdout.flush()
    # `dg dev`, which Dagster would rather see, works in a checkout only.
    quiet = "ignore:Function `dev_command`"
    arguments = ["-W", quiet, "-m", "dagster", "dev", "-m", "olist_assets.definitions", "-h", host, "-p", str(port)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - this interpreter, fixed arguments


if __name__ == "__main__":
    main()
