"""Orders: one row each, with the place at the purchase, times between the steps, and sums that do not multiply."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import (
    NOON,
    build,
    customer,
    item,
    key_of,
    order,
    payment,
    period_key,
    review,
    whole,
)

BARE = {
    "order_id": "o1",
    "customer_key": period_key("ana", NOON),
    "location_key": key_of("01001"),
    "purchase_date_key": 20180510,
    "order_status": "delivered",
    "order_purchase_timestamp": NOON,
    "order_approved_at": None,
    "order_delivered_carrier_date": None,
    "order_delivered_customer_date": None,
    "order_estimated_delivery_date": None,
    "approval_hours": None,
    "delivery_days": None,
    "estimated_days": None,
    "delay_days": None,
    "is_late": None,
    "items": 0,
    "products": 0,
    "sellers": 0,
    "items_value": "0.00",
    "freight_value": "0.00",
    "order_value": "0.00",
    "payments": 0,
    "payment_value": "0.00",
    "review_score": None,
    "order_month": "2018-05",
}
"""Order o1 of Ana, of which only the purchase is known."""


@pytest.fixture
def fact_orders(lake):
    """Build the fact and its dimension, and return all rows of the fact."""

    def read():
        build(lake, "dim_customers", "fact_orders")
        return whole(lake, "fact_orders", "order_id")

    return read


@pytest.fixture
def shop(lake):
    """A lake in which Ana's order o1 of 2018-05-10 12:00 has arrived."""
    lake.rows("trusted/customers", customer("c1", "ana"))
    lake.rows("trusted/orders", order("o1", "c1"))
    return lake


# --- The whole ------------------------------------------------------------------------------------------------------


@pytest.mark.spark
def test_an_order_has_its_times_values_payments_and_score(lake, fact_orders):
    lake.rows("trusted/customers", customer("c1", "ana"))
    times = {"approved": "2018-05-10 13:30:00", "carrier": "2018-05-11 12:00:00", "delivered": "2018-05-20 18:00:00"}
    lake.rows("trusted/orders", order("o1", "c1", **times, estimated="2018-05-19 00:00:00"))
    lake.rows(
        "trusted/order_items",
        item("o1", 1, product="p1", seller="s1", price="58.90", freight="13.29"),
        item("o1", 2, product="p1", seller="s1", price="58.90", freight="13.29"),
        item("o1", 3, product="p2", seller="s1", price="0.01", freight="0.00"),
    )
    lake.rows("trusted/order_payments", payment("o1", 1, value="100.00"), payment("o1", 2, value="44.39"))
    lake.rows("trusted/order_reviews", review("r1", "o1", 4, answered="2018-05-21 10:00:00"))
    assert fact_orders() == [
        {
            "order_id": "o1",
            "customer_key": period_key("ana", NOON),
            "location_key": key_of("01001"),
            "purchase_date_key": 20180510,
            "order_status": "delivered",
            "order_purchase_timestamp": "2018-05-10 12:00:00",
            "order_approved_at": "2018-05-10 13:30:00",
            "order_delivered_carrier_date": "2018-05-11 12:00:00",
            "order_delivered_customer_date": "2018-05-20 18:00:00",
            "order_estimated_delivery_date": "2018-05-19 00:00:00",
            "approval_hours": 1.5,
            "delivery_days": 10.25,
            "estimated_days": 8.5,
            "delay_days": 1.75,
            "is_late": True,
            "items": 3,
            "products": 2,
            "sellers": 1,
            "items_value": "117.81",
            "freight_value": "26.58",
            "order_value": "144.39",
            "payments": 2,
            "payment_value": "144.39",
            "review_score": 4,
            "order_month": "2018-05",
        }
    ]


def test_an_order_without_items_payments_and_reviews_has_zeros_and_no_score(lake, fact_orders):
    lake.rows("trusted/customers", customer("c1", "ana"))
    lake.rows("trusted/orders", order("o1", "c1"))
    assert fact_orders() == [BARE]


def test_without_orders_there_are_no_rows(lake, fact_orders):
    lake.rows("trusted/order_items", item("o1"))
    assert fact_orders() == []


# --- Items and payments ---------------------------------------------------------------------------------------------


