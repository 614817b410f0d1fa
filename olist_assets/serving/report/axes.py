"""What the report's charts have in common: size, axes, legends and type."""

import json
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import altair as alt

from olist_assets.serving.report.queries import Row, first_day, next_month

Paint = Callable[[str], str]
"""The colour of a name: a variable of the page's style sheet, or its value."""

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif'
_DAY_LABEL = (
    "utcdate(datum.value) != 1 ? utcFormat(datum.value, '%-d %b')"
    " : datum.index == 0 || utcmonth(datum.value) == 0"
    " ? [utcFormat(datum.value, '%b'), utcFormat(datum.value, '%Y')] : utcFormat(datum.value, '%b')"
)
_FEW_MONTHS, _MANY_MONTHS = 8, 36

LEGEND = 21
"""The height of a legend in one line: a chart without one is as much taller than its neighbour's plot."""

LEFT = 44
"""Room for the labels of a vertical axis, so that charts one above the other begin alike."""


def spec(chart: alt.TopLevelMixin, paint: Paint) -> dict[str, Any]:
    """The chart in Vega-Lite, as the page or a picture shows it."""
    return chart.configure(
        background="transparent",
        font=FONT,
        aria=False,  # the page says in words what a chart shows
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            title=None,
            labelColor=paint("axis"),
            labelFontSize=12,
            labelPadding=6,
            gridColor=paint("grid"),
            domainColor=paint("axis"),
            tickColor=paint("axis"),
            ticks=False,
        ),
        axisX=alt.AxisConfig(grid=False),
        axisY=alt.AxisConfig(domain=False),
        legend=alt.LegendConfig(title=None, labelColor=paint("ink-soft"), labelFontSize=12, labelLimit=260),
        text=alt.MarkConfig(fontSize=12),
    ).to_dict()


def sized(chart: Any, height: int) -> Any:
    """The chart as wide as its place on the page, and so many pixels high."""
    return chart.properties(
        width="container", height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"), padding=0
    )


def inline(rows: list[dict[str, Any]]) -> alt.InlineData:
    """The rows as the data of a chart."""
    return alt.InlineData(values=rows)


def months_axis(months: Iterable[Row], *, points: bool = False) -> alt.X:
    """An axis of all months from the first to the last, those without rows too; of bands, or of points."""
    known = sorted({first_day(row) for row in months})
    every = [known[0]]
    while every[-1] < known[-1]:
        every.append(next_month(every[-1]))
    axis = alt.Axis(
        labelExpr=f"{json.dumps(_labels(every))}[datum.value] || ''", labelAngle=0, labelOverlap=False, domain=True
    )
    domain = [f"{day:%Y-%m}" for day in every]
    bands = alt.Scale(domain=domain, paddingInner=0.25, paddingOuter=0.1)
    scale = alt.Scale(domain=domain, padding=0.5) if points else bands
    return alt.X("month:O", scale=scale, axis=axis)


def _labels(months: list[date]) -> dict[str, str | list[str]]:
    """The labels of an axis: of each quarter's first month, and of the first month where there is room; years once."""
    every = 1 if len(months) <= _FEW_MONTHS else 3 if len(months) <= _MANY_MONTHS else 12
    shown = [day for day in months if (day.month - 1) % every == 0]
    if not shown or (shown[0] - months[0]).days > 31 * (every - 1) * 2 / 3:
        shown.insert(0, months[0])
    years = {day.year: day for day in reversed(shown)}
    if len(shown) > 1 and every > 1 and shown[1].month == 1:  # no room for two years side by side
        del years[shown[0].year]
    return {f"{day:%Y-%m}": [f"{day:%b}", f"{day:%Y}"] if years.get(day.year) == day else f"{day:%b}" for day in shown}


def time_axis() -> alt.Axis:
    """An axis of days (UTC): labels as many as there is room for, of months or of days."""
    return alt.Axis(labelExpr=_DAY_LABEL, tickCount=alt.expr("max(5, width / 110)"), labelFlush=True, labelOverlap=True)


def amounts_axis(ticks: int, form: str) -> alt.Axis:
    """A vertical axis with about so many ticks, their labels in a format of d3."""
    label = f"datum.value == 0 ? '0' : format(datum.value, '{form}')"
    return alt.Axis(tickCount=ticks, labelExpr=label, minExtent=LEFT, maxExtent=LEFT)


def with_room(most: float, *, names: int, label: int) -> alt.Scale:
    """A scale whose longest bar leaves room for a label of so many pixels, beside names of so many."""
    plot = f"max(width - {names}, {label} + 60)"
    return alt.Scale(domainMin=0, domainMax=alt.expr(f"{most} * {plot} / ({plot} - {label})"), nice=False)


def names_axis(limit: int) -> alt.Axis:
    """A vertical axis of names, each at most so many pixels wide."""
    return alt.Axis(labelLimit=limit, labelFontSize=13, labelColor=alt.Undefined)


def legend(symbol: str) -> alt.Legend:
    """A legend above the plot, in one line where there is room."""
    columns = alt.expr("width < 420 ? 2 : 4")
    return alt.Legend(orient="top", direction="horizontal", symbolType=symbol, columns=columns, offset=8, padding=0)
