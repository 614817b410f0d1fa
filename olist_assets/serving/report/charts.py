"""The report's charts by place, month, delay and score, made with Altair from the report's data and the colors."""

import math
from collections.abc import Iterable
from typing import Any

import altair as alt

from olist_assets.serving.report import axes, formatting
from olist_assets.serving.report.axes import Color
from olist_assets.serving.report.brazil import STATES
from olist_assets.serving.report.queries import ReportData, Row

_STEP_SHARES = (0.01, 0.02, 0.05, 0.10)
"""The shares of revenue at which a state's tile takes the next color."""

_MAX_DELAY = 30
"""Deliveries that are farther from the promised date, in days, are counted at the ends of the chart."""

# --- Places --------------------------------------------------------------------------------------------------------


def states(data: ReportData, color: Color) -> alt.LayerChart:
    """The states' shares of revenue, as a map of tiles."""
    rows = _state_rows(data)
    steps = list(range(len(_STEP_SHARES) + 1))
    tiles = alt.Chart(axes.inline_data(rows)).encode(
        x=alt.X("column:O", axis=None, scale=alt.Scale(paddingInner=0.06, paddingOuter=0)),
        y=alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0.06, paddingOuter=0)),
        tooltip=axes.tooltip("State", "Orders", "Revenue", share="Share of revenue"),
    )
    fill = alt.Color("step:O", legend=None, scale=alt.Scale(domain=steps, range=[color(f"step-{i}") for i in steps]))
    ink = alt.Color("step:O", legend=None, scale=alt.Scale(domain=steps, range=[color(f"on-step-{i}") for i in steps]))
    layers = alt.layer(
        tiles.mark_rect(cornerRadius=2).encode(color=fill),
        tiles.mark_text(dy=-8, fontSize=13, fontWeight=600).encode(text=alt.Text("code:N"), color=ink),
        tiles.mark_text(dy=9, fontSize=12).encode(text=alt.Text("share:N"), color=ink),
    ).resolve_scale(color="independent")
    return axes.resize(layers, 400)


def _state_rows(data: ReportData) -> list[dict[str, Any]]:
    sold = {row.state: row for row in data["states"]}
    total = float(sum(row.revenue for row in data["states"]))
    rows = []
    for code, (name, row, column) in STATES.items():
        share = float(sold[code].revenue) / total if code in sold and total else None
        step = 0 if share is None else sum(share >= limit for limit in _STEP_SHARES)
        rows.append(
            {"code": code, "row": row, "column": column, "step": step}
            | {"share": formatting.percent(share), "State": name}
            | {"Orders": formatting.number(sold[code].orders if code in sold else 0)}
            | {"Revenue": formatting.money(sold[code].revenue if code in sold else 0)}
        )
    return rows


def cities(data: ReportData, color: Color) -> alt.LayerChart:
    """Revenue of the first ten cities."""
    rows = [
        {"City": formatting.place(row), "value": float(row.revenue), "Revenue": formatting.money(row.revenue)}
        | {"Orders": formatting.number(row.orders), "Average ticket": formatting.money(row.average_ticket, 2)}
        for row in data["cities"]
    ]
    longest = float(max(row.revenue for row in data["cities"]))
    scale = axes.bar_scale(longest, names_width=125, label_width=84)
    names = alt.Y("City:N", sort=None, scale=alt.Scale(paddingInner=0.34), axis=axes.names_axis(150))
    tooltip = axes.tooltip("City", "Revenue", "Orders", "Average ticket")
    chart = _labeled_bars(rows, scale, names, tooltip, label="Revenue", fill=color("revenue"), ink=color("ink"))
    return axes.resize(chart, max(40 * len(rows), 60))


def _labeled_bars(
    rows: list[dict[str, Any]],
    scale: alt.Scale,
    names: alt.Y,
    tooltip: list[alt.Tooltip],
    *,
    label: str,
    fill: str,
    ink: str,
) -> alt.LayerChart | alt.FacetChart:
    """Horizontal bars of the rows' `value`, each with its name before it and its label after it."""
    bars = alt.Chart(axes.inline_data(rows)).encode(
        x=alt.X("value:Q", axis=None, scale=scale), y=names, tooltip=tooltip
    )
    labels = bars.mark_text(align="left", dx=6, color=ink).encode(text=alt.Text(f"{label}:N"))
    return alt.layer(bars.mark_bar(color=fill), labels)


# --- Months --------------------------------------------------------------------------------------------------------


