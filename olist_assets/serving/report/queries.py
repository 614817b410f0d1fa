"""The report's figures: each is one SQL statement over the lake, and all are asked of one session."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING

from spark_steps.declarations import Layer
from spark_steps.tables import TABLES, tables_in

if TYPE_CHECKING:
    from olist_assets.serving.sql.session import Session

_SALE = "coalesce(order_status, '') NOT IN ('canceled', 'unavailable')"
_LANDED = " UNION ALL ".join(
    f"""SELECT '{table.name}' AS name, max(_landing_date) AS landed, max(_extracted_at) AS extracted, count(*) AS rows
    FROM trusted.{table.name}"""
    for table in tables_in(Layer.TRUSTED)
)
# A reason quotes the delivered text after a colon, which is not for a report.
_QUARANTINED = " UNION ALL ".join(
    f"SELECT '{table.name}' AS name, rule, split_part(reason, ': ', 1) AS reason FROM quarantine.{table.name}"
    for table in tables_in(Layer.QUARANTINE)
)

_NO_ROWS = {
    Layer.TRUSTED: "(SELECT NULL::DATE AS _landing_date, NULL::TIMESTAMPTZ AS _extracted_at WHERE false)",
    Layer.QUARANTINE: "(SELECT '' AS rule, '' AS reason WHERE false)",
}
"""What stands in a statement for a table that has not been written yet."""

QUERIES: Mapping[str, str] = {
    "months": f"""
        SELECT m.order_month, m.orders, m.revenue, m.average_ticket, m.delivered, m.late_share,
            o.review_score, o.reviews, o.delivery_days, o.promised_days, d.days
        FROM refined.aggregate_sales_per_month m
        LEFT JOIN (
            SELECT order_month, avg(review_score) AS review_score, count(review_score) AS reviews,
                median(delivery_days) AS delivery_days,
                median(estimated_days) FILTER (delivery_days IS NOT NULL) AS promised_days
            FROM refined.fact_orders WHERE {_SALE} GROUP BY order_month
        ) o ON o.order_month = m.order_month
        LEFT JOIN (
            SELECT strftime(purchase_date, '%Y-%m') AS order_month, count(DISTINCT purchase_date) AS days
            FROM refined.aggregate_orders_per_day GROUP BY ALL
        ) d ON d.order_month = m.order_month
        ORDER BY m.order_month""",
    "days": """
        WITH sold AS (
            SELECT purchase_date, sum(orders)::BIGINT AS orders, sum(revenue)::DECIMAL(18, 2) AS revenue
            FROM refined.aggregate_orders_per_day GROUP BY purchase_date
        ), calendar AS (
            SELECT unnest(
                generate_series(min(purchase_date), max(purchase_date), INTERVAL 1 DAY)
            )::DATE AS purchase_date
            FROM sold
        )
        SELECT c.purchase_date, coalesce(orders, 0) AS orders, coalesce(revenue, 0)::DECIMAL(18, 2) AS revenue,
            avg(coalesce(orders, 0)) OVER week AS week_orders,
            avg(coalesce(revenue, 0)) OVER week AS week_revenue
        FROM calendar c LEFT JOIN sold ON sold.purchase_date = c.purchase_date
        WINDOW week AS (ORDER BY c.purchase_date ROWS 6 PRECEDING)
        ORDER BY c.purchase_date""",
    "states": """
        SELECT state, sum(orders)::BIGINT AS orders, sum(revenue)::DECIMAL(18, 2) AS revenue
        FROM refined.aggregate_sales_performance_by_city GROUP BY state ORDER BY revenue DESC, state""",
    "cities": """
        SELECT city, state, orders, revenue, average_ticket, late_share
        FROM refined.aggregate_sales_performance_by_city
        WHERE city IS NOT NULL ORDER BY revenue DESC, state, city LIMIT 10""",
    "payments": """
        SELECT order_month, payment_type, payments, payment_value
        FROM refined.aggregate_payments_per_month WHERE payment_value > 0 ORDER BY order_month, payment_type""",
    "delays": f"""
        SELECT ceil(delay_days)::INT AS days, is_late, count(*) AS orders
        FROM refined.fact_orders WHERE delay_days IS NOT NULL AND {_SALE}
        GROUP BY ALL ORDER BY ALL""",
    "delay": f"""
        SELECT median(delay_days) AS median_days, avg(is_late::INT) AS late_share, count(*) AS delivered
        FROM refined.fact_orders WHERE delay_days IS NOT NULL AND {_SALE}""",
    "scores": f"""
        SELECT review_score AS score, count(*) AS orders
        FROM refined.fact_orders WHERE review_score IS NOT NULL AND {_SALE}
        GROUP BY ALL ORDER BY score DESC""",
    "scores_by_punctuality": f"""
        SELECT is_late, avg(review_score) AS review_score, count(*) AS orders
        FROM refined.fact_orders
        WHERE review_score IS NOT NULL AND is_late IS NOT NULL AND {_SALE}
        GROUP BY is_late ORDER BY is_late""",
    "moves": """
        SELECT strftime(valid_from, '%Y-%m') AS order_month,
            CASE WHEN state IS DISTINCT FROM before.state THEN 'another state'
                WHEN city IS DISTINCT FROM before.city THEN 'another city' ELSE 'same city' END AS goes_to,
            count(*) AS changes
        FROM (
            SELECT valid_from, city, state, lag({'city': city, 'state': state}) OVER periods AS before,
                row_number() OVER periods AS period
            FROM refined.dim_customers WHERE customer_key <> -1
            WINDOW periods AS (PARTITION BY customer_unique_id ORDER BY valid_from)
        )
        WHERE period > 1 GROUP BY ALL ORDER BY ALL""",
    "people": """
        SELECT count(DISTINCT customer_unique_id) AS people, count(*) - count(DISTINCT customer_unique_id) AS changes
        FROM refined.dim_customers WHERE customer_key <> -1""",
    "landed": f"SELECT * FROM ({_LANDED}) ORDER BY name",
    "quarantined": f"""
        SELECT name, rule, min(reason) AS reason, count(*) AS rows
        FROM ({_QUARANTINED}) GROUP BY name, rule ORDER BY rows DESC, name, rule""",
}
"""SQL by the name of what it answers. Sales are orders that are neither canceled nor unavailable; money is BRL."""

_HALF = 2


def tables_read_by(sql: str) -> set[str]:
    """The ids of the tables that a statement reads."""
    return {f"{layer}/{name}" for layer, name in re.findall(r"\b([a-z]+)\.([a-z_]+)", sql)} & TABLES.keys()


TABLES_READ = tuple(sorted(set().union(*map(tables_read_by, QUERIES.values())), key=list(TABLES).index))
"""The ids of all tables that the report reads, upstream first."""


class Row(SimpleNamespace):
    """A row of a result, its columns as attributes."""

    order_month: str
    purchase_date: date
    orders: int
    revenue: Decimal


@dataclass(frozen=True)
class Figures:
    """All rows of all queries, by the queries' names, and the versions of the tables that they are of."""

    rows: Mapping[str, list[Row]]
    versions: Mapping[str, int]

    def __getitem__(self, name: str) -> list[Row]:
        return self.rows[name]

    @cached_property
    def as_of(self) -> datetime | None:
        """When the newest of the data was extracted from the source; None if there is none."""
        times = [row.extracted for row in self["landed"] if row.extracted is not None]
        return max(times).astimezone(UTC) if times else None

    @cached_property
    def full_months(self) -> list[Row]:
        """The months that were over when the data were extracted, with sales on half of their days or more."""
        return [month for month in self["months"] if self._is_over(month) and _sold_on_half_of_its_days(month)]

    @cached_property
    def headline(self) -> Row | None:
        """The newest full month; if there is none, the newest month with sales; None without sales."""
        return (self.full_months or self["months"] or [None])[-1]

    @cached_property
    def before(self) -> Row | None:
        """The month before the headline month; None if it is not a full one, which would compare badly."""
        if self.headline is None:
            return None
        before = first_day(self.headline) - timedelta(days=1)
        return next((month for month in self.full_months if first_day(month) == before.replace(day=1)), None)

    @property
    def is_provisional(self) -> bool:
        """Whether the headline month is not a full one."""
        return self.headline is not None and not self.full_months

    def _is_over(self, month: Row) -> bool:
        return self.as_of is not None and next_month(first_day(month)) <= self.as_of.date()