def test_two_items_and_two_payments_are_not_multiplied(shop, fact_orders):
    shop.rows("trusted/order_items", item("o1", 1, price="10.00"), item("o1", 2, price="20.00"))
    shop.rows("trusted/order_payments", payment("o1", 1, value="30.00"), payment("o1", 2, value="2.00"))
    shop.rows("trusted/order_reviews", review("r1", "o1", 5), review("r2", "o1", 5))
    assert fact_orders() == [
        BARE
        | {"items": 2, "products": 1, "sellers": 1}
        | {"items_value": "30.00", "freight_value": "2.00", "order_value": "32.00"}
        | {"payments": 2, "payment_value": "32.00", "review_score": 5}
    ]


def test_three_equal_items_of_an_order_are_three(shop, fact_orders):
    shop.rows("trusted/order_items", *(item("o1", n, price="7.77", freight="1.11") for n in (1, 2, 3)))
    assert fact_orders() == [
        BARE
        | {"items": 3, "products": 1, "sellers": 1}
        | {"items_value": "23.31", "freight_value": "3.33", "order_value": "26.64"}
    ]


def test_three_equal_payments_of_an_order_are_three(shop, fact_orders):
    shop.rows("trusted/order_payments", *(payment("o1", n, means="voucher", value="7.77") for n in (1, 2, 3)))
    assert fact_orders() == [BARE | {"payments": 3, "payment_value": "23.31"}]


def test_products_and_sellers_are_counted_by_distinct_ids_without_null(shop, fact_orders):
    shop.rows(
        "trusted/order_items",
        item("o1", 1, product="p1", seller="s1"),
        item("o1", 2, product="p2", seller="s1"),
        item("o1", 3, product="p2", seller="s2"),
        item("o1", 4, product="p2", seller=None),
    )
    assert fact_orders() == [
        BARE
        | {"items": 4, "products": 2, "sellers": 2}
        | {"items_value": "40.00", "freight_value": "4.00", "order_value": "44.00"}
    ]


def test_an_item_without_seller_counts_as_an_item_and_not_as_a_seller(shop, fact_orders):
    shop.rows("trusted/order_items", item("o1", seller=None))
    assert fact_orders() == [
        BARE
        | {"items": 1, "products": 1, "sellers": 0}
        | {"items_value": "10.00", "freight_value": "1.00", "order_value": "11.00"}
    ]


def test_money_is_exact_to_the_cent(shop, fact_orders):
    dear = {"price": "9999999999.97", "freight": "8765432109.87"}  # sums of these as doubles lose cents
    shop.rows("trusted/order_items", *(item("o1", n, **dear) for n in range(1, 901)))
    shop.rows("trusted/order_payments", *(payment("o1", n, value="9999999999.97") for n in range(1, 901)))
    assert fact_orders() == [
        BARE
        | {"items": 900, "products": 1, "sellers": 1}
        | {"items_value": "8999999999973.00", "freight_value": "7888888898883.00"}
        | {"order_value": "16888888898856.00", "payments": 900, "payment_value": "8999999999973.00"}
    ]


def test_the_order_value_is_the_sum_of_items_and_freight_and_not_of_payments(shop, fact_orders):
    shop.rows("trusted/order_items", item("o1", price="10.00", freight="0.00"))
    shop.rows("trusted/order_payments", payment("o1", value="12.34"))
    assert fact_orders() == [
        BARE
        | {"items": 1, "products": 1, "sellers": 1, "items_value": "10.00", "order_value": "10.00"}
        | {"payments": 1, "payment_value": "12.34"}
    ]


def test_items_payments_and_reviews_of_other_orders_are_not_counted(shop, fact_orders):
    shop.rows("trusted/order_items", item("o2"))
    shop.rows("trusted/order_payments", payment("o2"))
    shop.rows("trusted/order_reviews", review("r1", "o2", 1))
    assert fact_orders() == [BARE]


# --- Times ----------------------------------------------------------------------------------------------------------


