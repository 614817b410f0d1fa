"""Payments: one row each, with the person and day of their order."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import NOON, arrived, build, payment, period_key, whole

PLAIN = {
    "order_id": "o1",
    "payment_sequential": 1,
    "customer_key": period_key("ana", NOON),
    "purchase_date_key": 20180510,
    "payment_type": "credit_card",
    "payment_installments": 1,
    "payment_value": "11.00",
    "order_month": "2018-05",
}
"""Payment 1 of Ana's order o1."""


@pytest.fixture
def fact_payments(lake):
    """Build the fact and return all its rows."""

    def read():
        build(lake, "fact_payments")
        return whole(lake, "fact_payments", "order_id", "payment_sequential")

    return read


@pytest.fixture
def shop(lake):
    """A lake in which Ana's order o1 has arrived."""
    lake.rows("refined/fact_orders", arrived("o1", "ana"))
    return lake


def test_a_payment_has_its_means_installments_value_person_and_day(shop, fact_payments):
    shop.rows("trusted/order_payments", payment("o1", 2, means="boleto", installments=8, value="107.78"))
    assert fact_payments() == [
        {
            "order_id": "o1",
            "payment_sequential": 2,
            "customer_key": period_key("ana", NOON),
            "purchase_date_key": 20180510,
            "payment_type": "boleto",
            "payment_installments": 8,
            "payment_value": "107.78",
            "order_month": "2018-05",
        }
    ]


def test_payments_of_an_order_of_several_items_are_not_multiplied(lake, fact_payments):
    lake.rows("refined/fact_orders", arrived("o1", "ana", items=3, payments=2))
    lake.rows("trusted/order_payments", payment("o1", 1), payment("o1", 2))
    assert fact_payments() == [PLAIN, PLAIN | {"payment_sequential": 2}]


def test_three_equal_vouchers_of_an_order_are_three_payments(shop, fact_payments):
    shop.rows("trusted/order_payments", *(payment("o1", n, means="voucher") for n in (1, 2, 3)))
    assert fact_payments() == [PLAIN | {"payment_sequential": n, "payment_type": "voucher"} for n in (1, 2, 3)]


def test_a_zero_payment_and_one_without_installments_are_kept(shop, fact_payments):
    shop.rows("trusted/order_payments", payment("o1", means="not_defined", installments=None, value="0.00"))
    nothing = {"payment_type": "not_defined", "payment_installments": None, "payment_value": "0.00"}
    assert fact_payments() == [PLAIN | nothing]


def test_a_payment_whose_order_has_not_arrived_waits_for_it(shop, fact_payments):
    shop.rows("trusted/order_payments", payment("o1"), payment("o2"))
    assert fact_payments() == [PLAIN]

    shop.rows("refined/fact_orders", arrived("o2", "bia", "2018-06-01 12:00:00"))
    june = {"purchase_date_key": 20180601, "order_month": "2018-06"}
    assert fact_payments() == [
        PLAIN,
        PLAIN | june | {"order_id": "o2", "customer_key": period_key("bia", "2018-06-01 12:00:00")},
    ]


def test_a_payment_whose_customer_has_not_arrived_has_the_unknown_person(lake, fact_payments):
    lake.rows("refined/fact_orders", arrived("o1", None))
    lake.rows("trusted/order_payments", payment("o1"))
    assert fact_payments() == [PLAIN | {"customer_key": -1}]


def test_payments_of_orders_of_any_status_are_kept(lake, fact_payments):
    statuses = ["canceled", "unavailable", "created", None]
    lake.rows("refined/fact_orders", *(arrived(f"o{n}", order_status=status) for n, status in enumerate(statuses)))
    lake.rows("trusted/order_payments", *(payment(f"o{n}") for n in range(4)))
    assert fact_payments() == [PLAIN | {"order_id": f"o{n}"} for n in range(4)]


def test_a_rebuild_changes_nothing(shop, fact_payments):
    shop.rows("trusted/order_payments", payment("o1", 1), payment("o1", 2))
    assert fact_payments() == [PLAIN, PLAIN | {"payment_sequential": 2}]
    assert fact_payments() == [PLAIN, PLAIN | {"payment_sequential": 2}]
