"""`olist status`, `olist ui`: look after a lake."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from olist_assets.aws.redaction import redact
from olist_assets.cli.console import out

if TYPE_CHECKING:
    from olist_assets.operations.status import TableStatus

commands = typer.Typer()


@commands.command(epilog="Example: `olist status`")
def status() -> None:
    """Show the rows, version and last landing dates of each table, and open problems."""
    from olist_assets.lake.layout import Lake  # noqa: PLC0415
    from olist_assets.lake.storage import require_lake  # noqa: PLC0415
    from olist_assets.operations import status as lake_status  # noqa: PLC0415
    from olist_assets.settings.general import load_settings  # noqa: PLC0415

    settings = load_settings()
    require_lake(settings.lake)
    lake = Lake(settings.lake)
    tables = lake_status.tables(lake)
    out.print(_to_grid(f"lake {redact(settings.lake)}", tables))
    problems = lake_status.problems(lake, tables)
    for problem in problems:
        out.print(f"[yellow]![/yellow] {escape(redact(problem, settings.lake))}")
    if not problems:
        out.print("no open problems")


def _to_grid(title: str, tables: list["TableStatus"]) -> Table:
    grid = Table(title=title, title_justify="left", box=None, pad_edge=False)
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
    return grid


@commands.command(epilog="Example: `olist ui --port 3000`")
def ui(
    host: Annotated[str, typer.Option(help="Address that the UI listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port that the UI listens on.")] = 3000,
) -> None:
    """Open the Dagster UI on this lake: lineage, tables, runs and backfills. Ctrl-C stops it."""
    from olist_assets.orchestration.instance.home import prepare_home  # noqa: PLC0415
    from olist_assets.settings.general import load_settings  # noqa: PLC0415

    settings = load_settings()
    prepare_home(settings.dagster_home)
    out.print(f"Dagster UI: http://{host}:{port}")
    sys.stdout.flush()
    # Dagster recommends `dg dev` instead, which works in a checkout only.
    ignore_advice = "ignore:Function `dev_command`"
    arguments = ["-W", ignore_advice, "-m", "dagster", "dev"]
    arguments += ["-m", "olist_assets.definitions", "-h", host, "-p", str(port)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - this interpreter, fixed arguments
