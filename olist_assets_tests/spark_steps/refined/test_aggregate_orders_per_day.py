"""Sales per day and state."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import build, whole
from olist_assets_tests.spark_steps.refined.sales_rows import JANUARY, RIO, sell, worth


@pytest.fixture
def orders_per_day(lake):
    """Build the aggregate and return all its rows."""

    def read():
        build(lake, "aggregate_orders_per_day")
        return whole(lake, "aggregate_orders_per_day", "purchase_date", "customer_state")

    return read


def test_orders_and_money_of_a_day_by_state(lake, orders_per_day):
    sell(
        lake,
        ("ana", "2018-01-10 00:00:00", worth("30.00", "3.00", items=2, payments=2, payment_value="33.00")),
        ("bia", "2018-01-10 23:59:59.999999", worth("0.01", "0.02") | {"city": "campinas"}),
        ("caio", "2018-01-10 12:00:00", worth("5.00") | RIO),
        ("davi", "2018-01-11 00:00:00", {}),
    )
    assert orders_per_day() == [
        {"purchase_date": "2018-01-10", "customer_state": "RJ", "orders": 1, "revenue": "5.00", "freight": "0.00"},
        {"purchase_date": "2018-01-10", "customer_state": "SP", "orders": 2, "revenue": "30.01", "freight": "3.02"},
        {"purchase_date": "2018-01-11", "customer_state": "SP", "orders": 1, "revenue": "0.00", "freight": "0.00"},
    ]


def test_canceled_and_unavailable_orders_are_no_sales_of_a_day(lake, orders_per_day):
    statuses = ["canceled", "unavailable", "created", None]
    sell(lake, *((f"person {n}", JANUARY, worth("1.00", "0.10", order_status=s)) for n, s in enumerate(statuses)))
    assert orders_per_day() == [
        {"purchase_date": "2018-01-10", "customer_state": "SP", "orders": 2, "revenue": "2.00", "freight": "0.20"}
    ]


def test_a_sale_counts_for_the_state_where_the_person_lived_at_the_purchase_or_for_none(lake, orders_per_day):
    sell(lake, ("ana", "2018-01-10 12:00:00", {}), ("ana", "2018-01-11 12:00:00", RIO), (None, JANUARY, {}))
    nothing = {"orders": 1, "revenue": "0.00", "freight": "0.00"}
    assert orders_per_day() == [
        {"purchase_date": "2018-01-10", "customer_state": None} | nothing,
        {"purchase_date": "2018-01-10", "customer_state": "SP"} | nothing,
        {"purchase_date": "2018-01-11", "customer_state": "RJ"} | nothing,
    ]
