"""The report's charts, by Altair: each a function of the figures and of the colours."""

import math
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import altair as alt

from olist_assets.serving.report import axes, captions
from olist_assets.serving.report.axes import Paint
from olist_assets.serving.report.brazil import STATES
from olist_assets.serving.report.queries import Figures, Row

DAYS = "days"
"""The name of the days' rows, which three charts share."""

_SHARES_OF_STEPS = (0.01, 0.02, 0.05, 0.10)
_SHOWN_DELAY = 30
# --- Days ----------------------------------------------------------------------------------------------------------


def days(figures: Figures) -> list[dict[str, Any]]:
    """The rows of the charts by day: amounts, and means of the last seven days."""
    return [
        {
            "date": row.purchase_date.isoformat(),
            "next": (row.purchase_date + timedelta(days=1)).isoformat(),
            "orders": row.orders,
            "revenue": float(row.revenue),
            "week_orders": round(row.week_orders, 1),
            "week_revenue": round(row.week_revenue, 2),
            "when": f"{row.purchase_date:%a} {captions.day(row.purchase_date)}",
        }
        for row in figures["days"]
    ]


def by_day(figures: Figures, paint: Paint, field: str, height: int) -> alt.LayerChart:
    """Orders or revenue by day, within what is chosen in the overview; the best day of it has a note."""
    first, last = figures["days"][0].purchase_date, figures["days"][-1].purchase_date
    chart = alt.Chart(alt.NamedData(DAYS)).transform_filter("datum.date >= start && datum.date < end")
    best = chart.transform_window(
        rank="row_number()", sort=[alt.SortField(field, order="descending"), alt.SortField("date")]
    ).transform_filter("datum.rank == 1")
    x = alt.X("date:T", scale=alt.Scale(type="utc"), axis=axes.time_axis())
    y = alt.Y(f"{field}:Q", axis=axes.amounts_axis(4, "~s"), scale=alt.Scale(nice=4))
    late = "datum.date > (+start + end) / 2"
    note = (
        "utcFormat(datum.date, '%-d %b %Y: ') + "
        + {
            "orders": "format(datum.orders, ',') + ' orders'",
            "revenue": "'R$ ' + format(datum.revenue, ',.0f')",
        }[field]
    )
    tooltip = [
        alt.Tooltip("when:N", title="Day"),
        alt.Tooltip("orders:Q", title="Orders", format=","),
        alt.Tooltip("revenue:Q", title="Revenue, R$", format=",.2f"),
    ]
    layers = alt.layer(
        chart.mark_area(interpolate="step-after", color=paint(field), opacity=0.28).encode(x=x, y=y),
        chart.mark_line(color=paint(field), strokeWidth=2, strokeJoin="round").encode(x=x, y=f"week_{field}:Q"),
        best.transform_calculate(note=note)
        .mark_text(
            align=alt.expr(f"{late} ? 'right' : 'left'"),
            dx=alt.expr(f"{late} ? -7 : 7"),
            dy=4,
            color=paint("ink-soft"),
        )
        .encode(x=x, y=y, text="note:N"),
        chart.mark_bar(opacity=0).encode(x=x, x2="next:T", tooltip=tooltip),
    )
    params = [alt.param(name="start", value=_milliseconds(first)), alt.param(name="end", value=_milliseconds(last) + 1)]
    return axes.sized(layers.add_params(*params), height)


def overview(paint: Paint) -> alt.Chart:
    """Revenue by day as a strip, in which a period can be chosen."""
    brush = alt.selection_interval(
        name="brush",
        encodings=["x"],
        mark=alt.BrushConfig(fill=paint("ink"), fillOpacity=0.1, stroke=paint("ink-soft"), strokeOpacity=0.6),
    )
    chart = (
        alt.Chart(alt.NamedData(DAYS), name="overview")
        .mark_area(color=paint("revenue"), opacity=0.45)
        .encode(
            x=alt.X("date:T", scale=alt.Scale(type="utc"), axis=axes.time_axis()),
            y=alt.Y("week_revenue:Q", axis=alt.Axis(labels=False, grid=False, minExtent=axes.LEFT)),
        )
    )
    return axes.sized(chart.add_params(brush), 40)


