"""The sentences of the report: the lead, and one caption per chart. Each is a function of the report's data."""

from collections.abc import Iterable
from decimal import Decimal

from olist_assets.serving.report.brazil import STATES
from olist_assets.serving.report.formatting import (
    PAYMENT_TYPE_NAMES,
    Number,
    count,
    day,
    money,
    month,
    number,
    percent,
    place,
    round_half_up,
    share,
)
from olist_assets.serving.report.queries import ReportData, Row, first_day

_TOP_STATES = 3
_CONTENT = 4
"""The lowest score, of five stars, that counts as content."""


def lead(data: ReportData) -> str:
    """The KPI month in two sentences; empty without sales."""
    now, before = data.kpi_month, data.previous_month
    if now is None:
        return ""
    text = f"{count(now.orders, 'order')} brought {money(now.revenue)}"
    if before is not None and before.revenue:
        change = float(now.revenue) / float(before.revenue) - 1
        size = percent(abs(change))
        comparison = "as much as" if size == percent(0) else f"{size} {'more' if change > 0 else 'less'} than"
        text += f", {comparison} in {first_day(before):%B}"
    if now.late_share is not None:
        text += f". Of what was delivered, {percent(now.late_share)} came late"
        if before is not None and before.late_share not in (None, now.late_share):
            text += f", {'up' if now.late_share > before.late_share else 'down'} from {percent(before.late_share)}"
    return f"{text}."


# --- Sales ---------------------------------------------------------------------------------------------------------


def caption_revenue(data: ReportData) -> str:
    """The best day, and the mean revenue per day with sales of the KPI month."""
    best = max(data["days"], key=lambda row: row.revenue)
    days = _days_of_kpi_month(data)
    return (
        f"The best day was {day(best.purchase_date)}: {count(best.orders, 'order')} and {money(best.revenue)}. "
        f"In {month(days[0])} an average day with sales brought {money(_mean(row.revenue for row in days))}."
    )


def caption_orders(data: ReportData) -> str:
    """The mean number of orders per day with sales of the KPI month."""
    days = _days_of_kpi_month(data)
    average = int(round_half_up(_mean(row.orders for row in days)))
    return f"In {month(days[0])} an average day with sales brought {count(average, 'order')}."


def _days_of_kpi_month(data: ReportData) -> list[Row]:
    """The days with sales of the KPI month; all days with sales if it has none."""
    name = data.kpi_month.order_month if data.kpi_month else ""
    days = [row for row in data["days"] if row.orders]
    return [row for row in days if f"{row.purchase_date:%Y-%m}" == name] or days


def _mean(values: Iterable[Number]) -> Decimal:
    exact = [Decimal(value) for value in values]
    return sum(exact, Decimal(0)) / len(exact)


# --- Places --------------------------------------------------------------------------------------------------------


def caption_states(data: ReportData) -> str:
    """The revenue shares of the first state and of the first three."""
    known = [row for row in data["states"] if row.state in STATES]
    total = sum(row.revenue for row in data["states"])
    first, *others = known[:_TOP_STATES]
    text = f"{STATES[first.state].name} brings {share(first.revenue, total)} of all revenue"
    if len(known) > len(others) + 1:
        names = " and ".join(STATES[row.state].name for row in others)
        text += f"; with {names} it is {share(sum(row.revenue for row in known[:_TOP_STATES]), total)}"
    return f"{text}."


def caption_cities(data: ReportData) -> str:
    """The revenue of the first city, and the revenue share of the first ten."""
    cities = data["cities"]
    text = f"{place(cities[0])}, leads with {money(cities[0].revenue)}"
    if len(cities) == 1:
        return f"{text}."
    together = share(sum(row.revenue for row in cities), sum(row.revenue for row in data["states"]))
    return f"{text}; the first {len(cities)} cities bring {together} of all revenue."


# --- Payments ------------------------------------------------------------------------------------------------------


