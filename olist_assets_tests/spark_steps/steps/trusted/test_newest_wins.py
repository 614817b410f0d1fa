"""One row per key: the newest state, whatever the order of arrival."""

from itertools import permutations

import pytest

from olist_assets_tests.spark_steps.steps.trusted.trusted_rows import (
    ALL_DAYS,
    GEOLOCATION,
    ITEMS,
    PAYMENTS,
    REVIEWS,
    cities,
    counts,
    customer,
    order,
    rewrite,
)


def test_three_items_of_an_order_stay_three_items(lake):
    result = lake.load(
        "order_items", ITEMS + "o1,1,p1,s1,,10,1\no1,2,p1,s1,,10,1\no1,3,p1,s1,,10,1\no2,1,p1,s1,,10,1\n"
    )
    assert lake.read("trusted/order_items", "order_id", "order_item_id", "price") == [
        {"order_id": "o1", "order_item_id": 1, "price": "10.00"},
        {"order_id": "o1", "order_item_id": 2, "price": "10.00"},
        {"order_id": "o1", "order_item_id": 3, "price": "10.00"},
        {"order_id": "o2", "order_item_id": 1, "price": "10.00"},
    ]
    assert counts(result) == {"read": 4, "inserted": 4}
    more = lake.load("order_items", ITEMS + "o1,4,p1,s1,,10,1\no1,2,p1,s1,,12,1\n", extracted_at="2018-05-10 04:00:00")
    assert lake.read("trusted/order_items", "order_id", "order_item_id", "price") == [
        {"order_id": "o1", "order_item_id": 1, "price": "10.00"},
        {"order_id": "o1", "order_item_id": 2, "price": "12.00"},
        {"order_id": "o1", "order_item_id": 3, "price": "10.00"},
        {"order_id": "o1", "order_item_id": 4, "price": "10.00"},
        {"order_id": "o2", "order_item_id": 1, "price": "10.00"},
    ]
    assert counts(more) == {"read": 6, "inserted": 1, "updated": 1, "unchanged": 3, "superseded": 1}


def test_two_payments_of_an_order_stay_two_payments(lake):
    result = lake.load("order_payments", PAYMENTS + "o1,1,voucher,1,5\no1,2,voucher,1,5\no1,02,voucher,1,6\n")
    assert lake.read("trusted/order_payments", "order_id", "payment_sequential", "payment_value") == [
        {"order_id": "o1", "payment_sequential": 1, "payment_value": "5.00"},
        {"order_id": "o1", "payment_sequential": 2, "payment_value": "6.00"},
    ]
    assert counts(result) == {"read": 3, "inserted": 2, "superseded": 1}


def test_a_review_of_two_orders_is_two_rows(lake):
    lake.load("order_reviews", REVIEWS + "r1,o1,5,,,,\nr1,o2,5,,,,\nr2,o1,4,,,,\n")
    assert lake.read("trusted/order_reviews", "review_id", "order_id", "review_score") == [
        {"review_id": "r1", "order_id": "o1", "review_score": 5},
        {"review_id": "r1", "order_id": "o2", "review_score": 5},
        {"review_id": "r2", "order_id": "o1", "review_score": 4},
    ]


def test_a_point_is_identified_by_all_its_columns(lake):
    points = "1037,-23.5,-46.6,sao paulo,SP\n1037,-23.5,-46.6,são paulo,SP\n01037,-23.50,-46.6,sao paulo,SP\n"
    result = lake.load("geolocation", GEOLOCATION + points)
    assert [row["geolocation_city"] for row in lake.read("trusted/geolocation")] == ["sao paulo", "são paulo"]
    assert counts(result) == {"read": 3, "inserted": 2, "superseded": 1}


def test_a_point_on_the_equator_is_one_row_however_its_zero_is_written(lake):
    lake.load("geolocation", GEOLOCATION + "68900,0,-51.1,macapa,AP\n68900,-0,-51.1,macapa,AP\n")
    later = lake.load("geolocation", GEOLOCATION + "68900,-0.0,-51.1,macapa,AP\n", extracted_at="2018-05-10 04:00:00")
    assert [str(row["geolocation_lat"]) for row in lake.read("trusted/geolocation")] == ["0.0"]
    assert counts(later) == {"read": 3, "updated": 1, "superseded": 2}


def test_a_row_that_is_in_raw_twice_is_one_row(lake):
    lake.rows("raw/customers", customer("c1", "rio"), customer("c1", "rio"))
    assert counts(lake.run("trusted/customers")) == {"read": 2, "inserted": 1, "superseded": 1}
    assert cities(lake) == {"c1": "rio"}


