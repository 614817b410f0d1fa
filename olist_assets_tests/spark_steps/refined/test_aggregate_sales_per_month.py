"""Sales per month: which month a sale counts for, and when a customer is new."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import build, whole
from olist_assets_tests.spark_steps.refined.sales_rows import (
    FEBRUARY,
    IN_TIME,
    JANUARY,
    LATE,
    MARCH,
    NEVER_PROMISED,
    NOTHING_IN_JANUARY,
    RIO,
    month_row,
    sell,
    worth,
)


@pytest.fixture
def sales_per_month(lake):
    """Build the aggregate and return all its rows."""

    def read():
        build(lake, "aggregate_sales_per_month")
        return whole(lake, "aggregate_sales_per_month", "order_month")

    return read


def test_a_month_has_its_orders_people_items_money_and_delays(lake, sales_per_month):
    sell(
        lake,
        ("ana", JANUARY, worth("30.01", "3.00", items=2, payments=2, payment_value="33.01") | LATE),
        ("bia", "2018-01-31 23:59:59.999999", {}),
        ("ana", "2018-02-01 00:00:00", worth("5.00", "0.50")),
    )
    assert sales_per_month() == [
        {
            "order_month": "2018-01",
            "orders": 2,
            "customers": 2,
            "new_customers": 2,
            "items": 2,
            "revenue": "30.01",
            "freight": "3.00",
            "payment_value": "33.01",
            "average_ticket": "15.01",
            "delivered": 1,
            "late_share": 1.0,
        },
        {
            "order_month": "2018-02",
            "orders": 1,
            "customers": 1,
            "new_customers": 0,
            "items": 1,
            "revenue": "5.00",
            "freight": "0.50",
            "payment_value": "0.00",
            "average_ticket": "5.00",
            "delivered": 0,
            "late_share": None,
        },
    ]


def test_without_orders_no_month_has_a_row(sales_per_month):
    assert sales_per_month() == []


def test_all_days_of_a_month_are_one_row_and_the_same_month_of_another_year_is_another_row(lake, sales_per_month):
    days = ["2017-01-10", "2018-01-01", "2018-01-02", "2018-01-15", "2018-01-31"]
    sell(lake, *((f"person of {day}", f"{day} 12:00:00", {}) for day in days))
    assert sales_per_month() == [
        month_row("2017-01"),
        month_row("2018-01", orders=4, customers=4, new_customers=4),
    ]


def test_a_customer_is_new_once_in_the_month_of_the_first_sale(lake, sales_per_month):
    sell(
        lake,
        ("ana", FEBRUARY, {}),
        ("ana", "2018-02-20 12:00:00", RIO),  # a second sale in the month, from another address
        ("ana", MARCH, {}),
        ("bia", MARCH, {}),
        ("ana", JANUARY, {}),  # the first, which arrives last
    )
    assert sales_per_month() == [
        month_row("2018-01", orders=1, customers=1, new_customers=1),
        month_row("2018-02", orders=2, customers=1, new_customers=0),
        month_row("2018-03", orders=2, customers=2, new_customers=1),
    ]


def test_a_canceled_order_makes_nobody_a_customer(lake, sales_per_month):
    everything = worth("10.00", "1.00", payments=1, payment_value="11.00") | LATE
    sell(
        lake,
        ("ana", JANUARY, {"order_status": "canceled"} | everything),
        ("bia", JANUARY, {"order_status": "unavailable"} | everything),
        ("ana", FEBRUARY, {}),
        ("bia", MARCH, {"order_status": None}),
        ("caio", MARCH, {"order_status": "canceled"} | everything),
    )
    assert sales_per_month() == [month_row("2018-02"), month_row("2018-03")]


def test_a_months_average_ticket_is_half_up_over_all_its_orders(lake, sales_per_month):
    sell(lake, ("ana", JANUARY, worth("2.01")), ("bia", JANUARY, {}))  # the second order has no items
    people = {"orders": 2, "customers": 2, "new_customers": 2}
    assert sales_per_month() == [
        NOTHING_IN_JANUARY | people | {"items": 1, "revenue": "2.01", "average_ticket": "1.01"}
    ]


def test_a_months_late_share_is_of_its_delivered_orders(lake, sales_per_month):
    deliveries = [LATE, IN_TIME, NEVER_PROMISED, {}]  # all in April, and counted where they were bought
    sell(lake, *((f"person {n}", JANUARY, delivery) for n, delivery in enumerate(deliveries)))
    people = {"orders": 4, "customers": 4, "new_customers": 4}
    late_share = pytest.approx(1 / 3, rel=1e-12)
    assert sales_per_month() == [NOTHING_IN_JANUARY | people | {"delivered": 3, "late_share": late_share}]


def test_a_sale_of_an_unknown_person_counts_for_its_month(lake, sales_per_month):
    sell(lake, (None, JANUARY, {}), ("bia", JANUARY, {}))
    assert sales_per_month() == [NOTHING_IN_JANUARY | {"orders": 2, "customers": 1, "new_customers": 1}]
