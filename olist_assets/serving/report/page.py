"""The report's page: KPIs, captions, charts and tables in one HTML file that needs no network."""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

import jinja2
from altair.utils.schemapi import debug_mode
from markupsafe import Markup

from olist_assets.serving.report import axes, captions, daily_charts, formatting, palette, vega
from olist_assets.serving.report.kpis import Kpi, build_kpis
from olist_assets.serving.report.queries import TABLES_READ, ReportData, first_day, next_month, run_queries
from olist_assets.serving.report.sections import Section, build_sections, to_table
from spark_steps.tables import TABLES

if TYPE_CHECKING:
    from olist_assets.lake.step_records import StepRecord
    from olist_assets.serving.sql.session import Session

TITLE = "Olist sales report"
_MAX_TABLE_ROWS = 40


@dataclass(frozen=True)
class Report:
    """A report.

    Attributes:
        html: the page.
        headline: the KPIs by name, as the page shows them.
        as_of: when the newest data were extracted; None without data.
    """

    html: str
    headline: Mapping[str, str]
    as_of: datetime | None


def build(
    session: "Session",
    *,
    records: "Iterable[StepRecord]" = (),
    left_out: Iterable[str] = (),
    written_at: datetime | None = None,
) -> Report:
    """Build the report of a lake. The same session, records and time give the same bytes.

    Args:
        session: SQL over one set of table versions.
        records: the newest step record of each table, for the time of the last run and for failed tables.
        left_out: lines about files and rows that are ignored, due later or waiting.
        written_at: the time of writing that the page shows; None shows none.

    Raises:
        QueryError: a table cannot be read.
    """
    data = run_queries(session)
    sections = build_sections(data)
    kpis = build_kpis(data)
    return Report(
        html=_render(data, kpis, sections, _quality(data, list(records), list(left_out)), written_at),
        headline={kpi.label: kpi.value for kpi in kpis},
        as_of=data.as_of,
    )


def _render(
    data: ReportData,
    kpis: list[Kpi],
    sections: list[Section],
    quality: Mapping[str, Any],
    written_at: datetime | None,
) -> str:
    charts = [chart for section in sections for chart in section.charts]
    with debug_mode(arg=False):  # tests validate the charts; here it would take longer than drawing them
        specs = {chart.key: axes.to_spec(chart.draw(palette.variable), palette.variable) for chart in charts}
    chart_data = {"specs": specs, "days": daily_charts.rows(data) if data["days"] else []}
    script = f"{vega.load_library() if charts else ''}\n{_read_text('page.js')}".replace("\r", "")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_read_text("page.html.j2")).render(
        title=TITLE,
        lead=captions.lead(data),
        data=data,
        kpis=kpis,
        sections=sections,
        periods=_periods(data),
        quality=quality,
        written_at=written_at.astimezone(UTC) if written_at else None,
        fmt=formatting,
        max_table_rows=_MAX_TABLE_ROWS,
        # Without any < the data cannot end the script element.
        chart_data=Markup(json.dumps(chart_data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")),  # noqa: S704
        script=Markup(script),  # noqa: S704 - Vega's code and this package's
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
        style=Markup(_style()),  # noqa: S704 - this package's
    )


def _style() -> str:
    def variables(colors: Mapping[str, str]) -> str:
        return "".join(f"--{name}:{color};" for name, color in colors.items())

    return (
        f":root{{color-scheme:light dark;{variables(palette.LIGHT)}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{variables(palette.DARK)}}}}}\n{_read_text('page.css')}"
    )


def _periods(data: ReportData) -> list[tuple[str, str, str]]:
    """The periods that have a button: name, first day and last day; both are empty for the whole."""
    if not data["days"] or data.kpi_month is None:
        return []
    month = first_day(data.kpi_month)
    first = data["days"][0].purchase_date
    last = next_month(month) - timedelta(days=1)
    periods = [("All", "", "")]
    for months in (12, 3):
        start = date(month.year + (month.month - months) // 12, (month.month - months) % 12 + 1, 1)
        if start > first:
            periods.append((f"{months} months", start.isoformat(), last.isoformat()))
    if month > first:
        periods.append((formatting.month(month), month.isoformat(), last.isoformat()))
    return periods


def _quality(data: ReportData, records: "list[StepRecord]", left_out: list[str]) -> dict[str, Any]:
    """The state of the data: rows and files left out, freshness, last run, failed tables, versions by layer."""
    started = [record.started_at for record in records]
    versions = {table: data.versions[table] for table in TABLES_READ if table in data.versions}
    source = {"Source": lambda row: row.name.replace("_", " ")}
    rows = {"Rows": lambda row: formatting.number(row.rows)}
    return {
        "reasons": to_table(
            data["quarantined"], source | {"Reason": lambda row: row.reason} | rows, text_columns=("Reason",)
        ),
        "freshness": to_table(
            data["landed"], source | rows | {"Newest delivery": lambda row: formatting.day(row.landed)}
        ),
        "quarantined": sum(row.rows for row in data["quarantined"]),
        "rows": sum(row.rows for row in data["landed"]),
        "last_run": max(started).astimezone(UTC) if started else None,
        "left_out": left_out,
        "failed": [f"{r.table}: {r.error}" for r in records if not r.succeeded],
        "versions": {
            layer: [(TABLES[table].name, version) for table, version in items]
            for layer, items in groupby(versions.items(), key=lambda item: TABLES[item[0]].layer)
        },
    }


def _read_text(name: str) -> str:
    return files("olist_assets.serving.report").joinpath(name).read_text(encoding="utf-8")