# --- Places --------------------------------------------------------------------------------------------------------


def states(figures: Figures, paint: Paint) -> alt.LayerChart:
    """The states' shares of revenue, as tiles that lie as the states do."""
    sold = {row.state: row for row in figures["states"]}
    total = float(sum(row.revenue for row in figures["states"]))
    rows = []
    for code, (name, row, column) in STATES.items():
        share = float(sold[code].revenue) / total if code in sold and total else None
        step = 0 if share is None else sum(share >= limit for limit in _SHARES_OF_STEPS)
        rows.append(
            {"code": code, "row": row, "column": column, "step": step}
            | {"share": captions.NOT_KNOWN if share is None else captions.percent(share), "State": name}
            | {"Orders": captions.number(sold[code].orders if code in sold else 0)}
            | {"Revenue": captions.money(sold[code].revenue if code in sold else 0)}
        )
    steps = list(range(len(_SHARES_OF_STEPS) + 1))
    tiles = alt.Chart(axes.inline(rows)).encode(
        x=alt.X("column:O", axis=None, scale=alt.Scale(paddingInner=0.06, paddingOuter=0)),
        y=alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0.06, paddingOuter=0)),
        tooltip=["State:N", "Orders:N", "Revenue:N", alt.Tooltip("share:N", title="Share of revenue")],
    )
    fill = alt.Color("step:O", legend=None, scale=alt.Scale(domain=steps, range=[paint(f"step-{i}") for i in steps]))
    ink = alt.Color("step:O", legend=None, scale=alt.Scale(domain=steps, range=[paint(f"on-step-{i}") for i in steps]))
    layers = alt.layer(
        tiles.mark_rect(cornerRadius=2).encode(color=fill),
        tiles.mark_text(dy=-8, fontSize=13, fontWeight=600).encode(text="code:N", color=ink),
        tiles.mark_text(dy=9, fontSize=12).encode(text="share:N", color=ink),
    ).resolve_scale(color="independent")
    return axes.sized(layers, 400)


def cities(figures: Figures, paint: Paint) -> alt.LayerChart:
    """Revenue of the first ten cities."""
    rows = [
        {"City": captions.place(row), "value": float(row.revenue), "Revenue": captions.money(row.revenue)}
        | {"Orders": captions.number(row.orders), "Average ticket": captions.money(row.average_ticket, 2)}
        for row in figures["cities"]
    ]
    most = float(max(row.revenue for row in figures["cities"]))
    bars = alt.Chart(axes.inline(rows)).encode(
        x=alt.X("value:Q", axis=None, scale=axes.with_room(most, names=125, label=84)),
        y=alt.Y("City:N", sort=None, scale=alt.Scale(paddingInner=0.34), axis=axes.names_axis(150)),
        tooltip=["City:N", "Revenue:N", "Orders:N", "Average ticket:N"],
    )
    return axes.sized(
        alt.layer(
            bars.mark_bar(color=paint("revenue")),
            bars.mark_text(align="left", dx=6, color=paint("ink")).encode(text="Revenue:N"),
        ),
        max(40 * len(rows), 60),
    )


# --- Months --------------------------------------------------------------------------------------------------------


def payments(figures: Figures, paint: Paint) -> alt.Chart:
    """What was paid by month and means of payment."""
    rows = [
        {"month": row.order_month, "type": captions.PAYMENT_TYPES[row.payment_type], "value": float(row.payment_value)}
        | {
            "Month": captions.month(row),
            "Paid": captions.money(row.payment_value),
            "Payments": captions.number(row.payments),
        }
        for row in figures["payments"]
    ]
    present = {row["type"] for row in rows}
    colours = zip(captions.PAYMENT_TYPES.values(), ("card", "boleto", "voucher", "debit", "undefined"), strict=True)
    colours = {name: paint(colour) for name, colour in colours if name in present}
    return _stacked(
        rows, figures["payments"], "type", colours, paint("page"), "~s", ["Month:N", "type:N", "Paid:N", "Payments:N"]
    )


