"""Trusted holds typed rows, one a key, in the newest state, whatever the order of arrival; quarantine the others."""

import json
import shutil
from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import count, permutations

import deltalake
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spark_steps import rules
from spark_steps.declarations import Severity
from spark_steps.protocol import Check, DayCounts, StepRequest, StepResult, Window
from spark_steps.steps import run_step
from spark_steps.tables import TABLES

MAY_9, MAY_10, MAY_11, MAY_12 = (date(2018, 5, day) for day in (9, 10, 11, 12))
ALL_DAYS = Window(date(2018, 5, 1), date(2018, 6, 1))

ORDERS = (
    "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,"
    "order_delivered_customer_date,order_estimated_delivery_date\n"
)
CUSTOMERS = "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state\n"
ITEMS = "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value\n"
PAYMENTS = "order_id,payment_sequential,payment_type,payment_installments,payment_value\n"
REVIEWS = (
    "review_id,order_id,review_score,review_comment_title,review_comment_message,review_creation_date,"
    "review_answer_timestamp\n"
)
PRODUCTS = (
    "product_id,product_category_name,product_name_lenght,product_description_lenght,product_photos_qty,"
    "product_weight_g,product_length_cm,product_height_cm,product_width_cm\n"
)
SELLERS = "seller_id,seller_zip_code_prefix,seller_city,seller_state\n"
GEOLOCATION = "geolocation_zip_code_prefix,geolocation_lat,geolocation_lng,geolocation_city,geolocation_state\n"
TRANSLATION = "product_category_name,product_category_name_english\n"


def version(lake, table_id):
    return deltalake.DeltaTable(lake.table(table_id).uri).version()


def counts(result: StepResult):
    """Rows read and what became of them, without those of which there are none."""
    names = ("read", "inserted", "updated", "unchanged", "superseded", "quarantined")
    found = {name: getattr(result, f"rows_{name}") for name in names}
    assert result.rows_deleted == 0
    assert result.checks[0] == Check(
        "rows_accounted_for", Severity.ERROR, 0, "every raw row has won, was superseded or is quarantined"
    )
    assert found["read"] == sum(n for name, n in found.items() if name != "read")
    assert found == {name: sum(getattr(day, f"rows_{name}") for day in result.days) for name in names}
    return {name: n for name, n in found.items() if n}


def customer(customer_id, city, **more):
    """A raw row of customers."""
    return {"customer_id": customer_id, "customer_unique_id": "ana", "customer_city": city} | more


def order(order_id, status="created", purchased="2018-05-01 10:00:00", **more):
    """A raw row of orders."""
    return {
        "order_id": order_id,
        "customer_id": "c1",
        "order_status": status,
        "order_purchase_timestamp": purchased,
    } | more


def cities(lake):
    """The city of each customer in trusted."""
    rows = lake.read("trusted/customers", "customer_id", "customer_city")
    assert len({row["customer_id"] for row in rows}) == len(rows)
    return {row["customer_id"]: row["customer_city"] for row in rows}


def rewrite(lake, table_id, *rows):
    """Put rows in place of all that a table holds, as after a mend."""
    shutil.rmtree(lake.root / table_id)
    lake.rows(table_id, *rows)


def hash_of(*values):
    """The first 60 bits of the SHA-256 of the values' texts, each led by its length; null leaves an empty place."""
    text = "".join("|" if value is None else f"|{len(str(value))}={value}" for value in values)
    return int(sha256(text.encode()).hexdigest()[:15], 16)


def microseconds(text):
    """A time (UTC) in microseconds since 1970."""
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1_000_000


def hash_beside_the_key(table, row):
    """The `_hash` of a row: its values beside the key, times in microseconds, derived columns left out."""
    columns = [c for c in TABLES[f"trusted/{table}"].value_columns if c.name not in TABLES[f"trusted/{table}"].key]
    return hash_of(
        *(microseconds(row[c.name]) if c.type == "timestamp" and row[c.name] else row[c.name] for c in columns)
    )


