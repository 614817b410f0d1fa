"""Raw rows in few words, and what the tests of trusted read of its tables."""

import shutil
from dataclasses import asdict, replace
from datetime import date

import deltalake

from spark_steps.declarations import Severity
from spark_steps.protocol import Check, StepResult, Window

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

ACCEPTED_ROWS = {
    "orders": {
        "order_id": "o1",
        "customer_id": "c1",
        "order_status": "delivered",
        "order_purchase_timestamp": "2018-05-01 10:00:00",
        "order_approved_at": "2018-05-01 11:00:00",
        "order_delivered_carrier_date": "2018-05-02 10:00:00",
        "order_delivered_customer_date": "2018-05-03 10:00:00",
        "order_estimated_delivery_date": "2018-05-20",
    },
    "order_items": {
        "order_id": "o1",
        "order_item_id": "1",
        "product_id": "p1",
        "seller_id": "s1",
        "shipping_limit_date": "2018-05-02 10:00:00",
        "price": "58.90",
        "freight_value": "13.29",
    },
    "order_payments": {
        "order_id": "o1",
        "payment_sequential": "1",
        "payment_type": "boleto",
        "payment_installments": "1",
        "payment_value": "99.33",
    },
    "order_reviews": {
        "review_id": "r1",
        "order_id": "o1",
        "review_score": "5",
        "review_comment_title": "bom",
        "review_comment_message": "chegou",
        "review_creation_date": "2018-05-02",
        "review_answer_timestamp": "2018-05-02 10:00:00",
    },
    "sellers": {
        "seller_id": "s1",
        "seller_zip_code_prefix": "13023",
        "seller_city": "campinas",
        "seller_state": "SP",
    },
    "geolocation": {
        "geolocation_zip_code_prefix": "01037",
        "geolocation_lat": "-23.5",
        "geolocation_lng": "-46.6",
        "geolocation_city": "sao paulo",
        "geolocation_state": "SP",
    },
}
"""Raw rows that no rule rejects, one per table."""


def version(lake, table_id):
    return deltalake.DeltaTable(lake.table(table_id).uri).version()


def counts(result: StepResult):
    """Rows read and what became of them, without those of which there are none."""
    found = asdict(replace(result.rows, copied=0))
    assert result.checks[0] == Check(
        "rows_accounted_for", Severity.ERROR, 0, "every raw row has won, was superseded or is quarantined"
    )
    assert found["read"] == sum(n for name, n in found.items() if name != "read")
    assert found == {name: sum(getattr(day.rows, name) for day in result.days) for name in found}
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
    """Replace all rows of a table, as after a correction."""
    shutil.rmtree(lake.root / table_id)
    lake.rows(table_id, *rows)
