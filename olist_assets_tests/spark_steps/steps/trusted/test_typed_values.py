"""Delivered texts become typed values with their lineage; blank optional values become null."""

from datetime import datetime
from hashlib import sha256

import pytest

from olist_assets_tests.spark_steps.steps.trusted.trusted_rows import (
    ACCEPTED_ROWS,
    CUSTOMERS,
    GEOLOCATION,
    ITEMS,
    ORDERS,
    PAYMENTS,
    PRODUCTS,
    REVIEWS,
    SELLERS,
    TRANSLATION,
    counts,
)
from spark_steps.tables import TABLES


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
def test_a_row_has_typed_values_and_its_lineage(lake, table, content, row):
    result = lake.load(table, content)
    [raw] = lake.read(f"raw/{table}")
    lineage = {
        "_landing_date": "2018-05-10",
        "_extracted_at": "2018-05-10 03:00:00",
        "_file_id": raw["_file_id"],
        "_row": 0,
        "_hash": hash_beside_the_key(table, row),
        "_received_at": "2018-05-10 04:00:00",
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
def test_a_blank_optional_value_is_null(lake, table, content, row):
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
    good = ACCEPTED_ROWS[table]
    key = TABLES[f"trusted/{table}"].key[0]
    rows = [good | {key: f"{n:02}", column: value, "_row": n} for n, value in enumerate(values)]
    lake.rows(f"raw/{table}", *rows)
    lake.run(f"trusted/{table}")
    assert [row[column] for row in lake.read(f"trusted/{table}")] == values
    assert lake.read(f"quarantine/{table}") == []


IDS = {
    "orders": (ORDERS, "{},{},delivered,2018-05-10,,,,\n", ("order_id", "customer_id")),
    "customers": (CUSTOMERS, "{},{},{},a,SP\n", ("customer_id", "customer_unique_id", "customer_zip_code_prefix")),
    "order_items": (ITEMS, "{},1,{},{},,1,1\n", ("order_id", "product_id", "seller_id")),
    "order_payments": (PAYMENTS, "{},1,boleto,1,1\n", ("order_id",)),
    "order_reviews": (REVIEWS, "{},{},5,,,,\n", ("review_id", "order_id")),
    "products": (PRODUCTS, "{},{},,,,,,,\n", ("product_id", "product_category_name")),
    "sellers": (SELLERS, "{},{},a,SP\n", ("seller_id", "seller_zip_code_prefix")),
    "geolocation": (
        GEOLOCATION,
        "{},1,1,{},{}\n",
        ("geolocation_zip_code_prefix", "geolocation_city", "geolocation_state"),
    ),
    "product_category_translation": (TRANSLATION, "{},x\n", ("product_category_name",)),
}
"""Per source the header of a file, a row of it, and the columns that are keys or refer to other tables."""


@pytest.mark.parametrize("table", IDS)
def test_keys_and_references_are_stripped_in_all_sources(lake, table):
    header, row, names = IDS[table]
    values = ["SP" if name.endswith("state") else "01037" if name.endswith("prefix") else name for name in names]
    lake.load(table, header + row.format(*values))
    [before] = lake.read(f"trusted/{table}", *names, "_hash")
    result = lake.load(table, header + row.format(*(f'"\u00a0 {value} \t\r\n"' for value in values)))
    assert lake.read(f"trusted/{table}", *names, "_hash") == [before]
    assert before == dict(zip(names, values, strict=True)) | {"_hash": before["_hash"]}
    assert (result.rows.quarantined, result.rows.inserted) == (0, 0)
