"""The sections of the page: their charts, each with its caption and its values as a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from olist_assets.serving.report import captions, charts, daily_charts
from olist_assets.serving.report.axes import Color
from olist_assets.serving.report.brazil import STATES
from olist_assets.serving.report.formatting import (
    MOVE_NAMES,
    PAYMENT_TYPE_NAMES,
    money,
    month,
    number,
    percent,
    place,
    share,
)
from olist_assets.serving.report.queries import ReportData, Row, first_day


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        columns: the headings.
        rows: one text per column and row.
        text_columns: the headings of columns that are aligned left and wrapped; the first column always is.
    """

    columns: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)
    text_columns: tuple[str, ...] = ()

    def last(self, count: int) -> "Table":
        """The table with its last rows only."""
        return replace(self, rows=self.rows[-count:])


@dataclass(frozen=True)
class Chart:
    """A chart on the page.

    Attributes:
        key: its name in the page and in style sheets.
        title: what it shows, with the unit.
        caption: what can be seen in it, as a sentence.
        draw: makes the chart, given the page's colors.
        table: its values.
        is_wide: whether it takes both columns of the page.
    """

    key: str
    title: str
    caption: str
    draw: Callable[[Color], Any]
    table: Table = Table()
    is_wide: bool = False

    @property
    def alt_text(self) -> str:
        """The text for people who cannot see the chart."""
        return f"{self.title}. {self.caption}"


@dataclass(frozen=True)
class Section:
    """A section of the page, which leaves it out if it has no charts."""

    id: str
    title: str
    charts: list[Chart]


def build_sections(data: ReportData) -> list[Section]:
    """The sections of the page, each with the charts that have rows."""
    return [
        Section("sales", "Sales", _sales(data)),
        Section("places", "Where customers live", _places(data)),
        Section("payments", "Payments", _payments(data)),
        Section("delivery", "Delivery", _delivery(data)),
        Section("reviews", "Reviews", _reviews(data)),
        Section("customers", "Customers\N{RIGHT SINGLE QUOTATION MARK} addresses", _moves(data)),
    ]


def _sales(data: ReportData) -> list[Chart]:
    if not data["days"]:
        return []
    caption = "Revenue by day as a strip, in which a period can be chosen."
    revenue = Chart(
        "revenue",
        "Revenue by day, BRL",
        captions.caption_revenue(data),
        partial(daily_charts.by_day, data, "revenue", 210),
        to_table(
            data["months"],
            {
                "Month": month,
                "Orders": lambda row: number(row.orders),
                "Revenue": lambda row: money(row.revenue, 2),
                "Average ticket": lambda row: money(row.average_ticket, 2),
                "Days with sales": lambda row: str(row.days),
            },
        ),
        is_wide=True,
    )
    draw_orders = partial(daily_charts.by_day, data, "orders", 130)
    return [
        Chart("overview", "Period", caption, daily_charts.overview, is_wide=True),
        revenue,
        Chart("orders", "Orders by day", captions.caption_orders(data), draw_orders, is_wide=True),
    ]


def _places(data: ReportData) -> list[Chart]:
    return [*_states(data), *_cities(data)]


def _states(data: ReportData) -> list[Chart]:
    if not any(row.state in STATES for row in data["states"]):
        return []
    total = sum(row.revenue for row in data["states"])
    table = to_table(
        data["states"],
        {
            "State": lambda row: row.state or "not known",
            "Orders": lambda row: number(row.orders),
            "Revenue": lambda row: money(row.revenue, 2),
            "Share": lambda row: share(row.revenue, total),
        },
    )
    caption = captions.caption_states(data)
    return [Chart("states", "Share of revenue by state, %", caption, partial(charts.states, data), table)]


def _cities(data: ReportData) -> list[Chart]:
    cities = data["cities"]
    if not cities:
        return []
    table = to_table(
        cities,
        {
            "City": place,
            "Orders": lambda row: number(row.orders),
            "Revenue": lambda row: money(row.revenue, 2),
            "Average ticket": lambda row: money(row.average_ticket, 2),
            "Late": lambda row: percent(row.late_share),
        },
    )
    title = f"Top {len(cities)} cities by revenue, BRL" if len(cities) > 1 else "Revenue by city, BRL"
    return [Chart("cities", title, captions.caption_cities(data), partial(charts.cities, data), table)]