def moves(figures: Figures, paint: Paint) -> alt.Chart:
    """Changes of address by the month of the order that told of it, and how far they go."""
    rows = [
        {"month": row.order_month, "to": captions.MOVES[row.goes_to], "value": row.changes}
        | {"Month": captions.month(row), "Changes": captions.number(row.changes)}
        for row in figures["moves"]
    ]
    colours = dict(zip(captions.MOVES.values(), map(paint, ("near", "farther", "far")), strict=True))
    months = [*figures["months"], *figures["moves"]]
    return _stacked(rows, months, "to", colours, paint("page"), "~d", ["Month:N", "to:N", "Changes:N"])


def delivery(months: list[Row], paint: Paint) -> alt.Chart:
    """Median days to delivery and to the promised date, by month of purchase."""
    rows = [
        {"month": row.order_month, "kind": kind, "value": round(value, 2)}
        | {"Month": captions.month(row), "Days": captions.number(value, 1)}
        for row in months
        for kind, value in (("Delivered", row.delivery_days), ("Promised", row.promised_days))
        if value is not None
    ]
    kinds = ["Delivered", "Promised"]
    dashes = alt.Scale(domain=kinds, range=[[1, 0], [5, 4]])
    colours = alt.Scale(domain=kinds, range=[paint("orders"), paint("axis")])
    chart = (
        alt.Chart(axes.inline(rows))
        .mark_line(strokeWidth=2.5, strokeJoin="round", point=alt.OverlayMarkDef(size=28, strokeDash=[1, 0]))
        .encode(
            x=axes.months_axis(months, points=True),
            y=alt.Y("value:Q", axis=axes.amounts_axis(5, "~s"), scale=alt.Scale(zero=True)),
            color=alt.Color("kind:N", scale=colours, legend=axes.legend("stroke")),
            strokeDash=alt.StrokeDash("kind:N", scale=dashes, legend=axes.legend("stroke")),
            tooltip=[
                "Month:N",
                alt.Tooltip("kind:N", title="Half of the orders"),
                alt.Tooltip("Days:N", title="Within, days"),
            ],
        )
    )
    return axes.sized(chart, 230)


def late_share(months: list[Row], paint: Paint) -> alt.Chart:
    """The share of deliveries that came after the promised date, by month of purchase."""
    rows = [
        {"month": row.order_month, "value": row.late_share}
        | {
            "Month": captions.month(row),
            "Late": captions.percent(row.late_share),
            "Delivered": captions.number(row.delivered),
        }
        for row in months
    ]
    chart = (
        alt.Chart(axes.inline(rows))
        .mark_bar(color=paint("late"))
        .encode(
            x=axes.months_axis(months),
            y=alt.Y("value:Q", axis=axes.amounts_axis(4, ".0%"), scale=alt.Scale(nice=4)),
            tooltip=["Month:N", "Late:N", "Delivered:N"],
        )
    )
    return axes.sized(chart, 230 + axes.LEGEND)


def delays(figures: Figures, paint: Paint) -> alt.Chart:
    """Deliveries by days from the promised date; what lies far off is put together at the ends."""
    counts = dict.fromkeys(((day, day > 0) for day in range(-_SHOWN_DELAY, _SHOWN_DELAY + 1)), 0)
    for row in figures["delays"]:
        day = max(-_SHOWN_DELAY, min(_SHOWN_DELAY, row.days))
        counts[day, row.is_late] = counts.get((day, row.is_late), 0) + row.orders
    kinds = {False: "By the promised date", True: "Late"}
    rows = [
        {"day": day, "kind": kinds[is_late], "orders": orders, "Delivered": _distance(day)}
        | {"Orders": captions.number(orders)}
        for (day, is_late), orders in counts.items()
    ]
    label = (
        f"abs(datum.value) == {_SHOWN_DELAY}"
        f" ? '{_SHOWN_DELAY}+ ' + (width < 420 ? '' : 'days ') + (datum.value < 0 ? 'early' : 'late')"
        " : datum.value == 0 ? 'promised date'"
        " : datum.value % 10 == 0 && (width > 700 || abs(datum.value) == 10 && width > 420) ? abs(datum.value) : ''"
    )
    align = f"datum.value == {-_SHOWN_DELAY} ? 'left' : datum.value == {_SHOWN_DELAY} ? 'right' : 'center'"
    axis = alt.Axis(
        labelExpr=label, labelAlign=alt.expr(align), labelOverlap=False, labelAngle=0, labelFlush=False, domain=True
    )
    chart = (
        alt.Chart(axes.inline(rows))
        .mark_bar()
        .encode(
            x=alt.X("day:O", axis=axis, scale=alt.Scale(paddingInner=0.15, paddingOuter=0)),
            y=alt.Y("orders:Q", axis=axes.amounts_axis(4, "~s"), scale=alt.Scale(nice=4)),
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=list(kinds.values()), range=[paint("on-time"), paint("late")]),
                legend=axes.legend("square"),
            ),
            tooltip=["Delivered:N", "Orders:N"],
        )
    )
    return axes.sized(chart, 230)