# --- Typed values, one row of each table ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "content", "row"),
    [
        pytest.param(
            "orders",
            ORDERS + "o1,c1,delivered,2017-10-02 10:56:33,2017-10-02 11:07:15,2017-10-04 19:55:00,"
            "2017-10-10 21:25:13,2017-10-18 00:00:00\n",
            {
                "order_id": "o1",
                "customer_id": "c1",
                "order_status": "delivered",
                "order_purchase_timestamp": "2017-10-02 10:56:33",
                "order_approved_at": "2017-10-02 11:07:15",
                "order_delivered_carrier_date": "2017-10-04 19:55:00",
                "order_delivered_customer_date": "2017-10-10 21:25:13",
                "order_estimated_delivery_date": "2017-10-18 00:00:00",
                "order_month": "2017-10",
            },
            id="orders",
        ),
        pytest.param(
            "customers",
            CUSTOMERS + "c1,ana,1001,são paulo,SP\n",
            {
                "customer_id": "c1",
                "customer_unique_id": "ana",
                "customer_zip_code_prefix": "01001",
                "customer_city": "são paulo",
                "customer_state": "SP",
            },
            id="customers",
        ),
        pytest.param(
            "order_items",
            ITEMS + "o1,1,p1,s1,2017-09-19 09:45:35,58.90,13.29\n",
            {
                "order_id": "o1",
                "order_item_id": 1,
                "product_id": "p1",
                "seller_id": "s1",
                "shipping_limit_date": "2017-09-19 09:45:35",
                "price": "58.90",
                "freight_value": "13.29",
            },
            id="order_items",
        ),
        pytest.param(
            "order_payments",
            PAYMENTS + "o1,1,credit_card,8,99.33\n",
            {
                "order_id": "o1",
                "payment_sequential": 1,
                "payment_type": "credit_card",
                "payment_installments": 8,
                "payment_value": "99.33",
            },
            id="order_payments",
        ),
        pytest.param(
            "order_reviews",
            REVIEWS + 'r1,o1,4,"muito ""bom""","chegou,\nantes",2018-01-18 00:00:00,2018-01-18 21:46:59\n',
            {
                "review_id": "r1",
                "order_id": "o1",
                "review_score": 4,
                "review_comment_title": 'muito "bom"',
                "review_comment_message": "chegou,\nantes",
                "review_creation_date": "2018-01-18 00:00:00",
                "review_answer_timestamp": "2018-01-18 21:46:59",
            },
            id="order_reviews",
        ),
        pytest.param(
            "products",
            PRODUCTS + "p1,perfumaria,40.0,287,1,225,16,10,14\n",
            {
                "product_id": "p1",
                "product_category_name": "perfumaria",
                "product_name_length": 40,
                "product_description_length": 287,
                "product_photos_qty": 1,
                "product_weight_g": 225,
                "product_length_cm": 16,
                "product_height_cm": 10,
                "product_width_cm": 14,
            },
            id="products",
        ),
        pytest.param(
            "sellers",
            SELLERS + "s1,13023,campinas,SP\n",
            {
                "seller_id": "s1",
                "seller_zip_code_prefix": "13023",
                "seller_city": "campinas",
                "seller_state": "SP",
            },
            id="sellers",
        ),
        pytest.param(
            "geolocation",
            GEOLOCATION + "1037,-23.54562128115268,-46.63929204800168,sao paulo,SP\n",
            {
                "geolocation_zip_code_prefix": "01037",
                "geolocation_lat": -23.54562128115268,
                "geolocation_lng": -46.63929204800168,
                "geolocation_city": "sao paulo",
                "geolocation_state": "SP",
            },
            id="geolocation",
        ),
        pytest.param(
            "product_category_translation",
            "\ufeff" + TRANSLATION.replace("\n", "\r\n") + "beleza_saude,health_beauty\r\n",
            {"product_category_name": "beleza_saude", "product_category_name_english": "health_beauty"},
            id="product_category_translation",
        ),
    ],
)
@pytest.mark.spark
def test_a_row_has_typed_values_and_the_lineage_of_where_it_came_from(lake, table, content, row):
    result = lake.load(table, content)
    [raw] = lake.read(f"raw/{table}")
    lineage = {
        "_landing_date": "2018-05-10",
        "_extracted_at": "2018-05-10 03:00:00",
        "_file_id": raw["_file_id"],
        "_row": 0,
        "_hash": hash_beside_the_key(table, row),
    }
    assert lake.read(f"trusted/{table}") == [row | lineage]
    assert lake.read(f"quarantine/{table}") == []
    assert counts(result) == {"read": 1, "inserted": 1}


