"""The report's data: one SQL statement per query, all run in one session and so on one set of table versions."""

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
# After a colon a reason quotes the delivered text, which must not appear in a report.
_QUARANTINED = " UNION ALL ".join(
    f"SELECT '{table.name}' AS name, rule, split_part(reason, ': ', 1) AS reason FROM quarantine.{table.name}"
    for table in tables_in(Layer.QUARANTINE)
)

_NO_ROWS = {
    Layer.TRUSTED: "(SELECT NULL::DATE AS _landing_date, NULL::TIMESTAMPTZ AS _extracted_at WHERE false)",
    Layer.QUARANTINE: "(SELECT '' AS rule, '' AS reason WHERE false)",
}
"""What replaces a table in a statement while the table has not been written yet."""

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
            FROM refined.dim_customers
            WHERE customer_unique_id IN (SELECT customer_unique_id FROM refined.dim_customers WHERE NOT is_current)
            WINDOW periods AS (PARTITION BY customer_unique_id ORDER BY valid_from)
        )
        WHERE period > 1 GROUP BY ALL ORDER BY ALL""",
    "people": """
        SELECT count(*) FILTER (is_current) AS people, count(*) FILTER (NOT is_current) AS changes
        FROM refined.dim_customers WHERE customer_key <> -1""",
    "landed": f"SELECT * FROM ({_LANDED}) ORDER BY name",
    "quarantined": f"""
        SELECT name, rule, min(reason) AS reason, count(*) AS rows
        FROM ({_QUARANTINED}) GROUP BY name, rule ORDER BY rows DESC, name, rule""",
}
"""SQL by query name. Sales are orders that are neither canceled nor unavailable; amounts are in BRL."""


def tables_read_by(sql: str) -> set[str]:
    """The ids of the tables that a statement reads, such as `refined/fact_orders`."""
    return {f"{layer}/{name}" for layer, name in re.findall(r"\b([a-z]+)\.([a-z_]+)", sql)} & TABLES.keys()


TABLES_READ = tuple(sorted(set().union(*map(tables_read_by, QUERIES.values())), key=list(TABLES).index))
"""The ids of all tables that the report reads, upstream first."""


class Row(SimpleNamespace):
    """A row of a result, with its columns as attributes."""

    order_month: str
    purchase_date: date
    orders: int
    revenue: Decimal


@dataclass(frozen=True)
class ReportData:
    """The rows of all queries, and the table versions that they were read from.

    Attributes:
        rows: the result of each query, by its name in `QUERIES`.
        versions: the version of each table, by table id.
    """

    rows: Mapping[str, list[Row]]
    versions: Mapping[str, int]

    def __getitem__(self, query: str) -> list[Row]:
        return self.rows[query]

    @cached_property
    def as_of(self) -> datetime | None:
        """When the newest rows were extracted from the source; None without rows."""
        times = [row.extracted for row in self["landed"] if row.extracted is not None]
        return max(times).astimezone(UTC) if times else None

    @cached_property
    def full_months(self) -> list[Row]:
        """The months that were over when the data were extracted, with sales on at least half of their days."""
        return [month for month in self["months"] if self._is_over(month) and _has_sales_on_half_of_its_days(month)]

    @cached_property
    def kpi_month(self) -> Row | None:
        """The month of the KPIs: the newest full month, else the newest month with sales. None without sales."""
        return (self.full_months or self["months"] or [None])[-1]

    @cached_property
    def previous_month(self) -> Row | None:
        """The month before the KPI month; None unless it is a full month, because others do not compare fairly."""
        if self.kpi_month is None:
            return None
        previous = (first_day(self.kpi_month) - timedelta(days=1)).replace(day=1)
        return next((month for month in self.full_months if first_day(month) == previous), None)

    @property
    def is_provisional(self) -> bool:
        """Whether the KPI month is not a full month."""
        return self.kpi_month is not None and not self.full_months

    def months_with(self, column: str) -> list[Row]:
        """The full months in which a column has a value; if there is no full month, all months in which it has one."""
        return [month for month in self.full_months or self["months"] if getattr(month, column) is not None]

    def _is_over(self, month: Row) -> bool:
        return self.as_of is not None and next_month(first_day(month)) <= self.as_of.date()


def run_queries(session: "Session") -> ReportData:
    """Run all queries in a session. A query has no rows until all its refined tables have been written.

    Raises:
        QueryError: a table cannot be read.
    """
    rows = {name: _run(session, sql) for name, sql in QUERIES.items()}
    return ReportData(rows, dict(sorted(session.versions.items())))


def first_day(month: Row | str) -> date:
    """The first day of a month, which is a text such as 2018-05 or a row with an `order_month`."""
    return date.fromisoformat(f"{month if isinstance(month, str) else month.order_month}-01")


def next_month(day: date) -> date:
    """The first day of the next month, from the first day of a month."""
    return (day + timedelta(days=31)).replace(day=1)


def _run(session: "Session", sql: str) -> list[Row]:
    tables = tables_read_by(sql)
    missing = tables - session.versions.keys() - session.unreadable.keys()
    if missing == tables or any(TABLES[table].layer not in _NO_ROWS for table in missing):
        return []
    for table in missing:  # a query over all sources still answers for the others
        name = re.escape(table.replace("/", "."))
        sql = re.sub(rf"\b{name}\b", _NO_ROWS[TABLES[table].layer], sql)
    result = session.query(sql)
    return [Row(**dict(zip(result.columns, values, strict=True))) for values in result.fetchall()]


def _has_sales_on_half_of_its_days(month: Row) -> bool:
    length = (next_month(first_day(month)) - first_day(month)).days
    return (month.days or 0) * 2 >= length
