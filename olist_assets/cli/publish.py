"""`olist register`, `olist report`: publish the tables and the report."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from olist_assets.aws.redaction import redact
from olist_assets.cli.console import err, out, print_note

commands = typer.Typer()


@commands.command(epilog="Examples: `olist register`, `olist register --dry-run`, `olist register --drop`")
def register(
    drop: Annotated[
        bool, typer.Option("--drop", help="Drop tables from Glue that are no longer declared or no longer in the lake.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the changes without making them.")] = False,
) -> None:
    """Register the tables of trusted and refined in Glue, for Athena, QuickSight and Spark. Write only differences."""
    from olist_assets.catalog import glue  # noqa: PLC0415
    from olist_assets.settings.general import load_settings  # noqa: PLC0415

    settings = load_settings()
    name = settings.glue or glue.DEFAULT_NAME
    with err.status("comparing the lake with Glue"):
        outcomes = glue.register(settings.lake, name, drop=drop, dry_run=dry_run)
    for place, outcome in outcomes.items():
        if outcome in glue.CHANGES:
            out.print(f"  {'would be ' if dry_run else ''}{outcome} {place}")
    remedies = {
        glue.Outcome.NOT_WRITTEN: "write them with `olist run`",
        glue.Outcome.VANISHED: "drop them with --drop",
    }
    for outcome, remedy in remedies.items():
        if places := [place for place, result in outcomes.items() if result == outcome]:
            print_note(f"{outcome}: {', '.join(places)}; {remedy}")
    counts = glue.table_counts(outcomes)
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count) or "nothing"
    databases = " and ".join(glue.database_name(layer, name) for layer in glue.DATABASES)
    out.print(f"{databases}: {summary}")


@commands.command(epilog="Examples: `olist report --open`, `olist report --output report.html`")
def report(
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="File to write the page to, instead of the lake.", dir_okay=False)
    ] = None,
) -> None:
    """Write the sales report from the newest tables: one HTML page that needs no network."""
    from olist_assets.lake.layout import Lake  # noqa: PLC0415
    from olist_assets.lake.storage import require_lake  # noqa: PLC0415
    from olist_assets.operations.status import describe_left_out  # noqa: PLC0415
    from olist_assets.serving import report as serving  # noqa: PLC0415
    from olist_assets.settings.general import load_settings  # noqa: PLC0415
    from olist_assets.sources.deliveries import Deliveries  # noqa: PLC0415

    settings = load_settings()
    require_lake(settings.lake)
    lake = Lake(settings.lake)
    with err.status("writing the report"):
        records = lake.step_records.newest_of_lineage()
        left_out = describe_left_out(Deliveries.from_settings(settings).notices(), records)
        page = serving.make(lake.root, records=records, left_out=left_out, written_at=datetime.now(UTC))
        if output is None:
            serving.put(lake.store, page, on_s3=lake.on_s3)
    path = redact(f"{lake.root}/{serving.PATH}")
    if open_ and output is None and lake.on_s3:  # a browser cannot read a private bucket
        output = settings.dagster_home.parent / "report.html"
        out.print(escape(path))
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page.html, encoding="utf-8")
        path = str(output.resolve())
    out.print(escape(path))
    if open_:
        _open_in_browser(path)


def _open_in_browser(path: str) -> None:
    import webbrowser  # noqa: PLC0415

    if not webbrowser.open(Path(path).as_uri()):
        print_note("no browser was found; open the file by hand")