def test_an_order_is_late_if_it_was_delivered_after_the_promised_instant(lake, fact_orders):
    promised = "2018-05-19 00:00:00"
    deliveries = {
        "o1": ("2018-05-19 00:00:01", 1 / 86_400, True),
        "o2": ("2018-05-19 00:00:00", 0.0, False),
        "o3": ("2018-05-18 23:59:59", -1 / 86_400, False),
        "o4": ("2018-05-16 12:00:00", -2.5, False),
    }
    lake.rows("trusted/customers", customer("c1", "ana"))
    lake.rows(
        "trusted/orders",
        *(order(o, "c1", delivered=delivered, estimated=promised) for o, (delivered, _, _) in deliveries.items()),
    )
    assert fact_orders() == [
        BARE
        | {"order_id": o, "order_delivered_customer_date": delivered, "order_estimated_delivery_date": promised}
        | {"delivery_days": pytest.approx(8.5 + delay_days, rel=1e-12), "estimated_days": 8.5}
        | {"delay_days": pytest.approx(delay_days, rel=1e-12), "is_late": is_late}
        for o, (delivered, delay_days, is_late) in deliveries.items()
    ]


def test_durations_of_an_undelivered_order_are_null(lake, fact_orders):
    statuses = ["shipped", "canceled", "unavailable", "created", None]
    lake.rows("trusted/customers", customer("c1", "ana"))
    lake.rows(
        "trusted/orders",
        *(order(f"o{n}", "c1", status=s, estimated="2018-05-19 00:00:00") for n, s in enumerate(statuses)),
    )
    assert fact_orders() == [
        BARE
        | {"order_id": f"o{n}", "order_status": status}
        | {"order_estimated_delivery_date": "2018-05-19 00:00:00", "estimated_days": 8.5}
        | {"order_delivered_customer_date": None, "delivery_days": None, "delay_days": None, "is_late": None}
        for n, status in enumerate(statuses)
    ]


def test_a_delivery_without_a_promised_date_is_neither_late_nor_in_time(lake, fact_orders):
    lake.rows("trusted/customers", customer("c1", "ana"))
    lake.rows("trusted/orders", order("o1", "c1", delivered="2018-05-11 12:00:00"))
    assert fact_orders() == [BARE | {"order_delivered_customer_date": "2018-05-11 12:00:00", "delivery_days": 1.0}]


def test_hours_and_days_keep_their_fraction(lake, fact_orders):
    lake.rows("trusted/customers", customer("c1", "ana"))
    times = {"approved": "2018-05-10 12:00:00.900000", "delivered": "2018-05-11 12:00:01"}
    lake.rows("trusted/orders", order("o1", "c1", **times))
    assert fact_orders() == [
        BARE
        | {"order_approved_at": times["approved"], "approval_hours": pytest.approx(0.000_25, rel=1e-12)}
        | {"order_delivered_customer_date": times["delivered"]}
        | {"delivery_days": pytest.approx(86_401 / 86_400, rel=1e-12)}
    ]


def test_a_delivery_before_the_purchase_has_negative_days(lake, fact_orders):
    lake.rows("trusted/customers", customer("c1", "ana"))
    lake.rows("trusted/orders", order("o1", "c1", approved="2018-05-10 11:00:00", delivered="2018-05-09 12:00:00"))
    assert fact_orders() == [
        BARE
        | {"order_approved_at": "2018-05-10 11:00:00", "approval_hours": -1.0}
        | {"order_delivered_customer_date": "2018-05-09 12:00:00", "delivery_days": -1.0}
    ]


def test_the_day_of_purchase_is_that_in_utc(lake, fact_orders):
    purchases = {
        "o1": ("2017-12-31 23:59:59.999999", 20171231, "2017-12"),
        "o2": ("2018-01-01 00:00:00", 20180101, "2018-01"),
        "o3": ("2016-02-29 02:00:00", 20160229, "2016-02"),  # in Brazil still the 28th
    }
    lake.rows("trusted/customers", *(customer(o, o) for o in purchases))  # three people
    lake.rows("trusted/orders", *(order(o, o, purchased) for o, (purchased, _, _) in purchases.items()))
    assert fact_orders() == [
        BARE
        | {"order_id": o, "customer_key": period_key(o, purchased)}
        | {"order_purchase_timestamp": purchased, "purchase_date_key": date_key, "order_month": month}
        for o, (purchased, date_key, month) in purchases.items()
    ]


# --- Which orders ---------------------------------------------------------------------------------------------------


