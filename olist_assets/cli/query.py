"""`olist sql`: ask the lake questions."""

import sys
from datetime import datetime
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from olist_assets.cli.console import out, parse_time, print_result, write_data
from olist_assets.errors import QueryError

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation
    from rich.table import Table


class Format(StrEnum):
    """The formats that `olist sql` prints a result in."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    MARKDOWN = "markdown"


commands = typer.Typer()


@commands.command(
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
            metavar="STATEMENT",
            help="One statement. Tables are named layer.table; a name without a layer is in refined; control.steps has "
            "the step runs. Without a statement, a prompt opens in a terminal; otherwise standard input is read.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="Read the statement from a file; - is standard input."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="A text for $NAME in the statement. DuckDB casts it to the type that it is compared with. May be "
            "repeated.",
        ),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_time,
            metavar="TIME",
            help="Read the tables at an earlier time: 2018-05-10T12:00, in UTC unless it has a zone, or 2018-05-10, "
            "the end of that day.",
        ),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="Format of the result.")] = Format.TABLE,
) -> None:
    """Query the lake in DuckDB's SQL, read-only. A session reads one version of each table."""
    from olist_assets.settings.general import Settings  # noqa: PLC0415

    if query is not None and file is not None:
        raise typer.BadParameter("give a statement or a file with one, not both")
    settings = Settings.from_environment()
    if query is None and file is None and sys.stdin.isatty():
        if not sys.stdout.isatty() or param or format_ is not Format.TABLE:
            raise typer.BadParameter("give a statement, or a file with one: the prompt takes no -p and no --format")
        from olist_assets.serving.sql import prompt  # noqa: PLC0415

        prompt.run(settings.lake, as_of, out, settings.dagster_home.parent / "sql_history")
        return
    _answer(settings.lake, query or _read_statement(file), param or [], as_of, format_)


def _answer(lake: str, statement: str, pairs: list[str], as_of: datetime | None, format_: Format) -> None:
    """Check the options of a statement, run it, and print its result."""
    if not statement.strip():
        raise typer.BadParameter("give a statement, a file with one, or one on standard input")
    if format_ is Format.PARQUET and sys.stdout.isatty():
        raise QueryError("parquet is not for a terminal: redirect it, as in `> result.parquet`")
    parameters = _parse_parameters(pairs)
    from olist_assets.serving.sql.interruption import run_interruptible  # noqa: PLC0415
    from olist_assets.serving.sql.session import Session  # noqa: PLC0415

    with Session(lake, as_of) as session:
        answer = run_interruptible(session, lambda: _format(session.query(statement, parameters), format_))
    if isinstance(answer, tuple):
        print_result(*answer)
    else:
        write_data(answer)


def _read_statement(file: Path | None) -> str:
    """The text of a file; of standard input if there is none, or if it is `-`."""
    if file is None or str(file) == "-":
        return sys.stdin.read()
    if not file.is_file():
        raise typer.BadParameter(f"there is no file {file}")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not UTF-8") from None


def _parse_parameters(pairs: list[str]) -> dict[str, str]:
    parameters = {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
    if malformed := [pair for pair in pairs if "=" not in pair]:
        raise typer.BadParameter(f"-p {malformed[0]}: write it as name=value")
    if len(parameters) < len(pairs):
        raise typer.BadParameter("-p gives a name twice")
    return parameters


def _format(result: "DuckDBPyRelation", format_: Format) -> "bytes | str | tuple[Table, str]":
    """The result in a format; the table for the terminal with the number of rows."""
    from olist_assets.serving.sql import results  # noqa: PLC0415

    if format_ is Format.TABLE:
        rows = results.rows(result)
        table = results.to_table(result.columns, result.types, (map(results.text, row) for row in rows))
        return table, f"[dim]({len(rows)} {'row' if len(rows) == 1 else 'rows'})[/dim]"
    if format_ is Format.PARQUET:
        results.write_parquet(result, stream := BytesIO())
        return stream.getvalue()
    to_text = {Format.CSV: results.to_csv, Format.JSON: results.to_json, Format.MARKDOWN: results.to_markdown}
    return to_text[format_](result)
