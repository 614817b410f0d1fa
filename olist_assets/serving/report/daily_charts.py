"""The report's charts by day, made with Altair: they share their rows, and the period that is chosen on the page."""

from datetime import date, timedelta
from typing import Any

import altair as alt

from olist_assets.serving.report import axes, formatting
from olist_assets.serving.report.axes import Color
from olist_assets.serving.report.queries import ReportData

DAYS = "days"
"""The name of the data set that the charts by day share: one row per day."""

_NOTES = {
    "orders": "format(datum.orders, ',') + ' orders'",
    "revenue": "'R$ ' + format(datum.revenue, ',.0f')",
}


def rows(data: ReportData) -> list[dict[str, Any]]:
    """The rows of the charts by day: amounts, and their means over the last seven days."""
    return [
        {
            "date": row.purchase_date.isoformat(),
            "next": (row.purchase_date + timedelta(days=1)).isoformat(),
            "orders": row.orders,
            "revenue": float(row.revenue),
            "week_orders": round(row.week_orders, 1),
            "week_revenue": round(row.week_revenue, 2),
            "when": f"{row.purchase_date:%a} {formatting.day(row.purchase_date)}",
        }
        for row in data["days"]
    ]


def by_day(data: ReportData, column: str, height: int, color: Color) -> alt.LayerChart:
    """Orders or revenue by day, in the period that is chosen in the overview, with a note at the best day."""
    first, last = data["days"][0].purchase_date, data["days"][-1].purchase_date
    chart = alt.Chart(alt.NamedData(DAYS)).transform_filter("datum.date >= start && datum.date < end")
    x = alt.X("date:T", scale=alt.Scale(type="utc"), axis=axes.time_axis())
    y = alt.Y(f"{column}:Q", axis=axes.amounts_axis(4, "~s"), scale=alt.Scale(nice=4))
    mean = alt.Y(f"week_{column}:Q")
    tooltip = [
        alt.Tooltip("when:N", title="Day"),
        alt.Tooltip("orders:Q", title="Orders", format=","),
        alt.Tooltip("revenue:Q", title="Revenue, R$", format=",.2f"),
    ]
    layers = alt.layer(
        chart.mark_area(interpolate="step-after", color=color(column), opacity=0.28).encode(x=x, y=y),
        chart.mark_line(color=color(column), strokeWidth=2, strokeJoin="round").encode(x=x, y=mean),
        _note_at_best_day(chart, column, color("ink-soft")).encode(x=x, y=y, text=alt.Text("note:N")),
        chart.mark_bar(opacity=0).encode(x=x, x2=alt.X2("next:T"), tooltip=tooltip),
    )
    params = [alt.param(name="start", value=_milliseconds(first)), alt.param(name="end", value=_milliseconds(last) + 1)]
    return axes.resize(layers.add_params(*params), height)


def _note_at_best_day(chart: alt.Chart, column: str, color: str) -> alt.Chart:
    """Day and value as text at the highest day: on its left in the period's second half, else on its right."""
    best = chart.transform_window(
        rank="row_number()", sort=[alt.SortField(column, order="descending"), alt.SortField("date")]
    ).transform_filter("datum.rank == 1")
    in_second_half = "datum.date > (+start + end) / 2"
    return best.transform_calculate(note=f"utcFormat(datum.date, '%-d %b %Y: ') + {_NOTES[column]}").mark_text(
        align=alt.expr(f"{in_second_half} ? 'right' : 'left'"),
        dx=alt.expr(f"{in_second_half} ? -7 : 7"),
        dy=4,
        color=color,
    )


def overview(color: Color) -> alt.Chart:
    """Revenue by day as a strip in which a period can be chosen."""
    brush = alt.selection_interval(
        name="brush",
        encodings=["x"],
        mark=alt.BrushConfig(fill=color("ink"), fillOpacity=0.1, stroke=color("ink-soft"), strokeOpacity=0.6),
    )
    chart = (
        alt.Chart(alt.NamedData(DAYS), name="overview")
        .mark_area(color=color("revenue"), opacity=0.45)
        .encode(
            x=alt.X("date:T", scale=alt.Scale(type="utc"), axis=axes.time_axis()),
            y=alt.Y("week_revenue:Q", axis=alt.Axis(labels=False, grid=False, minExtent=axes.LEFT)),
        )
    )
    return axes.resize(chart.add_params(brush), 40)


def _milliseconds(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400_000