def test_orders_of_every_status_are_kept(lake, fact_orders):
    statuses = [
        "approved",
        "canceled",
        "created",
        "delivered",
        "invoiced",
        "processing",
        "shipped",
        "unavailable",
        None,
    ]
    lake.rows("trusted/customers", *(customer(f"c{n}", "ana") for n in range(9)))
    lake.rows("trusted/orders", *(order(f"o{n}", f"c{n}", status=s) for n, s in enumerate(statuses)))
    assert fact_orders() == [BARE | {"order_id": f"o{n}", "order_status": s} for n, s in enumerate(statuses)]


def test_an_order_whose_customer_has_not_arrived_has_the_unknown_person_and_place(lake, fact_orders):
    lake.rows("trusted/orders", order("o1", "c1"), order("o2", "c2"))
    lake.rows("trusted/customers", customer("c2", "bia", "20001"))
    lake.rows("trusted/order_items", item("o1"))
    nobody = BARE | {"customer_key": -1, "location_key": -1}
    bia = BARE | {"order_id": "o2", "customer_key": period_key("bia", NOON), "location_key": key_of("20001")}
    sums = {"items": 1, "products": 1, "sellers": 1, "items_value": "10.00"}
    sums |= {"freight_value": "1.00", "order_value": "11.00"}
    assert fact_orders() == [nobody | sums, bia]

    lake.rows("trusted/customers", customer("c1", "ana"))
    assert fact_orders() == [BARE | sums, bia]


def test_a_person_without_zip_prefix_has_the_unknown_place(lake, fact_orders):
    lake.rows("trusted/orders", order("o1", "c1"))
    lake.rows("trusted/customers", customer("c1", "ana", None, None, None))
    assert fact_orders() == [BARE | {"location_key": -1}]


# --- The person's period --------------------------------------------------------------------------------------------


def _at(order_id, purchased, period_from, zip_code_prefix):
    return BARE | {
        "order_id": order_id,
        "order_purchase_timestamp": purchased,
        "purchase_date_key": int(purchased[:10].replace("-", "")),
        "order_month": purchased[:7],
        "customer_key": period_key("ana", period_from),
        "location_key": key_of(zip_code_prefix),
    }


def test_an_order_at_the_boundary_of_two_periods_belongs_to_the_later_one_only(lake, fact_orders):
    lake.rows(
        "trusted/customers",
        customer("c1", "ana", "01001"),
        customer("c2", "ana", "01001"),
        customer("c3", "ana", "20001"),
        customer("c4", "ana", "20001"),
    )
    lake.rows(
        "trusted/orders",
        order("o1", "c1", "2018-05-01 12:00:00"),
        order("o2", "c2", "2018-05-10 11:59:59.999999"),
        order("o3", "c3", "2018-05-10 12:00:00"),
        order("o4", "c4", "2018-05-10 12:00:00.000001"),
    )
    assert fact_orders() == [
        _at("o1", "2018-05-01 12:00:00", "2018-05-01 12:00:00", "01001"),
        _at("o2", "2018-05-10 11:59:59.999999", "2018-05-01 12:00:00", "01001"),
        _at("o3", "2018-05-10 12:00:00", "2018-05-10 12:00:00", "20001"),
        _at("o4", "2018-05-10 12:00:00.000001", "2018-05-10 12:00:00", "20001"),
    ]


def test_orders_at_one_instant_share_the_address_of_the_greatest_customer_id(lake, fact_orders):
    lake.rows("trusted/customers", customer("c1", "ana", "01001"), customer("c2", "ana", "20001"))
    lake.rows("trusted/orders", order("o1", "c2"), order("o2", "c1"))
    assert fact_orders() == [_at("o1", NOON, NOON, "20001"), _at("o2", NOON, NOON, "20001")]


def test_the_orders_of_2016_have_a_person_and_a_place(lake, fact_orders):
    lake.rows("trusted/customers", customer("c1", "ana", "01001"), customer("c2", "ana", "20001"))
    lake.rows("trusted/orders", order("o1", "c1", "2016-09-04 21:15:19"), order("o2", "c2", "2018-05-10 12:00:00"))
    assert fact_orders() == [
        _at("o1", "2016-09-04 21:15:19", "2016-09-04 21:15:19", "01001"),
        _at("o2", "2018-05-10 12:00:00", "2018-05-10 12:00:00", "20001"),
    ]