@pytest.mark.parametrize(
    ("table", "content", "row"),
    [
        pytest.param(
            "orders",
            ORDERS + 'o1,c1,,2018-05-10,,"  ","",\n',
            {
                "order_id": "o1",
                "customer_id": "c1",
                "order_status": None,
                "order_purchase_timestamp": "2018-05-10 00:00:00",
                "order_approved_at": None,
                "order_delivered_carrier_date": None,
                "order_delivered_customer_date": None,
                "order_estimated_delivery_date": None,
                "order_month": "2018-05",
            },
            id="an order of which only customer and purchase are known",
        ),
        pytest.param(
            "customers",
            CUSTOMERS + "c1,ana,, ,\n",
            {
                "customer_id": "c1",
                "customer_unique_id": "ana",
                "customer_zip_code_prefix": None,
                "customer_city": None,
                "customer_state": None,
            },
            id="a customer without an address",
        ),
        pytest.param(
            "order_items",
            ITEMS + "o1,1,p1,,,0.00,0\n",
            {
                "order_id": "o1",
                "order_item_id": 1,
                "product_id": "p1",
                "seller_id": None,
                "shipping_limit_date": None,
                "price": "0.00",
                "freight_value": "0.00",
            },
            id="an item without seller, shipping limit, price and freight",
        ),
        pytest.param(
            "order_payments",
            PAYMENTS + "o1,1,not_defined,,0.00\n",
            {
                "order_id": "o1",
                "payment_sequential": 1,
                "payment_type": "not_defined",
                "payment_installments": None,
                "payment_value": "0.00",
            },
            id="a payment of nothing",
        ),
        pytest.param(
            "order_reviews",
            REVIEWS + "r1,o1,1,,,,\n",
            {
                "review_id": "r1",
                "order_id": "o1",
                "review_score": 1,
                "review_comment_title": None,
                "review_comment_message": None,
                "review_creation_date": None,
                "review_answer_timestamp": None,
            },
            id="a review of nothing but a score",
        ),
        pytest.param(
            "products",
            PRODUCTS + "p1,,,,,,,,\n",
            {
                "product_id": "p1",
                "product_category_name": None,
                "product_name_length": None,
                "product_description_length": None,
                "product_photos_qty": None,
                "product_weight_g": None,
                "product_length_cm": None,
                "product_height_cm": None,
                "product_width_cm": None,
            },
            id="a product without a category",
        ),
        pytest.param(
            "product_category_translation",
            TRANSLATION + "pc_gamer,\n",
            {"product_category_name": "pc_gamer", "product_category_name_english": None},
            id="a category without a translation",
        ),
    ],
)
def test_what_is_not_required_may_be_blank_and_is_null(lake, table, content, row):
    lake.load(table, content)
    assert lake.read(f"trusted/{table}", *row) == [row]
    assert lake.read(f"quarantine/{table}") == []


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        (
            "orders",
            "order_status",
            ["approved", "canceled", "created", "delivered", "invoiced", "processing", "shipped", "unavailable"],
        ),
        ("order_payments", "payment_type", ["boleto", "credit_card", "debit_card", "not_defined", "voucher"]),
        ("order_reviews", "review_score", [1, 2, 3, 4, 5]),
        (
            "sellers",
            "seller_state",
            "AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO".split(),  # noqa: SIM905 - as one reads it
        ),
    ],
)
def test_every_accepted_value_is_accepted(lake, table, column, values):
    good = RULES[table].good
    key = TABLES[f"trusted/{table}"].key[0]
    rows = [good | {key: f"{n:02}", column: value, "_row": n} for n, value in enumerate(values)]
    lake.rows(f"raw/{table}", *rows)
    lake.run(f"trusted/{table}")
    assert [row[column] for row in lake.read(f"trusted/{table}")] == values
    assert lake.read(f"quarantine/{table}") == []


# --- Rows that break a rule ----------------------------------------------------------------------------------------

TIME = "a time like 2018-05-10 03:00:00 of the years 1900 to 2199"


class Judged:
    """A raw row of a table that is accepted, and what makes it break each rule: changes to it, and the reason given."""

    def __init__(self, good, *broken):
        self.good = good
        self.broken = (("row_unparsed", None, "expected 9 columns, got 3"), *broken)


def _times(*names):
    for name in names:
        yield f"{name}_unreadable", {name: "2018-02-31 10:00:00"}, f"{name} is not {TIME}: 2018-02-31 10:00:00"
        yield f"{name}_unreadable", {name: "1800-01-01"}, f"{name} is not {TIME}: 1800-01-01"


def _whole_numbers(**names):
    for name, source in names.items():
        yield f"{name}_unreadable", {source: "12.5"}, f"{name} is not a whole number: 12.5"
        yield f"{name}_unreadable", {source: "2147483648"}, f"{name} is not a whole number: 2147483648"


def _amounts(*names):
    for name in names:
        yield f"{name}_unreadable", {name: "1e3"}, f"{name} is not an amount: 1e3"
        yield f"{name}_unreadable", {name: "R$ 5"}, f"{name} is not an amount: R$ 5"
        yield f"{name}_unreadable", {name: "10000000000.00"}, f"{name} is not an amount: 10000000000.00"
        yield f"{name}_missing", {name: None}, f"{name} is missing"
        yield f"{name}_out_of_range", {name: "-0.01"}, f"{name} is out of range: -0.01"


def _missing(*names):
    for name in names:
        yield f"{name}_missing", {name: None}, f"{name} is missing"
        yield f"{name}_missing", {name: " "}, f"{name} is missing"


def _unknown(name, *values):
    for value in values:
        yield f"{name}_unknown", {name: value}, f"{name} is unknown: {value}"


