"""Payments per month and means of payment."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import build, payment, period_key, whole
from olist_assets_tests.spark_steps.refined.sales_rows import JANUARY


@pytest.fixture
def payments_per_month(lake):
    """Build the aggregate and return all its rows."""

    def read():
        build(lake, "aggregate_payments_per_month")
        return whole(lake, "aggregate_payments_per_month", "order_month", "payment_type")

    return read


def paid(order_id, number=1, *, month="2018-01", **more):
    """A row of fact_payments."""
    keys = {"customer_key": period_key("ana", JANUARY), "purchase_date_key": 20180110, "order_month": month}
    return payment(order_id, number, **more) | keys


def test_payments_are_counted_and_summed_per_month_and_means(lake, payments_per_month):
    lake.rows(
        "refined/fact_payments",
        paid("o1", 1, means="voucher", installments=1, value="10.00"),
        paid("o1", 2, means="voucher", installments=1, value="20.00"),
        paid("o1", 3, means="credit_card", installments=3, value="5.05"),
        paid("o2", 1, means="voucher", installments=2, value="0.01"),
        paid("o3", 1, means="voucher", installments=1, value="7.00", month="2018-02"),
        paid("o4", 1, means="voucher", installments=1, value="0.00", month="2017-01"),
    )
    assert payments_per_month() == [
        {
            "order_month": "2017-01",
            "payment_type": "voucher",
            "payments": 1,
            "orders": 1,
            "payment_value": "0.00",
            "average_installments": 1.0,
        },
        {
            "order_month": "2018-01",
            "payment_type": "credit_card",
            "payments": 1,
            "orders": 1,
            "payment_value": "5.05",
            "average_installments": 3.0,
        },
        {
            "order_month": "2018-01",
            "payment_type": "voucher",
            "payments": 3,
            "orders": 2,
            "payment_value": "30.01",
            "average_installments": pytest.approx(4 / 3, rel=1e-12),
        },
        {
            "order_month": "2018-02",
            "payment_type": "voucher",
            "payments": 1,
            "orders": 1,
            "payment_value": "7.00",
            "average_installments": 1.0,
        },
    ]


def test_without_payments_there_is_no_row(payments_per_month):
    assert payments_per_month() == []
