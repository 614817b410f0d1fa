"""Items: one row each, with its product and seller as they are known, and its order's person, place and day."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import (
    NOON,
    arrived,
    build,
    item,
    key_of,
    period_key,
    product,
    seller,
    whole,
)

PLAIN = {
    "order_id": "o1",
    "order_item_id": 1,
    "product_key": key_of("p1"),
    "seller_key": key_of("s1"),
    "seller_location_key": key_of("13023"),
    "customer_key": period_key("ana", NOON),
    "location_key": key_of("01001"),
    "purchase_date_key": 20180510,
    "order_status": "delivered",
    "order_purchase_timestamp": NOON,
    "price": "10.00",
    "freight_value": "1.00",
    "order_month": "2018-05",
}
"""Item 1 of Ana's order o1: product p1 from seller s1, for 10.00 and 1.00 freight."""

NO_SELLER = {"seller_key": -1, "seller_location_key": -1}


def known(seller_id, zip_code_prefix):
    """A row of dim_sellers."""
    place = {"zip_code_prefix": zip_code_prefix, "location_key": key_of(zip_code_prefix) if zip_code_prefix else -1}
    return {"seller_key": key_of(seller_id), "seller_id": seller_id} | place


@pytest.fixture
def fact_order_items(lake):
    """Build the named dimensions and the fact, and return all rows of the fact."""

    def read(*dimensions):
        build(lake, *dimensions, "fact_order_items")
        return whole(lake, "fact_order_items", "order_id", "order_item_id")

    return read


@pytest.fixture
def shop(lake):
    """A lake in which Ana's order o1, product p1 and seller s1 have arrived."""
    lake.rows("refined/fact_orders", arrived("o1", "ana"))
    lake.rows("refined/dim_products", {"product_key": -1}, {"product_key": key_of("p1"), "product_id": "p1"})
    lake.rows("refined/dim_sellers", {"seller_key": -1, "location_key": -1}, known("s1", "13023"))
    return lake


def test_an_item_points_to_its_product_seller_person_places_and_day(shop, fact_order_items):
    shop.rows("trusted/order_items", item("o1", price="58.90", freight="13.29"))
    assert fact_order_items() == [
        {
            "order_id": "o1",
            "order_item_id": 1,
            "product_key": key_of("p1"),
            "seller_key": key_of("s1"),
            "seller_location_key": key_of("13023"),
            "customer_key": period_key("ana", NOON),
            "location_key": key_of("01001"),
            "purchase_date_key": 20180510,
            "order_status": "delivered",
            "order_purchase_timestamp": NOON,
            "price": "58.90",
            "freight_value": "13.29",
            "order_month": "2018-05",
        }
    ]


def test_three_equal_items_of_an_order_are_three_rows(shop, fact_order_items):
    shop.rows("trusted/order_items", *(item("o1", n) for n in (1, 2, 3)))
    assert fact_order_items() == [PLAIN | {"order_item_id": n} for n in (1, 2, 3)]


def test_items_of_an_order_of_several_payments_are_not_multiplied(shop, fact_order_items):
    shop.rows("refined/fact_orders", arrived("o2", "ana", items=2, payments=2))
    shop.rows("trusted/order_items", item("o2", 1), item("o2", 2))
    assert fact_order_items() == [PLAIN | {"order_id": "o2"}, PLAIN | {"order_id": "o2", "order_item_id": 2}]


def test_an_item_whose_order_has_not_arrived_waits_for_it(shop, fact_order_items):
    shop.rows("trusted/order_items", item("o1"), item("o2", price="20.00"))
    assert fact_order_items() == [PLAIN]

    shop.rows("refined/fact_orders", arrived("o2", "bia", order_status="shipped", location_key=key_of("20001")))
    bia = {"customer_key": period_key("bia", NOON), "location_key": key_of("20001")}
    second = PLAIN | bia | {"order_id": "o2", "order_status": "shipped", "price": "20.00"}
    assert fact_order_items() == [PLAIN, second]