RULES = {
    "orders": Judged(
        {
            "order_id": "o1",
            "customer_id": "c1",
            "order_status": "delivered",
            "order_purchase_timestamp": "2018-05-01 10:00:00",
            "order_approved_at": "2018-05-01 11:00:00",
            "order_delivered_carrier_date": "2018-05-02 10:00:00",
            "order_delivered_customer_date": "2018-05-03 10:00:00",
            "order_estimated_delivery_date": "2018-05-20",
        },
        *_missing("order_id", "customer_id", "order_purchase_timestamp"),
        *_unknown("order_status", "lost", "Delivered", " delivered"),
        *_times(
            "order_purchase_timestamp",
            "order_approved_at",
            "order_delivered_carrier_date",
            "order_delivered_customer_date",
            "order_estimated_delivery_date",
        ),
    ),
    "customers": Judged(
        {
            "customer_id": "c1",
            "customer_unique_id": "ana",
            "customer_zip_code_prefix": "01001",
            "customer_city": "são paulo",
            "customer_state": "SP",
        },
        *_missing("customer_id", "customer_unique_id"),
        *_unknown("customer_state", "XX", "sp", "São Paulo"),
    ),
    "order_items": Judged(
        {
            "order_id": "o1",
            "order_item_id": "1",
            "product_id": "p1",
            "seller_id": "s1",
            "shipping_limit_date": "2018-05-02 10:00:00",
            "price": "58.90",
            "freight_value": "13.29",
        },
        *_missing("order_id", "order_item_id", "product_id"),
        *_whole_numbers(order_item_id="order_item_id"),
        *_times("shipping_limit_date"),
        *_amounts("price", "freight_value"),
    ),
    "order_payments": Judged(
        {
            "order_id": "o1",
            "payment_sequential": "1",
            "payment_type": "boleto",
            "payment_installments": "1",
            "payment_value": "99.33",
        },
        *_missing("order_id", "payment_sequential", "payment_type"),
        *_unknown("payment_type", "pix", "Boleto"),
        *_whole_numbers(payment_sequential="payment_sequential", payment_installments="payment_installments"),
        *_amounts("payment_value"),
    ),
    "order_reviews": Judged(
        {
            "review_id": "r1",
            "order_id": "o1",
            "review_score": "5",
            "review_comment_title": "bom",
            "review_comment_message": "chegou",
            "review_creation_date": "2018-05-02",
            "review_answer_timestamp": "2018-05-02 10:00:00",
        },
        *_missing("review_id", "order_id", "review_score"),
        *_whole_numbers(review_score="review_score"),
        ("review_score_out_of_range", {"review_score": "0"}, "review_score is out of range: 0"),
        ("review_score_out_of_range", {"review_score": "6"}, "review_score is out of range: 6"),
        ("review_score_out_of_range", {"review_score": "-1"}, "review_score is out of range: -1"),
        *_times("review_creation_date", "review_answer_timestamp"),
    ),
    "products": Judged(
        {
            "product_id": "p1",
            "product_category_name": "perfumaria",
            "product_name_lenght": "40",
            "product_description_lenght": "287",
            "product_photos_qty": "1",
            "product_weight_g": "225",
            "product_length_cm": "16",
            "product_height_cm": "10",
            "product_width_cm": "14",
        },
        *_missing("product_id"),
        *_whole_numbers(
            product_name_length="product_name_lenght",
            product_description_length="product_description_lenght",
            product_photos_qty="product_photos_qty",
            product_weight_g="product_weight_g",
            product_length_cm="product_length_cm",
            product_height_cm="product_height_cm",
            product_width_cm="product_width_cm",
        ),
    ),
    "sellers": Judged(
        {
            "seller_id": "s1",
            "seller_zip_code_prefix": "13023",
            "seller_city": "campinas",
            "seller_state": "SP",
        },
        *_missing("seller_id"),
        *_unknown("seller_state", "XX", "sp"),
    ),
    "geolocation": Judged(
        {
            "geolocation_zip_code_prefix": "01037",
            "geolocation_lat": "-23.5",
            "geolocation_lng": "-46.6",
            "geolocation_city": "sao paulo",
            "geolocation_state": "SP",
        },
        *_missing(
            "geolocation_zip_code_prefix",
            "geolocation_lat",
            "geolocation_lng",
            "geolocation_city",
            "geolocation_state",
        ),
        *_unknown("geolocation_state", "XX"),
        ("geolocation_lat_unreadable", {"geolocation_lat": "23,5"}, "geolocation_lat is not a number: 23,5"),
        ("geolocation_lat_unreadable", {"geolocation_lat": "NaN"}, "geolocation_lat is not a number: NaN"),
        ("geolocation_lat_out_of_range", {"geolocation_lat": "90.1"}, "geolocation_lat is out of range: 90.1"),
        ("geolocation_lat_out_of_range", {"geolocation_lat": "-1e309"}, "geolocation_lat is out of range: -1e309"),
        ("geolocation_lng_unreadable", {"geolocation_lng": "46.6 W"}, "geolocation_lng is not a number: 46.6 W"),
        ("geolocation_lng_out_of_range", {"geolocation_lng": "-180.5"}, "geolocation_lng is out of range: -180.5"),
    ),
    "product_category_translation": Judged(
        {"product_category_name": "beleza_saude", "product_category_name_english": "health_beauty"},
        *_missing("product_category_name"),
    ),
}


@pytest.mark.parametrize("table", RULES)
def test_a_row_that_breaks_a_rule_goes_to_quarantine_and_the_others_do_not(lake, table):
    good, broken = RULES[table].good, RULES[table].broken
    rows, quarantined = [], []
    for n, (rule, changes, reason) in enumerate(broken, start=1):
        if changes is None:
            row, record = {"_reject": reason, "_text": "a,b,c"}, {"_text": "a,b,c"}
        else:
            row = good | changes
            record = {name: value for name, value in row.items() if value is not None}
        rows.append(row | {"_row": n})
        quarantined.append(
            {
                "record": json.dumps(record, ensure_ascii=False, separators=(",", ":")),
                "rule": rule,
                "reason": reason,
                "_landing_date": "2018-05-10",
                "_file_id": "0000000000000001",
                "_file_name": "delivered.csv",
                "_row": n,
                "_extracted_at": "2018-05-10 03:00:00",
                "_run_id": "test",
            }
        )
    lake.rows(f"raw/{table}", good | {"_row": 0}, *rows)
    result = lake.run(f"trusted/{table}")
    assert lake.read(f"quarantine/{table}") == quarantined
    assert [row["_row"] for row in lake.read(f"trusted/{table}")] == [0]
    assert counts(result) == {"read": len(broken) + 1, "inserted": 1, "quarantined": len(broken)}