def _payments(data: ReportData) -> list[Chart]:
    if not data["payments"]:
        return []
    present = {row.payment_type for row in data["payments"]}
    names = {code: name for code, name in PAYMENT_TYPE_NAMES.items() if code in present}
    months = _by_month(data["payments"], "payment_type", "payment_value")
    rows = [(name, *(money(values.get(code), 2) for code in names)) for name, values in months.items()]
    table = Table(("Month", *names.values()), rows)
    title, caption = "Payments by month of purchase, BRL", captions.caption_payments(data)
    return [Chart("payments", title, caption, partial(charts.payments, data), table, is_wide=True)]


def _delivery(data: ReportData) -> list[Chart]:
    result: list[Chart] = []
    if months := data.months_with("delivery_days"):
        table = to_table(
            months,
            {
                "Month": month,
                "Delivered within, days": lambda row: number(row.delivery_days, 1),
                "Promised within, days": lambda row: number(row.promised_days, 1),
                "Deliveries": lambda row: number(row.delivered),
            },
        )
        title, caption = "Days from purchase to delivery, median", captions.caption_delivery(data)
        result.append(Chart("delivery", title, caption, partial(charts.delivery, data), table))
    if months := data.months_with("late_share"):
        table = to_table(
            months,
            {
                "Month": month,
                "Late": lambda row: percent(row.late_share),
                "Deliveries": lambda row: number(row.delivered),
            },
        )
        title, caption = "Late deliveries, % of deliveries", captions.caption_late(data)
        result.append(Chart("late", title, caption, partial(charts.late, data), table))
    if data["delays"]:
        title, caption = "Deliveries by days from the promised date, orders", captions.caption_delays(data)
        result.append(Chart("delays", title, caption, partial(charts.delays, data), is_wide=True))
    return result


def _reviews(data: ReportData) -> list[Chart]:
    result: list[Chart] = []
    if data["scores"]:
        total = sum(row.orders for row in data["scores"])
        table = to_table(
            data["scores"],
            {
                "Stars": lambda row: str(row.score),
                "Orders": lambda row: number(row.orders),
                "Share": lambda row: share(row.orders, total),
            },
        )
        title, caption = "Orders by stars, % of reviewed orders", captions.caption_scores(data)
        result.append(Chart("scores", title, caption, partial(charts.scores, data), table))
    if months := data.months_with("review_score"):
        table = to_table(
            months,
            {
                "Month": month,
                "Stars": lambda row: number(row.review_score, 2),
                "Reviewed orders": lambda row: number(row.reviews),
            },
        )
        title, caption = "Mean review score by month, 1 to 5 stars", captions.caption_scores_by_month(data)
        result.append(Chart("scores_by_month", title, caption, partial(charts.scores_by_month, data), table))
    return result


def _moves(data: ReportData) -> list[Chart]:
    if not data["moves"]:
        return []
    months = _by_month(data["moves"], "goes_to", "changes")
    rows = [(name, *(number(values.get(code, 0)) for code in MOVE_NAMES)) for name, values in months.items()]
    table = Table(("Month", *MOVE_NAMES.values()), rows)
    title, caption = "Changes of address by month, seen when people bought again", captions.caption_moves(data)
    return [Chart("moves", title, caption, partial(charts.moves, data), table, is_wide=True)]


def to_table(
    rows: list[Row], columns: Mapping[str, Callable[[Row], str]], *, text_columns: tuple[str, ...] = ()
) -> Table:
    """A table of rows; `columns` has, by heading, the text of a row's cell."""
    cells = [tuple(to_text(row) for to_text in columns.values()) for row in rows]
    return Table(tuple(columns), cells, text_columns)


def _by_month(rows: list[Row], key: str, value: str) -> dict[str, dict[str, Any]]:
    """The values of a column by the month's name and, within a month, by the key column."""
    months: dict[str, dict[str, Any]] = {}
    for row in rows:
        months.setdefault(month(first_day(row)), {})[getattr(row, key)] = getattr(row, value)
    return months