def test_an_item_whose_customer_has_not_arrived_has_the_unknown_person_and_place(shop, fact_order_items):
    shop.rows("refined/fact_orders", arrived("o2", None))
    shop.rows("trusted/order_items", item("o2"))
    assert fact_order_items() == [PLAIN | {"order_id": "o2", "customer_key": -1, "location_key": -1}]


def test_an_item_of_an_unknown_product_or_seller_has_key_minus_one_until_it_arrives(lake, fact_order_items):
    lake.rows("refined/fact_orders", arrived("o1", "ana"))
    lake.rows("trusted/products", product("p1"))
    lake.rows("trusted/sellers", seller("s1"))
    lake.rows(
        "trusted/order_items",
        item("o1", 1, product="p9", seller="s1"),
        item("o1", 2, product="p1", seller="s9"),
        item("o1", 3, product="p9", seller="s9"),
    )
    assert fact_order_items("dim_products", "dim_sellers") == [
        PLAIN | {"product_key": -1},
        PLAIN | NO_SELLER | {"order_item_id": 2},
        PLAIN | NO_SELLER | {"order_item_id": 3, "product_key": -1},
    ]

    lake.rows("trusted/products", product("p9"))
    lake.rows("trusted/sellers", seller("s9", "20001"))
    late_seller = {"seller_key": key_of("s9"), "seller_location_key": key_of("20001")}
    assert fact_order_items("dim_products", "dim_sellers") == [
        PLAIN | {"product_key": key_of("p9")},
        PLAIN | late_seller | {"order_item_id": 2},
        PLAIN | late_seller | {"order_item_id": 3, "product_key": key_of("p9")},
    ]


def test_an_item_without_a_seller_has_the_unknown_seller(shop, fact_order_items):
    shop.rows("trusted/order_items", item("o1", seller=None))
    assert fact_order_items() == [PLAIN | NO_SELLER]


def test_an_item_of_a_seller_without_zip_prefix_has_the_unknown_place(shop, fact_order_items):
    shop.rows("refined/dim_sellers", known("s2", None))
    shop.rows("trusted/order_items", item("o1", seller="s2"))
    assert fact_order_items() == [PLAIN | {"seller_key": key_of("s2"), "seller_location_key": -1}]


def test_items_of_orders_of_any_status_are_kept(shop, fact_order_items):
    statuses = {"o2": "canceled", "o3": "unavailable", "o4": "created", "o5": None}
    shop.rows("refined/fact_orders", *(arrived(o, order_status=status) for o, status in statuses.items()))
    shop.rows("trusted/order_items", *(item(o) for o in statuses))
    assert fact_order_items() == [PLAIN | {"order_id": o, "order_status": status} for o, status in statuses.items()]


def test_items_follow_their_seller_to_a_new_place(shop, fact_order_items):
    header = "seller_id,seller_zip_code_prefix,seller_city,seller_state\n"
    shop.rows("trusted/order_items", item("o1"))
    assert fact_order_items() == [PLAIN]

    shop.load("sellers", f"{header}s1,20001,rio de janeiro,RJ\n")
    assert fact_order_items("dim_sellers") == [PLAIN | {"seller_location_key": key_of("20001")}]


def test_money_of_items_is_exact_to_the_cent(shop, fact_order_items):
    shop.rows("trusted/order_items", item("o1", price="9999999999.99", freight="0.00"))
    assert fact_order_items() == [PLAIN | {"price": "9999999999.99", "freight_value": "0.00"}]


def test_a_rebuild_changes_nothing(shop, fact_order_items):
    shop.rows("trusted/order_items", item("o1", 1), item("o1", 2))
    assert fact_order_items() == [PLAIN, PLAIN | {"order_item_id": 2}]
    assert fact_order_items() == [PLAIN, PLAIN | {"order_item_id": 2}]
