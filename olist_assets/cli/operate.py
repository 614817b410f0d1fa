"""`olist status`, `olist stop`, `olist spark-ui`, `olist rebuild`, `olist ui`: look after a lake."""

import json
import re
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from olist_assets.aws.redaction import redact
from olist_assets.cli.console import literal, out, print_error, print_note
from olist_assets.cli.run import open_lakehouse, run_recovery
from olist_assets.errors import EngineError, OlistError
from olist_assets.settings.engine_names import LOCAL_ENGINES, EngineName

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from olist_assets.engines.base import Machine
    from olist_assets.operations.recovery import Recovery
    from olist_assets.operations.status import TableStatus
    from olist_assets.settings.general import Settings

commands = typer.Typer()
_PATH_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


@commands.command(epilog="Examples: `olist status`, `olist status --check`, `olist status --json`")
def status(
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if anything needs attention.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the rows, version and last landing dates of each table, open problems, and live machines on AWS."""
    from olist_assets.lake.layout import Lake  # noqa: PLC0415
    from olist_assets.lake.storage import require_lake  # noqa: PLC0415
    from olist_assets.operations.status import look_at  # noqa: PLC0415
    from olist_assets.settings.general import load_settings  # noqa: PLC0415
    from olist_assets.sources.deliveries import Deliveries  # noqa: PLC0415

    settings = load_settings()
    require_lake(settings.lake)
    found = look_at(Lake(settings.lake), Deliveries.from_settings(settings))
    problems, notes = ([redact(line, settings.lake, settings.source) for line in lines] for lines in found.lines)
    machines: list[Machine] = []
    try:
        machines = _find_machines(settings)
    except OlistError as error:
        notes.append(f"machines of {settings.engine}: {error}")
    if json_:
        _print_json(
            {
                "lake": redact(settings.lake),
                "tables": [_to_fields(table) for table in found.tables],
                "machines": [asdict(machine) for machine in machines],
                "problems": problems,
                "notes": notes,
            }
        )
    else:
        out.print(_to_grid(f"lake {redact(settings.lake)}", found.tables))
        if machines:
            out.print(_machine_grid(settings.engine, machines))
        for note in notes:
            print_note(note, out)
        for problem in problems:
            out.print(f"[yellow]![/yellow] {literal(problem)}")
        if not problems:
            out.print("no open problems")
    if check and problems:
        raise typer.Exit(1)


def _find_machines(settings: "Settings") -> list["Machine"]:
    """The live machines of the configured engine.

    Raises:
        OlistError: a setting of the engine is not accepted, or AWS refused a request.
    """
    if settings.engine in LOCAL_ENGINES:
        return []
    from olist_assets.engines import create_engine  # noqa: PLC0415 - imports Dagster

    return create_engine(settings).machines()


def _machine_grid(engine: str, machines: list["Machine"]) -> Table:
    grid = Table(title=f"machines of {engine}", title_justify="left", box=None, pad_edge=False)
    for name in ("machine", "state", "run"):
        grid.add_column(name)
    grid.add_column("US$ per hour", justify="right")
    for machine in machines:
        price = f"{machine.price_per_hour:.2f}" if machine.price_per_hour else ""
        grid.add_row(f"{machine.kind} {machine.id}", machine.state, _run_of(machine), price)
    return grid


def _run_of(machine: "Machine") -> str:
    """The run of a worker, or what else it is."""
    if machine.is_own or not machine.is_worker:
        return machine.run_id
    return "of another lake" if machine.run_id else "of another program"


@commands.command(epilog="Examples: `olist stop`, `olist stop --yes`")
def stop(
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this option, only the plan is printed.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the machines as JSON.")] = False,
) -> None:
    """End this lake's workers on AWS, and the cluster or application if no job of others runs on it.

    Notebooks are not jobs: they end with their cluster. A run that waits for its worker fails; what it has committed is
    kept, and `olist run` continues it.
    """
    from olist_assets.engines import create_engine  # noqa: PLC0415 - imports Dagster
    from olist_assets.settings.general import load_settings  # noqa: PLC0415

    settings = load_settings()
    engine = create_engine(settings)
    machines = engine.machines()
    shared = {machine.host for machine in machines if machine.is_worker and not machine.is_own}
    workers = [machine for machine in machines if machine.is_own]
    hosts = [machine for machine in machines if not machine.is_worker and machine.id not in shared]
    to_end = workers + hosts
    errors = list[str]()
    for machine in to_end if yes else []:
        try:
            engine.end_machine(machine)
        except EngineError as error:
            errors.append(f"{machine.kind} {machine.id}: {error}")
    if json_:
        _print_json({"machines": [asdict(machine) for machine in to_end], "ended": yes and not errors})
    elif to_end:
        out.print(_machine_grid(settings.engine, to_end))
        out.print("their end was requested" if yes else "nothing has been ended; do it with --yes")
    else:
        out.print(f"no machine of {settings.engine} to end")
    for host in sorted(shared):
        print_note(f"{host} is left running: others use it too")
    for line in errors:
        print_error(line)
    if errors:
        raise typer.Exit(1)


@commands.command(epilog="Example: `olist spark-ui j-1ABC/s-2DEF`")
def spark_ui(
    job: Annotated[str, typer.Argument(metavar="WORKER", help="A worker's id, from an asset's metadata.")],
) -> None:
    """Print a URL of a worker's Spark UI on EMR. Keep it private: for a short time, it needs no password.

    On a cluster it is the history server, which lists the workers by their names.
    """
    from olist_assets.engines import create_engine  # noqa: PLC0415 - imports Dagster
    from olist_assets.settings.general import load_settings  # noqa: PLC0415

    sys.stdout.write(create_engine(load_settings()).create_spark_ui(job) + "\n")


def _to_grid(title: str, tables: list["TableStatus"]) -> Table:
    grid = Table(title=title, title_justify="left", box=None, pad_edge=False)
    grid.add_column("layer")
    grid.add_column("table")
    grid.add_column("rows", justify="right")
    grid.add_column("version", justify="right")
    grid.add_column("last landing dates")
    for table in tables:
        if table.layer != "quarantine" or table.rows or table.state == "unreadable":
            rows = "unreadable" if table.state == "unreadable" else _or_dash(table.rows)
            grid.add_row(table.layer, table.name, rows, _or_dash(table.version), table.last_window)
    return grid


def _or_dash(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _to_fields(table: "TableStatus") -> dict[str, Any]:
    return {
        "table": table.id,
        "state": table.state,
        "rows": table.rows,
        "version": table.version,
        "last_landing_dates": table.last_window or None,
    }


def _print_json(fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fields, ensure_ascii=False, indent=1) + "\n")


@commands.command(epilog="Examples: `olist rebuild trusted/orders`, `olist rebuild trusted/orders --yes`")
def rebuild(
    tables: Annotated[list[str], typer.Argument(metavar="TABLE…", help="Tables such as trusted/orders, or layers.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this option, only the plan is printed.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    engine: Annotated[
        EngineName | None, typer.Option(help="Engine that runs the steps; OLIST_ENGINE by default.")
    ] = None,
) -> None:
    """Remove tables and all that are computed from them, and recompute them from all loaded days.

    Raw is loaded again from the archive and the source. The command is for tables that cannot be read.
    """
    if yes and json_:
        raise typer.BadParameter("--json prints the plan; it goes without --yes")
    from olist_assets.lake.layout import Lake  # noqa: PLC0415
    from olist_assets.lake.storage import require_lake  # noqa: PLC0415
    from olist_assets.operations import recovery  # noqa: PLC0415
    from olist_assets.settings.general import load_settings  # noqa: PLC0415
    from olist_assets.sources.deliveries import Deliveries  # noqa: PLC0415

    table_ids = recovery.find_tables(tables)
    settings = load_settings()
    require_lake(settings.lake)
    plan = recovery.plan(Lake(settings.lake, settings.after_raw), Deliveries.from_settings(settings), table_ids)
    if json_:
        _print_json(_plan_fields(plan))
        return
    out.print(_plan_grid(plan))
    out.print(f"{len(plan.states)} tables to remove, and to recompute from {plan.window}")
    if not yes:
        out.print("nothing has been changed; do it with --yes")
        return
    run_recovery(open_lakehouse(engine), plan, remove=frozenset(plan.tables))


def _plan_fields(plan: "Recovery") -> dict[str, Any]:
    tables = [
        {
            "table": table.id,
            "state": table.state,
            "rows": table.rows,
            "version": table.version,
            "archived_files": plan.archived.get(table.id),
        }
        for table in plan.states.values()
    ]
    return {"first_day": f"{plan.window.days[0]}", "last_day": f"{plan.window.days[-1]}", "tables": tables}


def _plan_grid(plan: "Recovery") -> Table:
    grid = Table(box=None, pad_edge=False)
    grid.add_column("table")
    grid.add_column("state")
    for name in ("rows", "version", "archived files"):
        grid.add_column(name, justify="right")
    for table in plan.states.values():
        archived = f"{plan.archived[table.id]:,}" if table.id in plan.archived else ""
        grid.add_row(table.id, table.state, _or_dash(table.rows), _or_dash(table.version), archived)
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