# --- Reviews -------------------------------------------------------------------------------------------------------


def scores(figures: Figures, paint: Paint) -> alt.LayerChart:
    """How many orders got how many stars."""
    total = sum(row.orders for row in figures["scores"])
    found = {row.score: row.orders for row in figures["scores"]}
    rows = [
        {"Stars": f"{score} ★", "value": found.get(score, 0), "Orders": captions.number(found.get(score, 0))}
        | {"Share": captions.share(found.get(score, 0), total)}
        for score in range(5, 0, -1)
    ]
    bars = alt.Chart(axes.inline(rows)).encode(
        x=alt.X("value:Q", axis=None, scale=axes.with_room(max(found.values()), names=40, label=60)),
        y=alt.Y("Stars:N", sort=None, scale=alt.Scale(paddingInner=0.34), axis=axes.names_axis(60)),
        tooltip=["Stars:N", "Orders:N", "Share:N"],
    )
    return axes.sized(
        alt.layer(
            bars.mark_bar(color=paint("score")),
            bars.mark_text(align="left", dx=6, color=paint("ink")).encode(text="Share:N"),
        ),
        230,
    )


def scores_by_month(months: list[Row], paint: Paint) -> alt.Chart:
    """The mean score by month of purchase."""
    rows = [
        {"month": row.order_month, "value": round(row.review_score, 4)}
        | {"Month": captions.month(row), "Stars": captions.number(row.review_score, 2)}
        | {"Reviewed orders": captions.number(row.reviews)}
        for row in months
    ]
    lowest = math.floor(min(row.review_score for row in months))
    chart = (
        alt.Chart(axes.inline(rows))
        .mark_line(
            color=paint("score"),
            strokeWidth=2.5,
            strokeJoin="round",
            point=alt.OverlayMarkDef(size=28, color=paint("score")),
        )
        .encode(
            x=axes.months_axis(months, points=True),
            y=alt.Y(
                "value:Q", axis=axes.amounts_axis(4, ".1f"), scale=alt.Scale(domain=[min(lowest, 4), 5], zero=False)
            ),
            tooltip=["Month:N", "Stars:N", "Reviewed orders:N"],
        )
    )
    return axes.sized(chart, 230)


def _stacked(
    rows: list[dict[str, Any]],
    months: Iterable[Row],
    kind: str,
    colours: dict[str, str],
    edge: str,
    unit: str,
    tooltip: list[str],
) -> alt.Chart:
    order = list(colours)
    for row in rows:
        row["order"] = order.index(row[kind])
    scale = alt.Scale(domain=order, range=list(colours.values()))
    chart = (
        alt.Chart(axes.inline(rows))
        .mark_bar(stroke=edge, strokeWidth=0.8)
        .encode(
            x=axes.months_axis(months),
            y=alt.Y("value:Q", axis=axes.amounts_axis(4, unit), scale=alt.Scale(nice=4)),
            color=alt.Color(f"{kind}:N", scale=scale, legend=axes.legend("square")),
            order="order:O",
            tooltip=[alt.Tooltip(name, title="") if name.startswith(kind) else name for name in tooltip],
        )
    )
    return axes.sized(chart, 260)


def _distance(day: int) -> str:
    side = "early" if day <= 0 else "late"
    if abs(day) == _SHOWN_DELAY:
        return f"{_SHOWN_DELAY} days or more {side}"
    if day == 0:
        return "On the last day promised"
    return f"{captions.count(abs(day), 'day')} {side}"


def _milliseconds(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400_000