def read(session: "Session") -> Figures:
    """Ask all figures of a session. A figure whose refined tables have not all been written yet has no rows."""
    return Figures({name: _ask(session, sql) for name, sql in QUERIES.items()}, dict(sorted(session.versions.items())))


def first_day(month: Row | str) -> date:
    """The first day of a month: of one written as 2018-05, or of a row's."""
    return date.fromisoformat(f"{month if isinstance(month, str) else month.order_month}-01")


def next_month(day: date) -> date:
    """The first day of the month after a day that is its month's first."""
    return (day + timedelta(days=31)).replace(day=1)


def _ask(session: "Session", sql: str) -> list[Row]:
    asked = tables_read_by(sql)
    missing = asked - session.versions.keys()
    if missing == asked or any(TABLES[table].layer not in _NO_ROWS for table in missing):
        return []
    for table in missing:  # of a statement over all sources, the others are told
        name = re.escape(table.replace("/", "."))
        sql = re.sub(rf"\b{name}\b", _NO_ROWS[TABLES[table].layer], sql)
    result = session.query(sql)
    return [Row(**dict(zip(result.columns, values, strict=True))) for values in result.fetchall()]


def _sold_on_half_of_its_days(month: Row) -> bool:
    length = (next_month(first_day(month)) - first_day(month)).days
    return (month.days or 0) * _HALF >= length