def caption_payments(data: ReportData) -> str:
    """The two most used payment types of the KPI month; of all months if it has no payments."""
    now = data.kpi_month
    of_month = [row for row in data["payments"] if now and row.order_month == now.order_month]
    rows = of_month or data["payments"]
    period = f"In {month(now)}" if of_month and now else "Over all months"
    totals = {code: sum(r.payment_value for r in rows if r.payment_type == code) for code in PAYMENT_TYPE_NAMES}
    first, second = sorted(totals, key=lambda code: -totals[code])[:2]
    whole = sum(totals.values())
    text = f"{period} {share(totals[first], whole)} was paid by {PAYMENT_TYPE_NAMES[first].lower()}"
    return f"{text}, {share(totals[second], whole)} by {PAYMENT_TYPE_NAMES[second].lower()}."


# --- Delivery ------------------------------------------------------------------------------------------------------


def caption_delivery(data: ReportData) -> str:
    """The median days to delivery in the newest month, and in the oldest."""
    months = data.months_with("delivery_days")
    oldest, newest = months[0], months[-1]
    text = f"Half of the orders of {month(newest)} came within {number(newest.delivery_days, 1)} days"
    text += f" of the purchase; promised were {number(newest.promised_days, 1)}"
    if newest is oldest:
        return f"{text}."
    return f"{text}. In {month(oldest)} it was {number(oldest.delivery_days, 1)} days."


def caption_late(data: ReportData) -> str:
    """The share of late deliveries in the newest month, and in the worst."""
    months = data.months_with("late_share")
    newest, worst = months[-1], max(months, key=lambda row: row.late_share)
    text = f"{percent(newest.late_share)} of the deliveries of {month(newest)} came late"
    if newest is worst:
        return f"{text}, the most yet."
    return f"{text}; the worst month was {month(worst)}, {percent(worst.late_share)}."


def caption_delays(data: ReportData) -> str:
    """The median distance from the promised date, and the share of late deliveries."""
    [row] = data["delay"]
    side = "before" if row.median_days < 0 else "after"
    text = f"Half of all deliveries come {number(abs(row.median_days))} days or more {side} the promised date"
    return f"{text}; {percent(row.late_share)} come after it."


# --- Reviews -------------------------------------------------------------------------------------------------------


def caption_scores(data: ReportData) -> str:
    """The share of content customers, and the mean scores of orders on time and of late ones."""
    total = sum(row.orders for row in data["scores"])
    content = sum(row.orders for row in data["scores"] if row.score >= _CONTENT)
    text = f"{share(content, total)} of {count(total, 'reviewed order')} got four or five stars"
    mean_by_lateness = {row.is_late: row.review_score for row in data["scores_by_punctuality"]}
    if mean_by_lateness.keys() != {False, True}:
        return f"{text}."
    on_time, late = number(mean_by_lateness[False], 2), number(mean_by_lateness[True], 2)
    return f"{text}. Orders delivered on time average {on_time} stars, late ones {late}."


def caption_scores_by_month(data: ReportData) -> str:
    """The mean score of the newest month, and of the best and the worst."""
    months = data.months_with("review_score")
    newest = months[-1]
    text = f"Orders of {month(newest)} average {number(newest.review_score, 2)} stars"
    if len(months) == 1:
        return f"{text}."
    worst, best = (pick(months, key=lambda row: row.review_score) for pick in (min, max))
    lowest, highest = (f"{number(row.review_score, 2)} in {month(row)}" for row in (worst, best))
    if newest is worst:
        return f"{text}, the lowest yet; the highest was {highest}."
    if newest is best:
        return f"{text}, the highest yet; the lowest was {lowest}."
    return f"{text}; the lowest was {lowest}, the highest {highest}."


# --- Customers -----------------------------------------------------------------------------------------------------


def caption_moves(data: ReportData) -> str:
    """The number of changes of address, and how many of them lead to another state."""
    [row] = data["people"]
    text = f"{count(row.changes, 'change')} of address among {count(row.people, 'person', 'people')}"
    far = sum(move.changes for move in data["moves"] if move.goes_to == "another state")
    return f"{text}, seen when they bought again; {number(far)} of them to another state."
