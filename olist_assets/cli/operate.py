"""`olist status`, `olist ui`: look after a lake."""

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from olist_assets.aws.redaction import redact
from olist_assets.cli.console import out

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from olist_assets.operations.status import TableStatus

commands = typer.Typer()
_PATH_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


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


@commands.command(
    epilog="Examples: `olist ui --port 3001`, `olist ui --host 0.0.0.0 --allow-host lake.shop.example`, "
    "`olist ui --path-prefix /dagster`"
)
def ui(
    host: Annotated[str, typer.Option(help="Address to listen on. By default only this machine reaches it.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 3000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name by which browsers may address the UI, without the port; may be repeated. "
            "Required with a host that other machines reach.",
        ),
    ] = None,
    path_prefix: Annotated[
        str, typer.Option(metavar="PATH", help="Beginning of all paths, for a proxy: /dagster.")
    ] = "",
) -> None:
    """Open the Dagster UI on this lake: lineage, tables, runs and backfills. Ctrl-C stops it."""
    from olist_assets.orchestration.instance.home import prepare_home  # noqa: PLC0415
    from olist_assets.serving.ui import server  # noqa: PLC0415
    from olist_assets.settings.general import load_settings  # noqa: PLC0415

    settings = load_settings()
    if host not in server.LOOPBACK and not allow_host:
        raise typer.BadParameter(
            f"--host {host} lets other machines run and delete things here, because the UI has no log-in: put a proxy "
            "with a log-in before it, and name the host that browsers use with --allow-host"
        )
    if path_prefix and not _PATH_PREFIX.fullmatch(path_prefix):
        raise typer.BadParameter(f"--path-prefix {path_prefix}: takes a path such as /dagster")
    prepare_home(settings.dagster_home)
    out.print(f"Dagster UI: http://{f'[{host}]' if ':' in host else host}:{port}{path_prefix}")
    sys.stdout.flush()
    server.serve(host, port, allowed_hosts=allow_host or (), path_prefix=path_prefix, on_start=_end_dead_runs)


def _end_dead_runs(instance: "DagsterInstance") -> None:
    from olist_assets.orchestration.instance.run_process import end_dead_runs  # noqa: PLC0415 - imports Dagster

    end_dead_runs(instance)
