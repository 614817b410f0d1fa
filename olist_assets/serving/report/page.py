"""The report's page: figures, sentences and charts put together into one HTML file that needs no network."""

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
from markupsafe import Markup

from olist_assets.serving.report import axes, captions, charts, palette, vega
from olist_assets.serving.report.kpis import Kpi, build_kpis
from olist_assets.serving.report.queries import TABLES_READ, Figures, first_day, next_month, read
from olist_assets.serving.report.sections import Chart, Section, build_sections
from spark_steps.tables import TABLES

if TYPE_CHECKING:
    from olist_assets.lake.step_records import StepRecord
    from olist_assets.serving.sql.session import Session

TITLE = "Olist sales report"
_LONGEST_TABLE = 40
_PICTURE_WIDTH = 400


@dataclass(frozen=True)
class Report:
    """The page, its headline figures by name as it shows them, and pictures (PNG) of some charts by their titles."""

    html: str
    headline: Mapping[str, str]
    as_of: datetime | None
    pictures: Mapping[str, bytes]


def build(
    session: "Session",
    *,
    records: "Iterable[StepRecord]" = (),
    written_at: datetime | None = None,
    pictures: Iterable[str] = (),
) -> Report:
    """Make the report of a lake. The same session, records and time make the same bytes.

    Args:
        session: SQL over one set of table versions.
        records: the newest record of each table's steps: when they last ran, and which failed.
        written_at: when the page is written, as it shall say; not said if None.
        pictures: keys of the charts to have pictures of: revenue, states and so on. Those without rows have none.
    """
    figures = read(session)
    sections = build_sections(figures)
    drawn = {chart.key: chart for section in sections for chart in section.charts}
    headline = build_kpis(figures)
    return Report(
        html=_html(figures, headline, sections, list(records), written_at),
        headline={figure.label: figure.value for figure in headline},
        as_of=figures.as_of,
        pictures={drawn[key].title: _picture(drawn[key], figures) for key in pictures if key in drawn},
    )


def _picture(chart: Chart, figures: Figures) -> bytes:
    spec = axes.spec(chart.draw(palette.LIGHT.__getitem__), palette.LIGHT.__getitem__)
    return vega.picture(
        spec | {"datasets": {charts.DAYS: charts.days(figures)}} if _of_days(spec) else spec, _PICTURE_WIDTH
    )


def _of_days(spec: Mapping[str, Any]) -> bool:
    return spec.get("data") == {"name": charts.DAYS}


def _html(
    figures: Figures,
    headline: list[Kpi],
    sections: list[Section],
    records: "list[StepRecord]",
    written_at: datetime | None,
) -> str:
    drawn = [chart for section in sections for chart in section.charts]
    specs = {chart.key: axes.spec(chart.draw(palette.variable), palette.variable) for chart in drawn}
    data = {"specs": specs, "days": charts.days(figures) if figures["days"] else []}
    script = f"{vega.library() if drawn else ''}\n{_text('page.js')}".replace("\r", "")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_text("page.html.j2")).render(
        title=TITLE,
        figures=figures,
        headline=headline,
        sections=sections,
        periods=_periods(figures),
        quality=_quality(figures, records),
        written_at=written_at.astimezone(UTC) if written_at else None,
        words=captions,
        longest_table=_LONGEST_TABLE,
        # A text that would end the script cannot: no < is left in it.
        data=Markup(json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")),  # noqa: S704
        script=Markup(script),  # noqa: S704 - Vega's code and this package's
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
        style=Markup(_style()),  # noqa: S704 - this package's
    )


def _style() -> str:
    def variables(palette: Mapping[str, str]) -> str:
        return "".join(f"--{name}:{colour};" for name, colour in palette.items())

    return (
        f":root{{color-scheme:light dark;{variables(palette.LIGHT)}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{variables(palette.DARK)}}}}}\n{_text('page.css')}"
    )


def _periods(figures: Figures) -> list[tuple[str, str, str]]:
    """Periods to choose by a button: name, first and last day."""
    if not figures["days"] or figures.headline is None:
        return []
    month = first_day(figures.headline)
    first = figures["days"][0].purchase_date
    last = next_month(month) - timedelta(days=1)
    found = [("All", "", "")]
    for months in (12, 3):
        start = date(month.year + (month.month - months) // 12, (month.month - months) % 12 + 1, 1)
        if start > first:
            found.append((f"{months} months", start.isoformat(), last.isoformat()))
    if month > first:
        found.append((captions.month(month), month.isoformat(), last.isoformat()))
    return found


def _quality(figures: Figures, records: "list[StepRecord]") -> dict[str, Any]:
    """What the strip on the data says: quarantine, freshness, last run and versions."""
    failed = [f"{r.table}: {r.error}" for r in records if not r.succeeded]
    started = [r.started_at for r in records]
    read_of = {table: figures.versions[table] for table in TABLES_READ if table in figures.versions}
    return {
        "quarantined": sum(row.rows for row in figures["quarantined"]),
        "rows": sum(row.rows for row in figures["landed"]),
        "last_run": max(started).astimezone(UTC) if started else None,
        "failed": failed,
        "versions": {
            layer: [(TABLES[table].name, version) for table, version in versions]
            for layer, versions in groupby(read_of.items(), key=lambda item: TABLES[item[0]].layer)
        },
    }


def _text(name: str) -> str:
    return files("olist_assets.serving.report").joinpath(name).read_text(encoding="utf-8")
