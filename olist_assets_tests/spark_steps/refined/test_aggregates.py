"""The aggregates together: computed from trusted rows, and adding up to the same sales."""

from decimal import Decimal

from olist_assets_tests.spark_steps.refined.refined_rows import build, customer, item, order, payment, review, whole
from olist_assets_tests.spark_steps.refined.sales_rows import (
    FEBRUARY,
    JANUARY,
    MARCH,
    NOTHING_IN_JANUARY,
    NOTHING_IN_SAO_PAULO,
    RIO,
    month_row,
    sell,
    worth,
)

FACTS = ("dim_products", "dim_sellers", "dim_customers", "fact_orders", "fact_order_items", "fact_payments")
BY_CITY, PER_MONTH = "aggregate_sales_performance_by_city", "aggregate_sales_per_month"
PAYMENTS, PER_DAY = "aggregate_payments_per_month", "aggregate_orders_per_day"


def test_two_items_and_two_payments_are_not_multiplied_by_any_join(lake):
    lake.rows("trusted/orders", order("o1", "c1", JANUARY))
    lake.rows("trusted/customers", customer("c1", "ana"))
    lake.rows("trusted/order_items", item("o1", 1, price="10.00"), item("o1", 2, price="20.00"))
    lake.rows("trusted/order_payments", payment("o1", 1, value="30.00"), payment("o1", 2, value="2.00"))
    lake.rows("trusted/order_reviews", review("r1", "o1", 3), review("r2", "o1", 4))
    build(lake, *FACTS, BY_CITY, PER_MONTH, PAYMENTS, PER_DAY)
    assert len(whole(lake, "fact_order_items")) == 2
    assert len(whole(lake, "fact_payments")) == 2
    sums = {"items": 2, "revenue": "30.00", "freight": "2.00", "average_ticket": "30.00"}
    assert whole(lake, BY_CITY) == [
        NOTHING_IN_SAO_PAULO | sums | {"average_freight": "2.00", "average_review_score": 4.0}
    ]
    assert whole(lake, PER_MONTH) == [NOTHING_IN_JANUARY | sums | {"payment_value": "32.00"}]
    assert whole(lake, PER_DAY) == [
        {"purchase_date": "2018-01-10", "customer_state": "SP", "orders": 1, "revenue": "30.00", "freight": "2.00"}
    ]
    card = {"order_month": "2018-01", "payment_type": "credit_card", "average_installments": 1.0}
    assert whole(lake, PAYMENTS) == [card | {"payments": 2, "orders": 1, "payment_value": "32.00"}]


def test_canceled_orders_stay_in_facts_and_payments_and_are_no_sales(lake):
    lake.rows("trusted/orders", order("o1", "c1", JANUARY, status="canceled"), order("o2", "c2", FEBRUARY))
    lake.rows("trusted/customers", customer("c1", "ana"), customer("c2", "ana"))
    lake.rows("trusted/order_items", item("o1", 1), item("o1", 2), item("o2"))
    lake.rows("trusted/order_payments", payment("o1"), payment("o2"))
    build(lake, *FACTS, PER_MONTH, PAYMENTS)
    assert lake.read("refined/fact_orders", "order_id", "order_status", "items") == [
        {"order_id": "o1", "order_status": "canceled", "items": 2},
        {"order_id": "o2", "order_status": "delivered", "items": 1},
    ]
    sums = {"items": 1, "revenue": "10.00", "freight": "1.00", "payment_value": "11.00", "average_ticket": "10.00"}
    assert whole(lake, PER_MONTH) == [month_row("2018-02", **sums)]  # her first sale: the canceled order was none
    card = {"payment_type": "credit_card", "average_installments": 1.0}
    card |= {"payments": 1, "orders": 1, "payment_value": "11.00"}
    assert whole(lake, PAYMENTS, "order_month") == [card | {"order_month": m} for m in ("2018-01", "2018-02")]


def test_cities_months_and_days_add_up_to_the_sales_in_the_orders(lake):
    sell(
        lake,
        ("ana", JANUARY, worth("1.01")),
        ("ana", FEBRUARY, worth("2.01") | RIO),
        ("bia", FEBRUARY, worth("3.01") | {"state": None}),
        ("caio", MARCH, worth("4.01", order_status="canceled")),
        (None, MARCH, worth("9.01")),
    )
    build(lake, BY_CITY, PER_MONTH, PER_DAY)
    for table in (BY_CITY, PER_MONTH, PER_DAY):
        rows = whole(lake, table)
        sums = (sum(row["orders"] for row in rows), sum(Decimal(row["revenue"]) for row in rows))
        assert (table, *sums) == (table, 4, Decimal("15.04"))
