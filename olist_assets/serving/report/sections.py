"""The sections of the page: which charts there are, what they say, and their figures as tables."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from olist_assets.serving.report import captions, charts
from olist_assets.serving.report.axes import Paint
from olist_assets.serving.report.brazil import STATES
from olist_assets.serving.report.queries import Figures, Row, first_day


@dataclass(frozen=True)
class Chart:
    """A chart on the page: what it shows and its unit, what it says, its figures as a table, and how it is drawn."""

    key: str
    title: str
    says: str
    draw: Callable[[Paint], Any]
    columns: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)
    wide: bool = False

    @property
    def alternative(self) -> str:
        """The chart in words, for who cannot see it."""
        return f"{self.title}. {self.says}"


@dataclass(frozen=True)
class Section:
    """A section of the page; it is left out if it has no charts."""

    id: str
    title: str
    charts: list[Chart]


def build_sections(figures: Figures) -> list[Section]:
    """The sections of the page, each with the charts that have something to show."""
    return [
        Section("sales", "Sales", _sales(figures)),
        Section("places", "Where customers live", _places(figures)),
        Section("payments", "Payments", _payments(figures)),
        Section("delivery", "Delivery", _delivery(figures)),
        Section("reviews", "Reviews", _reviews(figures)),
        Section("customers", "Customers\N{RIGHT SINGLE QUOTATION MARK} addresses", _customers(figures)),
    ]


def _sales(figures: Figures) -> list[Chart]:
    if not figures["days"]:
        return []
    columns = ("Month", "Orders", "Revenue", "Average ticket", "Days with sales")
    rows = [
        (
            captions.month(m),
            captions.number(m.orders),
            captions.money(m.revenue, 2),
            captions.money(m.average_ticket, 2),
            str(m.days),
        )
        for m in figures["months"]
    ]
    return [
        Chart(
            "overview",
            "Period",
            "Revenue by day as a strip, in which a period can be chosen.",
            charts.overview,
            wide=True,
        ),
        Chart(
            "revenue",
            "Revenue by day, BRL",
            captions.caption_by_day(figures),
            lambda paint: charts.by_day(figures, paint, "revenue", 210),
            columns,
            rows,
            wide=True,
        ),
        Chart(
            "orders",
            "Orders by day",
            captions.of_orders(figures),
            lambda paint: charts.by_day(figures, paint, "orders", 130),
            wide=True,
        ),
    ]


def _places(figures: Figures) -> list[Chart]:
    found: list[Chart] = []
    if any(row.state in STATES for row in figures["states"]):
        total = sum(row.revenue for row in figures["states"])
        rows = [
            (
                row.state or "not known",
                captions.number(row.orders),
                captions.money(row.revenue, 2),
                captions.share(row.revenue, total),
            )
            for row in figures["states"]
        ]
        says = captions.of_states(figures)
        columns = ("State", "Orders", "Revenue", "Share")
        chart = Chart(
            "states", "Share of revenue by state, %", says, lambda p: charts.states(figures, p), columns, rows
        )
        found.append(chart)
    if figures["cities"]:
        rows = [
            (
                captions.place(row),
                captions.number(row.orders),
                captions.money(row.revenue, 2),
                captions.money(row.average_ticket, 2),
                captions.percent(row.late_share),
            )
            for row in figures["cities"]
        ]
        columns = ("City", "Orders", "Revenue", "Average ticket", "Late")
        title, says = (
            f"Top {len(rows)} cities by revenue, BRL" if len(rows) > 1 else "Revenue by city, BRL",
            captions.of_cities(figures),
        )
        found.append(Chart("cities", title, says, lambda p: charts.cities(figures, p), columns, rows))
    return found


def _payments(figures: Figures) -> list[Chart]:
    if not figures["payments"]:
        return []
    kinds = [kind for kind in captions.PAYMENT_TYPES if any(row.payment_type == kind for row in figures["payments"])]
    by_month: dict[str, dict[str, Row]] = {}
    for row in figures["payments"]:
        by_month.setdefault(row.order_month, {})[row.payment_type] = row
    rows = [
        (
            captions.month(first_day(month)),
            *(captions.money(getattr(paid.get(k), "payment_value", None), 2) for k in kinds),
        )
        for month, paid in by_month.items()
    ]
    columns = ("Month", *(captions.PAYMENT_TYPES[kind] for kind in kinds))
    title, says = "Payments by month of purchase, BRL", captions.of_payments(figures)
    return [Chart("payments", title, says, lambda p: charts.payments(figures, p), columns, rows, wide=True)]


def _delivery(figures: Figures) -> list[Chart]:
    found: list[Chart] = []
    if months := _months_with(figures, "delivery_days"):
        rows = [
            (
                captions.month(m),
                captions.number(m.delivery_days, 1),
                captions.number(m.promised_days, 1),
                captions.number(m.delivered),
            )
            for m in months
        ]
        columns = ("Month", "Delivered within, days", "Promised within, days", "Deliveries")
        title, says = "Days from purchase to delivery, median", captions.of_delivery(months)
        found.append(Chart("delivery", title, says, lambda p: charts.delivery(months, p), columns, rows))
    if late := _months_with(figures, "late_share"):
        rows = [(captions.month(m), captions.percent(m.late_share), captions.number(m.delivered)) for m in late]
        title, says = "Late deliveries, % of deliveries", captions.of_late_share(late)
        columns = ("Month", "Late", "Deliveries")
        found.append(Chart("late", title, says, lambda p: charts.late_share(late, p), columns, rows))
    if figures["delays"]:
        title, says = "Deliveries by days from the promised date, orders", captions.of_delays(figures)
        found.append(Chart("delays", title, says, lambda p: charts.delays(figures, p), wide=True))
    return found


def _reviews(figures: Figures) -> list[Chart]:
    found: list[Chart] = []
    if figures["scores"]:
        total = sum(row.orders for row in figures["scores"])
        rows = [(str(r.score), captions.number(r.orders), captions.share(r.orders, total)) for r in figures["scores"]]
        title, says = "Orders by stars, % of reviewed orders", captions.of_scores(figures)
        found.append(
            Chart("scores", title, says, lambda p: charts.scores(figures, p), ("Stars", "Orders", "Share"), rows)
        )
    if months := _months_with(figures, "review_score"):
        rows = [(captions.month(m), captions.number(m.review_score, 2), captions.number(m.reviews)) for m in months]
        title, says = "Mean review score by month, 1 to 5 stars", captions.of_scores_by_month(months)
        columns = ("Month", "Stars", "Reviewed orders")
        found.append(Chart("scores_by_month", title, says, lambda p: charts.scores_by_month(months, p), columns, rows))
    return found


def _customers(figures: Figures) -> list[Chart]:
    if not figures["moves"]:
        return []
    by_month: dict[str, dict[str, int]] = {}
    for row in figures["moves"]:
        by_month.setdefault(row.order_month, {})[row.goes_to] = row.changes
    rows = [
        (captions.month(first_day(month)), *(captions.number(to.get(kind, 0)) for kind in captions.MOVES))
        for month, to in by_month.items()
    ]
    columns = ("Month", *captions.MOVES.values())
    title, says = "Changes of address by month, seen when people bought again", captions.of_moves(figures)
    return [Chart("moves", title, says, lambda p: charts.moves(figures, p), columns, rows, wide=True)]


def _months_with(figures: Figures, name: str) -> list[Row]:
    """The full months that have a figure; all months if none is a full one."""
    return [month for month in figures.full_months or figures["months"] if getattr(month, name) is not None]