EARLIER, LATER = "2018-05-10 01:00:00", "2018-05-10 02:00:00"
VERSIONS = {
    "by extraction time": (
        {"_extracted_at": EARLIER, "_landing_date": "2018-05-12", "_file_id": "ffffffffffffffff", "_row": 9},
        {"_extracted_at": LATER, "_landing_date": "2018-05-10", "_file_id": "0000000000000000", "_row": 0},
    ),
    "by landing date": (
        {"_extracted_at": LATER, "_landing_date": "2018-05-10", "_file_id": "ffffffffffffffff", "_row": 9},
        {"_extracted_at": LATER, "_landing_date": "2018-05-11", "_file_id": "0000000000000000", "_row": 0},
    ),
    "by time of receipt": (
        {
            "_extracted_at": LATER,
            "_landing_date": "2018-05-10",
            "_received_at": EARLIER,
            "_file_id": "ffffffffffffffff",
            "_row": 9,
        },
        {
            "_extracted_at": LATER,
            "_landing_date": "2018-05-10",
            "_received_at": LATER,
            "_file_id": "0000000000000000",
            "_row": 0,
        },
    ),
    "by time of receipt, after a row of an earlier release": (
        {
            "_extracted_at": EARLIER,
            "_landing_date": "2018-05-10",
            "_received_at": None,
            "_file_id": "ffffffffffffffff",
            "_row": 9,
        },
        {
            "_extracted_at": EARLIER,
            "_landing_date": "2018-05-10",
            "_received_at": LATER,
            "_file_id": "0000000000000000",
            "_row": 0,
        },
    ),
    "by file": (
        {"_extracted_at": LATER, "_landing_date": "2018-05-10", "_file_id": "9fffffffffffffff", "_row": 9},
        {"_extracted_at": LATER, "_landing_date": "2018-05-10", "_file_id": "a000000000000000", "_row": 0},
    ),
    "by row": (
        {"_extracted_at": LATER, "_landing_date": "2018-05-10", "_file_id": "a000000000000000", "_row": 9},
        {"_extracted_at": LATER, "_landing_date": "2018-05-10", "_file_id": "a000000000000000", "_row": 10},
    ),
}


@pytest.mark.parametrize(
    ("arrivals", "outcomes"),
    [
        pytest.param(
            [["old"], ["new"]],
            [{"read": 6, "inserted": 6}, {"read": 12, "updated": 6, "superseded": 6}],
            id="older first",
        ),
        pytest.param(
            [["new"], ["old"]],
            [{"read": 6, "inserted": 6}, {"read": 12, "unchanged": 6, "superseded": 6}],
            id="newer first",
        ),
        pytest.param([["new", "old"]], [{"read": 12, "inserted": 6, "superseded": 6}], id="together"),
    ],
)
def test_the_newest_row_wins_by_extraction_landing_date_receipt_file_and_row(lake, arrivals, outcomes):
    found = []
    for states in arrivals:
        for key, lineage in VERSIONS.items():
            lake.rows("raw/customers", *(customer(key, s, **lineage[["old", "new"].index(s)]) for s in states))
        found.append(counts(lake.run("trusted/customers", window=ALL_DAYS)))
    rows = lake.read("trusted/customers")
    assert [(row["customer_id"], row["customer_city"]) for row in rows] == [(key, "new") for key in sorted(VERSIONS)]
    for row in rows:
        _, newest = VERSIONS[row["customer_id"]]
        assert row | newest == row
    assert found == outcomes


def test_a_repeated_state_is_the_newest_even_if_one_in_between_arrives_late(lake):
    states = {
        "A at 1": {"customer_city": "A", "_extracted_at": "2018-05-10 01:00:00", "_file_id": "1"},
        "B at 2": {"customer_city": "B", "_extracted_at": "2018-05-10 02:00:00", "_file_id": "2"},
        "A at 3": {"customer_city": "A", "_extracted_at": "2018-05-10 03:00:00", "_file_id": "3"},
    }
    found = []
    for arrival in range(3):
        for order_of_arrival in permutations(states):
            key = ", ".join(order_of_arrival)
            lake.rows("raw/customers", customer(key, None) | states[order_of_arrival[arrival]])
        lake.run("trusted/customers")
        rows = lake.read("trusted/customers", "customer_id", "customer_city", "_extracted_at")
        found.append({r["customer_id"]: f"{r['customer_city']} at {r['_extracted_at'][12]}" for r in rows})
    assert found == [
        {
            "A at 1, A at 3, B at 2": "A at 1",
            "A at 1, B at 2, A at 3": "A at 1",
            "A at 3, A at 1, B at 2": "A at 3",
            "A at 3, B at 2, A at 1": "A at 3",
            "B at 2, A at 1, A at 3": "B at 2",
            "B at 2, A at 3, A at 1": "B at 2",
        },
        {
            "A at 1, A at 3, B at 2": "A at 3",
            "A at 1, B at 2, A at 3": "B at 2",
            "A at 3, A at 1, B at 2": "A at 3",
            "A at 3, B at 2, A at 1": "A at 3",
            "B at 2, A at 1, A at 3": "B at 2",
            "B at 2, A at 3, A at 1": "A at 3",
        },
        dict.fromkeys((", ".join(order_of_arrival) for order_of_arrival in permutations(states)), "A at 3"),
    ]