def payments(data: ReportData, color: Color) -> alt.Chart:
    """Payments by month of purchase and payment type."""
    rows = [
        {
            "month": row.order_month,
            "type": formatting.PAYMENT_TYPE_NAMES[row.payment_type],
            "value": float(row.payment_value),
        }
        | {
            "Month": formatting.month(row),
            "Paid": formatting.money(row.payment_value),
            "Payments": formatting.number(row.payments),
        }
        for row in data["payments"]
    ]
    present = {row["type"] for row in rows}
    palette = zip(
        formatting.PAYMENT_TYPE_NAMES.values(), ("card", "boleto", "voucher", "debit", "undefined"), strict=True
    )
    colors = {name: color(key) for name, key in palette if name in present}
    tooltip = axes.tooltip("Month", type="") + axes.tooltip("Paid", "Payments")
    return _stacked_bars(rows, data["payments"], "type", colors, tooltip, d3_format="~s", edge=color("page"))


def moves(data: ReportData, color: Color) -> alt.Chart:
    """Changes of address by the month of the order that revealed them, and by their distance."""
    rows = [
        {"month": row.order_month, "to": formatting.MOVE_NAMES[row.goes_to], "value": row.changes}
        | {"Month": formatting.month(row), "Changes": formatting.number(row.changes)}
        for row in data["moves"]
    ]
    colors = dict(zip(formatting.MOVE_NAMES.values(), map(color, ("near", "farther", "far")), strict=True))
    months = [*data["months"], *data["moves"]]
    tooltip = axes.tooltip("Month", to="") + axes.tooltip("Changes")
    return _stacked_bars(rows, months, "to", colors, tooltip, d3_format="~d", edge=color("page"))


def _stacked_bars(
    rows: list[dict[str, Any]],
    months: Iterable[Row],
    column: str,
    colors: dict[str, str],
    tooltip: list[alt.Tooltip],
    *,
    d3_format: str,
    edge: str,
) -> alt.Chart:
    """Bars by month of the rows' `value`, stacked by the names in `column`, which have these colors in this order."""
    order = list(colors)
    for row in rows:
        row["order"] = order.index(row[column])
    scale = alt.Scale(domain=order, range=list(colors.values()))
    chart = (
        alt.Chart(axes.inline_data(rows))
        .mark_bar(stroke=edge, strokeWidth=0.8)
        .encode(
            x=axes.months_axis(months),
            y=alt.Y("value:Q", axis=axes.amounts_axis(4, d3_format), scale=alt.Scale(nice=4)),
            color=alt.Color(f"{column}:N", scale=scale, legend=axes.legend("square")),
            order=alt.Order("order:O"),
            tooltip=tooltip,
        )
    )
    return axes.resize(chart, 260)


def delivery(data: ReportData, color: Color) -> alt.Chart:
    """Median days to delivery and to the promised date, by month of purchase."""
    months = data.months_with("delivery_days")
    rows = [
        {"month": row.order_month, "kind": kind, "value": round(value, 2)}
        | {"Month": formatting.month(row), "Days": formatting.number(value, 1)}
        for row in months
        for kind, value in (("Delivered", row.delivery_days), ("Promised", row.promised_days))
        if value is not None
    ]
    kinds = ["Delivered", "Promised"]
    dashes = alt.Scale(domain=kinds, range=[[1, 0], [5, 4]])
    colors = alt.Scale(domain=kinds, range=[color("orders"), color("axis")])
    chart = (
        alt.Chart(axes.inline_data(rows))
        .mark_line(strokeWidth=2.5, strokeJoin="round", point=alt.OverlayMarkDef(size=28, strokeDash=[1, 0]))
        .encode(
            x=axes.months_axis(months, points=True),
            y=alt.Y("value:Q", axis=axes.amounts_axis(5, "~s"), scale=alt.Scale(zero=True)),
            color=alt.Color("kind:N", scale=colors, legend=axes.legend("stroke")),
            strokeDash=alt.StrokeDash("kind:N", scale=dashes, legend=axes.legend("stroke")),
            tooltip=axes.tooltip("Month", kind="Half of the orders", Days="Within, days"),
        )
    )
    return axes.resize(chart, 230)


def late(data: ReportData, color: Color) -> alt.Chart:
    """The share of deliveries after the promised date, by month of purchase."""
    months = data.months_with("late_share")
    rows = [
        {"month": row.order_month, "value": row.late_share}
        | {
            "Month": formatting.month(row),
            "Late": formatting.percent(row.late_share),
            "Delivered": formatting.number(row.delivered),
        }
        for row in months
    ]
    chart = (
        alt.Chart(axes.inline_data(rows))
        .mark_bar(color=color("late"))
        .encode(
            x=axes.months_axis(months),
            y=alt.Y("value:Q", axis=axes.amounts_axis(4, ".0%"), scale=alt.Scale(nice=4)),
            tooltip=axes.tooltip("Month", "Late", "Delivered"),
        )
    )
    return axes.resize(chart, 230 + axes.LEGEND)


