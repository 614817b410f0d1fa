"""What the report's charts share: size, axes, scales and legends."""

import json
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import altair as alt

from olist_assets.serving.report.queries import Row, first_day, next_month

Color = Callable[[str], str]
"""A color by its name in the palette: as a variable of the page's style sheet, or as its value."""

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif'
_DAY_LABEL = (
    "utcdate(datum.value) != 1 ? utcFormat(datum.value, '%-d %b')"
    " : datum.index == 0 || utcmonth(datum.value) == 0"
    " ? [utcFormat(datum.value, '%b'), utcFormat(datum.value, '%Y')] : utcFormat(datum.value, '%b')"
)
_MAX_MONTHS_LABELED, _MAX_MONTHS_BY_QUARTER = 8, 36

LEGEND = 21
"""The height of a one-line legend in pixels: a chart without one is taller by it, to match a neighbor with one."""

LEFT = 44
"""The width of the labels of a vertical axis in pixels, so that stacked charts start at the same position."""


def to_spec(chart: alt.TopLevelMixin, color: Color, *, validate: bool = False) -> dict[str, Any]:
    """The chart as a Vega-Lite specification, compared with the schema of Vega-Lite if `validate` is set."""
    return chart.configure(
        background="transparent",
        font=FONT,
        aria=False,  # the page has a text for each chart
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            title=None,
            labelColor=color("axis"),
            labelFontSize=12,
            labelPadding=6,
            gridColor=color("grid"),
            domainColor=color("axis"),
            tickColor=color("axis"),
            ticks=False,
        ),
        axisX=alt.AxisConfig(grid=False),
        axisY=alt.AxisConfig(domain=False),
        legend=alt.LegendConfig(title=None, labelColor=color("ink-soft"), labelFontSize=12, labelLimit=260),
        text=alt.MarkConfig(fontSize=12),
    ).to_dict(validate=validate)


def resize(chart: Any, height: int) -> Any:
    """The chart as wide as its container, and `height` pixels high."""
    return chart.properties(
        width="container", height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"), padding=0
    )


def inline_data(rows: list[dict[str, Any]]) -> alt.InlineData:
    """Rows as the data of a chart."""
    return alt.InlineData(values=rows)


def tooltip(*names: str, **titles: str) -> list[alt.Tooltip]:
    """The texts in these columns; those in `titles` have another title than the column's name.

    All channels are objects. Altair compares a channel that is a text, such as "name:N", with all of its schemas.
    """
    return [alt.Tooltip(f"{name}:N") for name in names] + [
        alt.Tooltip(f"{name}:N", title=title) for name, title in titles.items()
    ]


def months_axis(months: Iterable[Row], *, points: bool = False) -> alt.X:
    """An axis of all months from the first to the last of the rows, without gaps; as bands, or as points."""
    known = sorted({first_day(row) for row in months})
    calendar = [known[0]]
    while calendar[-1] < known[-1]:
        calendar.append(next_month(calendar[-1]))
    axis = alt.Axis(
        labelExpr=f"{json.dumps(_month_labels(calendar))}[datum.value] || ''",
        labelAngle=0,
        labelOverlap=False,
        domain=True,
    )
    domain = [f"{day:%Y-%m}" for day in calendar]
    bands = alt.Scale(domain=domain, paddingInner=0.25, paddingOuter=0.1)
    scale = alt.Scale(domain=domain, padding=0.5) if points else bands
    return alt.X("month:O", scale=scale, axis=axis)


def _month_labels(months: list[date]) -> dict[str, str | list[str]]:
    """The labels of a month axis: each month, the first of each quarter, or each January, depending on their number.

    The axis starts with a label if there is room. The year is on the first label of each year, in a second line.
    """
    step = 1 if len(months) <= _MAX_MONTHS_LABELED else 3 if len(months) <= _MAX_MONTHS_BY_QUARTER else 12
    labeled = [day for day in months if (day.month - 1) % step == 0]
    if not labeled or (labeled[0] - months[0]).days > 31 * (step - 1) * 2 / 3:
        labeled.insert(0, months[0])
    first_of_year = {day.year: day for day in reversed(labeled)}
    if len(labeled) > 1 and step > 1 and labeled[1].month == 1:  # no room for two years side by side
        del first_of_year[labeled[0].year]
    return {
        f"{day:%Y-%m}": [f"{day:%b}", f"{day:%Y}"] if first_of_year.get(day.year) == day else f"{day:%b}"
        for day in labeled
    }


def time_axis() -> alt.Axis:
    """An axis of days (UTC), with labels of months or of days where there is room."""
    return alt.Axis(labelExpr=_DAY_LABEL, tickCount=alt.expr("max(5, width / 110)"), labelFlush=True, labelOverlap=True)


def amounts_axis(ticks: int, d3_format: str) -> alt.Axis:
    """A vertical axis with about this number of ticks, labeled in a format of d3."""
    label = f"datum.value == 0 ? '0' : format(datum.value, '{d3_format}')"
    return alt.Axis(tickCount=ticks, labelExpr=label, minExtent=LEFT, maxExtent=LEFT)


def bar_scale(longest: float, *, names_width: int, label_width: int) -> alt.Scale:
    """A scale of horizontal bars that leaves room for a label after the longest one; widths are in pixels.

    The plot is as wide as the chart without the names, and the longest bar ends `label_width` before its end.
    """
    plot = f"max(width - {names_width}, {label_width} + 60)"
    domain_end = alt.expr(f"{longest} * {plot} / ({plot} - {label_width})")
    return alt.Scale(domainMin=0, domainMax=domain_end, nice=False)


def names_axis(limit: int) -> alt.Axis:
    """A vertical axis of names, each at most `limit` pixels wide."""
    return alt.Axis(labelLimit=limit, labelFontSize=13, labelColor=alt.Undefined)


def legend(symbol: str) -> alt.Legend:
    """A legend above the plot, in one line if there is room."""
    columns = alt.expr("width < 420 ? 2 : 4")
    return alt.Legend(orient="top", direction="horizontal", symbolType=symbol, columns=columns, offset=8, padding=0)