@pytest.mark.parametrize("table", RULES)
def test_every_rule_is_tried_above(table):
    tried = {rule for rule, _, _ in RULES[table].broken}
    assert tried == {rule.name for rule in rules.error_rules(TABLES[f"trusted/{table}"])}


def test_a_quarantined_row_of_a_file_keeps_all_that_the_file_said_of_it(lake):
    file_id = "4c8cee0b7d5ab126"
    content = "origin," + SELLERS + 'web,s1,1001,"são ""paulo""\n",XX\nshop,s2\nweb,s3,1001,rio,RJ\n'
    lake.load("sellers", content)
    lineage = {
        "_landing_date": "2018-05-10",
        "_file_id": file_id,
        "_file_name": "olist_sellers_dataset.csv",
        "_extracted_at": "2018-05-10 03:00:00",
        "_run_id": "test",
    }
    assert lake.read("quarantine/sellers") == [
        {
            "record": (
                '{"seller_id":"s1","seller_zip_code_prefix":"1001","seller_city":"são \\"paulo\\"\\n",'
                '"seller_state":"XX","_extra":"{\\"origin\\": \\"web\\"}"}'
            ),
            "rule": "seller_state_unknown",
            "reason": "seller_state is unknown: XX",
            "_row": 0,
        }
        | lineage,
        {
            "record": '{"_text":"shop,s2"}',
            "rule": "row_unparsed",
            "reason": "expected 5 columns, got 2",
            "_row": 1,
        }
        | lineage,
    ]
    assert lake.read("trusted/sellers", "seller_id", "_row") == [{"seller_id": "s3", "_row": 2}]


def test_a_row_that_breaks_several_rules_is_told_by_the_first(lake):
    lake.rows("raw/order_items", {"order_item_id": "x", "price": "-1"})
    lake.run("trusted/order_items")
    assert lake.read("quarantine/order_items", "rule", "reason") == [
        {"rule": "order_id_missing", "reason": "order_id is missing"}
    ]


def test_a_reason_quotes_no_more_than_a_hundred_characters(lake):
    lake.rows("raw/order_items", RULES["order_items"].good | {"price": "9" * 150})
    lake.run("trusted/order_items")
    assert lake.read("quarantine/order_items", "reason") == [{"reason": "price is not an amount: " + "9" * 100}]


def test_all_rows_of_a_window_may_be_in_quarantine(lake):
    lake.rows("raw/sellers", {"seller_city": "a"}, {"seller_city": "b", "_row": 1})
    assert counts(lake.run("trusted/sellers")) == {"read": 2, "quarantined": 2}
    assert lake.read("trusted/sellers") == []
    assert version(lake, "trusted/sellers") == 0


def test_a_quarantined_state_does_not_hide_or_undo_an_accepted_one(lake):
    lake.rows("raw/orders", order("o1", "created", _extracted_at="2018-05-10 01:00:00"))
    lake.rows("raw/orders", order("o1", "lost", _extracted_at="2018-05-10 02:00:00", _row=1))
    assert counts(lake.run("trusted/orders")) == {"read": 2, "inserted": 1, "quarantined": 1}
    assert lake.read("trusted/orders", "order_id", "order_status") == [{"order_id": "o1", "order_status": "created"}]


# --- Warnings ------------------------------------------------------------------------------------------------------


def test_a_warning_keeps_the_row_and_counts_it(lake):
    result = lake.load("order_items", ITEMS + "o1,1,p1,,,1,1\no1,2,p1,s1,,1,1\no2,1,p1, ,,1,1\no3,1,,,,1,1\n")
    assert lake.read("trusted/order_items", "order_id", "order_item_id", "seller_id") == [
        {"order_id": "o1", "order_item_id": 1, "seller_id": None},
        {"order_id": "o1", "order_item_id": 2, "seller_id": "s1"},
        {"order_id": "o2", "order_item_id": 1, "seller_id": None},
    ]
    assert result.checks == (
        Check("rows_accounted_for", Severity.ERROR, 0, "every raw row has won, was superseded or is quarantined"),
        Check("nothing_quarantined", Severity.WARN, 1, "no row breaks a rule"),
        Check("seller_missing", Severity.WARN, 2, "the item names no seller"),
    )


def test_an_order_that_was_delivered_before_it_was_purchased_is_kept_and_counted(lake):
    delivered = "order_delivered_customer_date"
    lake.rows(
        "raw/orders",
        order("o1", **{delivered: "2018-05-01 09:59:59"}),
        order("o2", **{delivered: "2018-05-01 10:00:00", "_row": 1}),
        order("o3", _row=2),
    )
    result = lake.run("trusted/orders")
    assert [row["order_id"] for row in lake.read("trusted/orders")] == ["o1", "o2", "o3"]
    assert result.checks == (
        Check("rows_accounted_for", Severity.ERROR, 0, "every raw row has won, was superseded or is quarantined"),
        Check("nothing_quarantined", Severity.WARN, 0, "no row breaks a rule"),
        Check("delivered_before_purchase", Severity.WARN, 1, "delivered before it was purchased"),
    )


# --- One row a key -------------------------------------------------------------------------------------------------


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