def test_a_change_from_and_to_null_is_a_change(lake):
    first = {"_extracted_at": "2018-05-10 01:00:00"}
    later = {"_extracted_at": "2018-05-10 02:00:00", "_row": 1}
    lake.rows("raw/customers", customer("to null", "rio", **first), customer("from null", None, **first))
    lake.run("trusted/customers")
    lake.rows("raw/customers", customer("to null", None, **later), customer("from null", "rio", **later))
    assert counts(lake.run("trusted/customers")) == {"read": 4, "updated": 2, "superseded": 2}
    assert cities(lake) == {"from null": "rio", "to null": None}


def test_a_row_of_equal_lineage_with_another_value_is_an_update(lake):
    def sellers(*values):
        names = ("seller_id", "seller_zip_code_prefix", "seller_city", "seller_state")
        return [dict(zip(names, row, strict=True)) | {"_row": n} for n, row in enumerate(values)]

    before = sellers(
        ("another value", None, None, "RJ"),
        ("as it was", "01001", "rio", "RJ"),
        ("from null", None, None, None),
        ("moved to another column", None, "22222", None),
        ("split otherwise", None, "a|=b", "RJ"),
        ("to null", None, "rio", None),
    )
    after = sellers(
        ("another value", None, None, "SP"),
        ("as it was", "01001", "rio", "RJ"),
        ("from null", None, "rio", None),
        ("moved to another column", "22222", None, None),
        ("split otherwise", None, "a", "RJ"),
        ("to null", None, None, None),
    )
    lake.rows("raw/sellers", *before)
    lake.run("trusted/sellers")
    rewrite(lake, "raw/sellers", *after)
    assert counts(lake.run("trusted/sellers")) == {"read": 6, "updated": 5, "unchanged": 1}
    assert lake.read("trusted/sellers", *after[0]) == after
    assert counts(lake.run("trusted/sellers")) == {"read": 6, "unchanged": 6}


def test_an_order_whose_purchase_month_changes_moves_to_the_other_month(lake):
    lake.rows("raw/orders", order("o1", purchased="2018-05-31 23:59:59"), order("o2", _row=1))
    lake.run("trusted/orders")
    moved = order("o1", purchased="2018-06-01 00:00:00", _extracted_at="2018-05-10 04:00:00", _row=2)
    lake.rows("raw/orders", moved)
    assert counts(lake.run("trusted/orders")) == {"read": 3, "updated": 1, "unchanged": 1, "superseded": 1}
    columns = ("order_id", "order_purchase_timestamp", "order_month")
    assert lake.read("trusted/orders", *columns) == [
        {"order_id": "o1", "order_purchase_timestamp": "2018-06-01 00:00:00", "order_month": "2018-06"},
        {"order_id": "o2", "order_purchase_timestamp": "2018-05-01 10:00:00", "order_month": "2018-05"},
    ]


def test_inserts_and_updates_of_several_months_are_one_commit(lake):
    months = ["2016-09", "2017-12", "2018-01", "2018-05"]
    lake.rows("raw/orders", *(order(m, purchased=f"{m}-01", _row=n) for n, m in enumerate(months[:3])))
    lake.run("trusted/orders")
    later = {"_extracted_at": "2018-05-10 04:00:00"}
    lake.rows("raw/orders", *(order(m, "shipped", f"{m}-02", _row=9, **later) for m in months[1:]))
    result = lake.run("trusted/orders")
    assert (result.version_before, result.version_after) == (1, 2)
    assert counts(result) == {"read": 6, "inserted": 1, "updated": 2, "unchanged": 1, "superseded": 2}
    assert lake.read("trusted/orders", "order_id", "order_status", "order_month") == [
        {"order_id": "2016-09", "order_status": "created", "order_month": "2016-09"},
        {"order_id": "2017-12", "order_status": "shipped", "order_month": "2017-12"},
        {"order_id": "2018-01", "order_status": "shipped", "order_month": "2018-01"},
        {"order_id": "2018-05", "order_status": "shipped", "order_month": "2018-05"},
    ]