def delays(data: ReportData, color: Color) -> alt.Chart:
    """Deliveries by days from the promised date."""
    names = {False: "By the promised date", True: "Late"}
    rows = [
        {"day": day, "kind": names[is_late], "orders": orders, "Delivered": _distance(day)}
        | {"Orders": formatting.number(orders)}
        for (day, is_late), orders in _orders_by_delay(data).items()
    ]
    scale = alt.Scale(domain=list(names.values()), range=[color("on-time"), color("late")])
    chart = (
        alt.Chart(axes.inline_data(rows))
        .mark_bar()
        .encode(
            x=alt.X("day:O", axis=_delays_axis(), scale=alt.Scale(paddingInner=0.15, paddingOuter=0)),
            y=alt.Y("orders:Q", axis=axes.amounts_axis(4, "~s"), scale=alt.Scale(nice=4)),
            color=alt.Color("kind:N", scale=scale, legend=axes.legend("square")),
            tooltip=axes.tooltip("Delivered", "Orders"),
        )
    )
    return axes.resize(chart, 230)


def _orders_by_delay(data: ReportData) -> dict[tuple[int, bool], int]:
    """Orders by whole days from the promised date, and whether they are late: of each day that the chart shows."""
    orders = dict.fromkeys(((day, day > 0) for day in range(-_MAX_DELAY, _MAX_DELAY + 1)), 0)
    for row in data["delays"]:
        day = max(-_MAX_DELAY, min(_MAX_DELAY, row.days))
        orders[day, row.is_late] = orders.get((day, row.is_late), 0) + row.orders
    return orders


def _delays_axis() -> alt.Axis:
    """An axis with labels at the ends, at the promised date and, if the chart is wide, every ten days."""
    label = (
        f"abs(datum.value) == {_MAX_DELAY}"
        f" ? '{_MAX_DELAY}+ ' + (width < 420 ? '' : 'days ') + (datum.value < 0 ? 'early' : 'late')"
        " : datum.value == 0 ? 'promised date'"
        " : datum.value % 10 == 0 && (width > 700 || abs(datum.value) == 10 && width > 420) ? abs(datum.value) : ''"
    )
    align = f"datum.value == {-_MAX_DELAY} ? 'left' : datum.value == {_MAX_DELAY} ? 'right' : 'center'"
    return alt.Axis(
        labelExpr=label, labelAlign=alt.expr(align), labelOverlap=False, labelAngle=0, labelFlush=False, domain=True
    )


def _distance(day: int) -> str:
    side = "early" if day <= 0 else "late"
    if abs(day) == _MAX_DELAY:
        return f"{_MAX_DELAY} days or more {side}"
    if day == 0:
        return "On the last day promised"
    return f"{formatting.count(abs(day), 'day')} {side}"


# --- Reviews -------------------------------------------------------------------------------------------------------


def scores(data: ReportData, color: Color) -> alt.LayerChart:
    """Orders by stars."""
    orders = {row.score: row.orders for row in data["scores"]}
    total = sum(orders.values())
    rows = [
        {"Stars": f"{score} ★", "value": orders.get(score, 0), "Orders": formatting.number(orders.get(score, 0))}
        | {"Share": formatting.share(orders.get(score, 0), total)}
        for score in range(5, 0, -1)
    ]
    scale = axes.bar_scale(max(orders.values()), names_width=40, label_width=60)
    names = alt.Y("Stars:N", sort=None, scale=alt.Scale(paddingInner=0.34), axis=axes.names_axis(60))
    tooltip = axes.tooltip("Stars", "Orders", "Share")
    chart = _labeled_bars(rows, scale, names, tooltip, label="Share", fill=color("score"), ink=color("ink"))
    return axes.resize(chart, 230)


def scores_by_month(data: ReportData, color: Color) -> alt.Chart:
    """The mean score by month of purchase."""
    months = data.months_with("review_score")
    rows = [
        {"month": row.order_month, "value": round(row.review_score, 4)}
        | {"Month": formatting.month(row), "Stars": formatting.number(row.review_score, 2)}
        | {"Reviewed orders": formatting.number(row.reviews)}
        for row in months
    ]
    lowest = math.floor(min(row.review_score for row in months))
    chart = (
        alt.Chart(axes.inline_data(rows))
        .mark_line(
            color=color("score"),
            strokeWidth=2.5,
            strokeJoin="round",
            point=alt.OverlayMarkDef(size=28, color=color("score")),
        )
        .encode(
            x=axes.months_axis(months, points=True),
            y=alt.Y(
                "value:Q", axis=axes.amounts_axis(4, ".1f"), scale=alt.Scale(domain=[min(lowest, 4), 5], zero=False)
            ),
            tooltip=axes.tooltip("Month", "Stars", "Reviewed orders"),
        )
    )
    return axes.resize(chart, 230)