def test_a_point_is_known_by_all_its_columns(lake):
    points = "1037,-23.5,-46.6,sao paulo,SP\n1037,-23.5,-46.6,são paulo,SP\n01037,-23.50,-46.6,sao paulo,SP\n"
    result = lake.load("geolocation", GEOLOCATION + points)
    assert [row["geolocation_city"] for row in lake.read("trusted/geolocation")] == ["sao paulo", "são paulo"]
    assert counts(result) == {"read": 3, "inserted": 2, "superseded": 1}


def test_a_point_on_the_equator_is_one_row_however_its_zero_is_written(lake):
    lake.load("geolocation", GEOLOCATION + "68900,0,-51.1,macapa,AP\n68900,-0,-51.1,macapa,AP\n")
    later = lake.load("geolocation", GEOLOCATION + "68900,-0.0,-51.1,macapa,AP\n", extracted_at="2018-05-10 04:00:00")
    assert [str(row["geolocation_lat"]) for row in lake.read("trusted/geolocation")] == ["0.0"]
    assert counts(later) == {"read": 3, "updated": 1, "superseded": 2}


def test_a_row_that_raw_holds_twice_is_one_row(lake):
    lake.rows("raw/customers", customer("c1", "rio"), customer("c1", "rio"))
    assert counts(lake.run("trusted/customers")) == {"read": 2, "inserted": 1, "superseded": 1}
    assert cities(lake) == {"c1": "rio"}


# --- The newest state, whatever the order of arrival ---------------------------------------------------------------

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
            [{"read": 4, "inserted": 4}, {"read": 8, "updated": 4, "superseded": 4}],
            id="older first",
        ),
        pytest.param(
            [["new"], ["old"]],
            [{"read": 4, "inserted": 4}, {"read": 8, "unchanged": 4, "superseded": 4}],
            id="newer first",
        ),
        pytest.param([["new", "old"]], [{"read": 8, "inserted": 4, "superseded": 4}], id="together"),
    ],
)
def test_the_newest_row_wins_by_extraction_then_landing_date_then_file_then_row(lake, arrivals, outcomes):
    found = []
    for states in arrivals:
        for key, lineage in VERSIONS.items():
            lake.rows("raw/customers", *(customer(key, s, **lineage[["old", "new"].index(s)]) for s in states))
        found.append(counts(lake.run("trusted/customers", window=ALL_DAYS)))
    lineage = ("_extracted_at", "_landing_date", "_file_id", "_row")
    assert lake.read("trusted/customers", "customer_id", "customer_city", *lineage) == [
        {"customer_id": key, "customer_city": "new"} | newest for key, (_, newest) in sorted(VERSIONS.items())
    ]
    assert found == outcomes


def test_a_state_that_comes_again_is_the_newest_even_if_one_in_between_arrives_late(lake):
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


def test_a_row_of_the_same_lineage_that_is_read_anew_with_another_value_is_an_update(lake):
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


# --- Windows and reruns --------------------------------------------------------------------------------------------


def test_only_the_days_of_the_window_are_loaded(lake):
    days = (MAY_9, MAY_10, MAY_11, MAY_12)
    lake.rows("raw/customers", *(customer(f"c{day.day}", "rio", _landing_date=day) for day in days))
    assert counts(lake.run("trusted/customers", window=Window(MAY_10, MAY_12))) == {"read": 2, "inserted": 2}
    assert cities(lake) == {"c10": "rio", "c11": "rio"}


def test_a_day_of_the_past_is_loaded_at_any_time_and_takes_nothing_back(lake):
    lake.rows(
        "raw/customers",
        customer("c1", "newest", _landing_date=MAY_12, _extracted_at="2018-05-12 03:00:00"),
        customer("c1", "older", _landing_date=MAY_9, _extracted_at="2018-05-09 03:00:00"),
        customer("c2", "only then", _landing_date=MAY_9, _extracted_at="2018-05-09 03:00:00", _row=1),
    )
    assert counts(lake.run("trusted/customers", day=MAY_12)) == {"read": 1, "inserted": 1}
    assert counts(lake.run("trusted/customers", day=MAY_9)) == {"read": 2, "inserted": 1, "superseded": 1}
    assert cities(lake) == {"c1": "newest", "c2": "only then"}


def test_days_one_by_one_and_all_at_once_end_alike(lake):
    rows = [
        customer(f"c{n}", f"day {day.day}", _landing_date=day, _extracted_at=f"{day} 03:00:00", _row=n)
        for day in (MAY_10, MAY_11, MAY_12)
        for n in range(day.day - 9)
    ]
    once, daily = replace(lake, root=lake.root / "once"), replace(lake, root=lake.root / "daily")
    for other in (once, daily):
        other.rows("raw/customers", *rows)
    assert counts(once.run("trusted/customers", window=ALL_DAYS)) == {"read": 6, "inserted": 3, "superseded": 3}
    for day in (MAY_11, MAY_10, MAY_12):
        daily.run("trusted/customers", day=day)
    assert once.read("trusted/customers") == daily.read("trusted/customers")
    assert cities(once) == {"c0": "day 12", "c1": "day 12", "c2": "day 12"}


