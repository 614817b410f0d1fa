"""The expected content of a lake after some files were loaded, in any order: the rules in plain Python.

It shares nothing with the steps. Values are as `TestLake.read` returns them: times and amounts as text.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from olist_assets_tests.oracle.aggregates import aggregate_rows
from olist_assets_tests.oracle.dimensions import address_periods, date_keys, location_rows, product_rows, seller_rows
from olist_assets_tests.oracle.facts import detail_facts, order_facts
from olist_assets_tests.oracle.trusted import newest_rows
from olist_assets_tests.oracle.values import CENT, Record, month_text
from olist_assets_tests.scenarios.delivery_strategies import File


def expected(files: Iterable[File]) -> dict[str, list[Record]]:
    """The rows of each trusted, quarantine and refined table after these files were loaded, in no order.

    A quarantine row has only its lineage, a day of the calendar only its key.
    """
    trusted, rejected = newest_rows(files)
    periods = address_periods(trusted["orders"], {row["customer_id"]: row for row in trusted["customers"]})
    products, sellers = product_rows(trusted), seller_rows(trusted)
    orders = order_facts(trusted, periods)
    children = detail_facts(trusted, orders, sellers, products)
    unknown = {
        "dim_products": {"product_key": -1},
        "dim_sellers": {"seller_key": -1, "location_key": -1},
        "dim_location": {"location_key": -1},
        "dim_customers": {"customer_key": -1, "location_key": -1},
    }
    refined = {
        "dim_products": products,
        "dim_sellers": sellers,
        "dim_location": location_rows(trusted),
        "dim_customers": periods,
        "dim_date": date_keys(trusted["orders"]),
        "fact_orders": orders,
        **children,
        **aggregate_rows(orders, periods, children["fact_payments"]),
    }
    for order in trusted["orders"]:
        order["order_month"] = month_text(order["order_purchase_timestamp"])
    tables = {
        **{f"trusted/{name}": rows for name, rows in trusted.items()},
        **{f"quarantine/{name}": rows for name, rows in rejected.items()},
        **{f"refined/{name}": [*rows, *([unknown[name]] if name in unknown else [])] for name, rows in refined.items()},
    }
    return {table_id: [_plain(row) for row in rows] for table_id, rows in tables.items()}


def _plain(row: Record) -> Record:
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, Decimal):
        return str(value.quantize(CENT))
    return str(value) if isinstance(value, date) else value
