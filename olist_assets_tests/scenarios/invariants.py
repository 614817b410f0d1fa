"""What refined tables guarantee at any time, independent of the oracle."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

from olist_assets_tests.lakes import TestLake

Rows = list[dict[str, Any]]

FACT_SOURCES = {
    "fact_orders": "orders",
    "fact_order_items": "order_items",
    "fact_payments": "order_payments",
    "fact_reviews": "order_reviews",
}
"""The trusted table that each fact has its rows from."""

DIMENSIONS = {
    "customer_key": "dim_customers",
    "location_key": "dim_location",
    "seller_location_key": "dim_location",
    "product_key": "dim_products",
    "seller_key": "dim_sellers",
    "purchase_date_key": "dim_date",
}
"""The dimension that each foreign key refers to."""


def violated_invariants(lake: TestLake) -> list[str]:
    """One line for each violation in the lake's refined tables; none if they are consistent."""
    refined = {name: lake.read(f"refined/{name}") for name in {*FACT_SOURCES, *DIMENSIONS.values()}}
    trusted = {name: lake.read(f"trusted/{name}") for name in [*FACT_SOURCES.values(), "customers"]}
    periods = defaultdict(list)
    for row in refined["dim_customers"]:
        if row["customer_key"] != -1:
            periods[row["customer_unique_id"]].append(row)
    return [
        *_timeline_violations(periods),
        *_period_violations(refined["fact_orders"], periods, trusted),
        *_key_violations(refined),
        *_sum_violations(refined, trusted),
    ]


def _timeline_violations(periods: dict[str, Rows]) -> Iterator[str]:
    for person, timeline in periods.items():
        timeline.sort(key=lambda p: p["valid_from"])
        if [p["is_current"] for p in timeline] != [False] * (len(timeline) - 1) + [True]:
            yield f"{person}: exactly the newest period must be current"
        if [p["valid_to"] for p in timeline] != [*(p["valid_from"] for p in timeline[1:]), None]:
            yield f"{person}: periods must follow one another without gap or overlap"
        if any(p["valid_from"] >= p["valid_to"] for p in timeline[:-1]):
            yield f"{person}: a period must begin before it ends"
        if any(all(p[c] == q[c] for c in ("zip_code_prefix", "city", "state")) for p, q in pairwise(timeline)):
            yield f"{person}: neighboring periods must differ in their address"


def _period_violations(orders: Rows, periods: dict[str, Rows], trusted: dict[str, Rows]) -> Iterator[str]:
    customer_by_order = {row["order_id"]: row["customer_id"] for row in trusted["orders"]}
    person_by_customer = {row["customer_id"]: row["customer_unique_id"] for row in trusted["customers"]}
    for order in orders:
        time = order["order_purchase_timestamp"]
        customer = customer_by_order.get(order["order_id"])
        keys = [
            period["customer_key"]
            for period in periods[person_by_customer.get(customer)]
            if period["valid_from"] <= time and (period["valid_to"] is None or time < period["valid_to"])
        ]
        known = customer in person_by_customer
        if keys != [order["customer_key"]] * known or (not known and order["customer_key"] != -1):
            yield f"{order['order_id']} must fall in exactly one period of its person"


def _key_violations(refined: dict[str, Rows]) -> Iterator[str]:
    keys = {name: {row[next(iter(row))] for row in refined[name]} for name in DIMENSIONS.values()}
    for table, rows in refined.items():
        own = "customer_key" if table == "dim_customers" else None
        for row in rows:
            for column in row.keys() & DIMENSIONS.keys() - {own}:
                if row[column] not in keys[DIMENSIONS[column]]:
                    yield f"{table}: {column} {row[column]} must have a row in {DIMENSIONS[column]}"


def _sum_violations(refined: dict[str, Rows], trusted: dict[str, Rows]) -> Iterator[str]:
    arrived = {row["order_id"] for row in trusted["orders"]}
    for fact, source in FACT_SOURCES.items():
        if len(refined[fact]) != sum(row["order_id"] in arrived for row in trusted[source]):
            yield f"{fact} must have each row of trusted whose order has arrived, once"
    for source, fact, source_column, order_column in (
        ("order_items", "fact_order_items", "price", "items_value"),
        ("order_items", "fact_order_items", "freight_value", "freight_value"),
        ("order_payments", "fact_payments", "payment_value", "payment_value"),
    ):
        total = sum(Decimal(row[source_column]) for row in trusted[source] if row["order_id"] in arrived)
        sums = [
            sum(Decimal(row[column]) for row in refined[name])
            for name, column in ((fact, source_column), ("fact_orders", order_column))
        ]
        if sums != [total, total]:
            yield f"{source_column} of {fact} and of fact_orders must sum up to trusted's {total}, not to {sums}"