def test_each_day_of_a_window_is_told_what_became_of_its_rows(lake):
    def landed(day, *states):
        lake.rows(
            "raw/orders",
            *(
                order(order_id, status, _landing_date=day, _extracted_at=f"{day} 03:00:00", _row=row)
                for row, (order_id, status) in enumerate(states)
            ),
        )

    landed(MAY_9, ("o1", "created"), ("o2", "created"))
    lake.run("trusted/orders", day=MAY_9)
    landed(MAY_10, ("o1", "approved"), ("o3", "created"), ("o4", "lost"))  # of which o1 is soon outdone
    landed(MAY_12, ("o1", "shipped"), ("o3", "created"), ("o5", "created"), ("o6", "created"), (None, "created"))
    window = Window(MAY_9, date(2018, 5, 14))  # on the 11th and the 13th nothing lands
    result = lake.run("trusted/orders", window=window)
    assert result.days == (
        DayCounts(day=MAY_9, rows_read=2, rows_unchanged=1, rows_superseded=1),
        DayCounts(day=MAY_10, rows_read=3, rows_superseded=2, rows_quarantined=1),
        DayCounts(day=MAY_12, rows_read=5, rows_inserted=3, rows_updated=1, rows_quarantined=1),
    )
    assert counts(result) == {
        "read": 10,
        "inserted": 3,
        "updated": 1,
        "unchanged": 1,
        "superseded": 3,
        "quarantined": 2,
    }
    assert lake.run("trusted/orders", day=MAY_11).days == ()


def test_without_a_window_all_days_are_loaded(lake):
    lake.rows("raw/customers", *(customer(f"c{day.day}", "rio", _landing_date=day) for day in (MAY_9, MAY_12)))
    lake.rows("raw/customers", customer("c3", "rio", customer_state="XX", _row=1))
    assert counts(lake.run("trusted/customers", day=None)) == {"read": 3, "inserted": 2, "quarantined": 1}
    assert counts(lake.run("trusted/customers", day=None)) == {"read": 3, "unchanged": 2, "quarantined": 1}
    assert cities(lake) == {"c12": "rio", "c9": "rio"}
    assert lake.read("quarantine/customers", "_landing_date", "rule") == [
        {"_landing_date": "2018-05-10", "rule": "customer_state_unknown"}
    ]


def test_a_rerun_of_a_day_changes_nothing(lake):
    lake.rows("raw/orders", order("o1"), order("o2", _row=1), order("o1", "shipped", _row=2))
    assert counts(lake.run("trusted/orders")) == {"read": 3, "inserted": 2, "superseded": 1}
    before = lake.read("trusted/orders")
    again = lake.run("trusted/orders")
    assert replace(again, seconds=0.0, checks=()) == StepResult(
        table="trusted/orders",
        version_before=1,
        version_after=1,
        rows_read=3,
        rows_unchanged=2,
        rows_superseded=1,
        days=(DayCounts(day=MAY_10, rows_read=3, rows_unchanged=2, rows_superseded=1),),
    )
    assert lake.read("trusted/orders") == before
    assert (version(lake, "trusted/orders"), version(lake, "quarantine/orders")) == (1, 0)


def test_a_rerun_of_an_older_day_changes_nothing(lake):
    for day in (MAY_10, MAY_11):
        lake.rows("raw/customers", customer("c1", f"day {day.day}", _landing_date=day, _extracted_at=f"{day} 03:00:00"))
        lake.run("trusted/customers", day=day)
    assert counts(lake.run("trusted/customers", day=MAY_10)) == {"read": 1, "superseded": 1}
    assert version(lake, "trusted/customers") == 2
    assert cities(lake) == {"c1": "day 11"}


def test_a_window_without_rows_changes_nothing_but_leaves_the_tables(lake):
    result = lake.run("trusted/orders")
    assert replace(result, seconds=0.0) == StepResult(
        table="trusted/orders",
        version_before=0,
        version_after=0,
        checks=(
            Check("rows_accounted_for", Severity.ERROR, 0, "every raw row has won, was superseded or is quarantined"),
            Check("nothing_quarantined", Severity.WARN, 0, "no row breaks a rule"),
            Check("delivered_before_purchase", Severity.WARN, 0, "delivered before it was purchased"),
        ),
    )
    assert lake.read("trusted/orders") == []
    assert lake.read("quarantine/orders") == []


def test_a_step_without_a_quarantine_is_refused(lake):
    request = StepRequest(
        output=lake.table("trusted/orders"), run_id="r", code_version="1", inputs=(lake.table("raw/orders"),)
    )
    with pytest.raises(ValueError, match="trusted/orders: a trusted step needs a quarantine table"):
        run_step(lake.spark, request)


# --- Quarantine over time ------------------------------------------------------------------------------------------


def quarantined(lake):
    rows = lake.read("quarantine/orders", "_landing_date", "_row", "rule")
    return [tuple(row.values()) for row in rows]