def test_a_late_order_moves_the_persons_other_orders_to_their_new_period(lake, fact_orders):
    lake.rows("trusted/customers", customer("c1", "ana", "01001"), customer("c2", "ana", "20001"))
    lake.rows("trusted/orders", order("o1", "c1", "2018-05-01 12:00:00"), order("o2", "c2", "2018-05-03 12:00:00"))
    assert fact_orders() == [
        _at("o1", "2018-05-01 12:00:00", "2018-05-01 12:00:00", "01001"),
        _at("o2", "2018-05-03 12:00:00", "2018-05-03 12:00:00", "20001"),
    ]
    lake.rows("trusted/customers", customer("c3", "ana", "20001"))
    lake.rows("trusted/orders", order("o3", "c3", "2018-05-02 12:00:00"))  # she had moved a day earlier
    assert fact_orders() == [
        _at("o1", "2018-05-01 12:00:00", "2018-05-01 12:00:00", "01001"),
        _at("o2", "2018-05-03 12:00:00", "2018-05-02 12:00:00", "20001"),
        _at("o3", "2018-05-02 12:00:00", "2018-05-02 12:00:00", "20001"),
    ]


# --- The newest answer's score --------------------------------------------------------------------------------------


def test_an_orders_score_is_that_of_its_newest_answer(lake, fact_orders):
    first, second = "2018-05-20 10:00:00", "2018-05-21 10:00:00"
    cases = {
        "all unanswered": ([("r1", 2, None), ("r9", 4, None), ("r5", 3, None)], 4),  # the greatest review_id
        "no review": ([], None),
        "one answered": ([("r1", 2, first), ("r9", 4, None)], 2),
        "one unanswered": ([("r1", 3, None)], 3),
        "second is newer": ([("r1", 1, first), ("r2", 5, second)], 5),
        "second is newer but not greater": ([("r2", 1, first), ("r1", 5, second)], 5),
        "tie": ([("r1", 2, first), ("r3", 4, first), ("r2", 3, first)], 4),
    }
    lake.rows("trusted/customers", customer("c1", "ana"))
    lake.rows("trusted/orders", *(order(case, "c1") for case in cases))
    lake.rows(
        "trusted/order_reviews",
        *(review(r, case, score, answered=at) for case, (reviews, _) in cases.items() for r, score, at in reviews),
    )
    assert fact_orders() == [BARE | {"order_id": case, "review_score": score} for case, (_, score) in cases.items()]


def test_one_review_of_two_orders_scores_both(lake, fact_orders):
    lake.rows("trusted/customers", customer("c1", "ana"), customer("c2", "ana"))
    lake.rows("trusted/orders", order("o1", "c1"), order("o2", "c2"))
    lake.rows("trusted/order_reviews", review("r1", "o1", 2), review("r1", "o2", 4))
    assert fact_orders() == [BARE | {"review_score": 2}, BARE | {"order_id": "o2", "review_score": 4}]


# --- Again ----------------------------------------------------------------------------------------------------------


def test_an_order_whose_state_changed_is_one_row_with_the_newest_state(lake, fact_orders):
    header = (
        "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,"
        "order_delivered_customer_date,order_estimated_delivery_date\n"
    )
    lake.rows("trusted/customers", customer("c1", "ana"))
    lake.load("orders", f"{header}o1,c1,created,{NOON},,,,\n", extracted_at="2018-05-10 23:00:00")
    assert fact_orders() == [BARE | {"order_status": "created"}]

    lake.load("orders", f"{header}o1,c1,approved,{NOON},2018-05-11 12:00:00,,,\n", extracted_at="2018-05-11 23:00:00")
    approved = {"order_status": "approved", "order_approved_at": "2018-05-11 12:00:00", "approval_hours": 24.0}
    assert fact_orders() == [BARE | approved]


def test_a_rebuild_changes_nothing(shop, fact_orders):
    shop.rows("trusted/order_items", item("o1", 1), item("o1", 2))
    before = fact_orders()
    assert fact_orders() == before
    assert [row["customer_key"] for row in before] == [period_key("ana", NOON)]