def test_a_rerun_after_a_mend_empties_the_quarantine_of_its_window_and_loads_the_rows(lake):
    other_days = [order("o9", "lost", _landing_date=MAY_9), order("o11", "lost", _landing_date=MAY_11)]
    lake.rows("raw/orders", *other_days, order("o1", "lost"), order("o2", "lost", _row=1), order("o3", _row=2))
    assert counts(lake.run("trusted/orders", window=ALL_DAYS)) == {"read": 5, "inserted": 1, "quarantined": 4}
    rewrite(lake, "raw/orders", *other_days, order("o1"), order("o2", "gone", _row=1), order("o3", _row=2))
    assert counts(lake.run("trusted/orders")) == {"read": 3, "inserted": 1, "unchanged": 1, "quarantined": 1}
    assert quarantined(lake) == [
        ("2018-05-09", 0, "order_status_unknown"),
        ("2018-05-10", 1, "order_status_unknown"),
        ("2018-05-11", 0, "order_status_unknown"),
    ]
    rewrite(lake, "raw/orders", *other_days, order("o1"), order("o2", _row=1), order("o3", _row=2))
    assert counts(lake.run("trusted/orders")) == {"read": 3, "inserted": 1, "unchanged": 2}
    assert quarantined(lake) == [("2018-05-09", 0, "order_status_unknown"), ("2018-05-11", 0, "order_status_unknown")]
    assert [row["order_id"] for row in lake.read("trusted/orders")] == ["o1", "o2", "o3"]


def test_a_rerun_after_the_rows_of_its_window_are_gone_empties_its_quarantine(lake):
    lake.rows("raw/orders", order("o1", "lost"), order("o2", "lost", _landing_date=MAY_11))
    lake.run("trusted/orders", window=ALL_DAYS)
    rewrite(lake, "raw/orders", order("o2", "lost", _landing_date=MAY_11))
    assert counts(lake.run("trusted/orders")) == {}
    assert quarantined(lake) == [("2018-05-11", 0, "order_status_unknown")]


def test_a_rerun_holds_each_quarantined_row_once(lake):
    lake.rows("raw/orders", order("o1", "lost"), order(None, _row=1))
    for _ in range(2):
        assert counts(lake.run("trusted/orders")) == {"read": 2, "quarantined": 2}
    assert quarantined(lake) == [("2018-05-10", 0, "order_status_unknown"), ("2018-05-10", 1, "order_id_missing")]


# --- Any order of deliveries, with repeats, in any windows ---------------------------------------------------------

_FIRST_DAY = date(2018, 5, 1)
_numbers = count()

_rows = st.tuples(
    st.sampled_from(["o1", "o2", "o3"]),
    st.sampled_from(["created", "shipped", "", "lost"]),  # the last is no status that is known
    st.sampled_from(["2018-04-30", "2018-05-01"]),
)
_files = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 3), st.lists(_rows, min_size=1, max_size=3)), min_size=1, max_size=4
)


@st.composite
def _deliveries(draw):
    """Files (day, hour of extraction, rows), and the runs: which files land, and the days that are then loaded."""
    files = draw(_files)
    order_of_arrival = draw(
        st.permutations([*range(len(files)), *draw(st.lists(st.integers(0, len(files) - 1), max_size=2))])
    )
    runs = []
    while order_of_arrival:
        landing = order_of_arrival[: draw(st.integers(1, 3))]
        order_of_arrival = order_of_arrival[len(landing) :]
        days = [files[n][0] for n in landing]
        runs.append((landing, draw(st.integers(0, min(days))), draw(st.integers(max(days), 2))))
    return files, runs


@settings(
    derandomize=True,
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example has a lake of its own
)
@given(deliveries=_deliveries())
def test_any_order_of_deliveries_in_any_windows_ends_in_the_same_tables(lake, deliveries):
    files, runs = deliveries
    lake = replace(lake, root=lake.root / str(next(_numbers)))
    landed = [_land(lake, number, *file) for number, file in enumerate(files)]
    for numbers, first, last in runs:
        window = Window(_FIRST_DAY + timedelta(days=first), _FIRST_DAY + timedelta(days=last + 1))
        lake.run("raw/orders", window=window, files=[landed[n] for n in numbers])
        counts(lake.run("trusted/orders", window=window))

    columns = ("order_id", "order_status", "order_purchase_timestamp", "order_month")
    lineage = ("_extracted_at", "_landing_date", "_file_id", "_row")
    versions = [
        ((f"{landed[n].extracted_at:%Y-%m-%d %H:%M:%S}", str(landed[n].landing_date), landed[n].file_id, position), row)
        for n, (_, _, rows) in enumerate(files)
        for position, row in enumerate(rows)
    ]
    newest = {}
    for place, (order_id, status, day) in sorted(versions):
        if status != "lost":
            newest[order_id] = (order_id, status or None, f"{day} 00:00:00", day[:7], *place)
    found = lake.read("trusted/orders", *columns, *lineage)
    assert [tuple(row.values()) for row in found] == [newest[key] for key in sorted(newest)]
    refused = sorted(place for place, (_, status, _) in versions if status == "lost")
    assert sorted(tuple(row.values()) for row in lake.read("quarantine/orders", *lineage)) == refused


def _land(lake, number, day, hour, rows):
    """A landed file of orders; its number keeps files of equal rows apart."""
    content = ORDERS + "".join(f"{order_id},c{number},{status},{bought},,,,\n" for order_id, status, bought in rows)
    landing_date = _FIRST_DAY + timedelta(days=day)
    return lake.file(f"{number}.csv", content, day=landing_date, extracted_at=f"2018-05-04 0{hour}:00:00")
