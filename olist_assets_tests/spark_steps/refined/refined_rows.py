"""Trusted rows in few words, reference surrogate keys, and whole refined tables, for the tests in this folder.

Times are texts in UTC, amounts are texts in BRL. Values that a test does not name are null or irrelevant to it.
"""

import hashlib
from datetime import UTC, datetime, timedelta

NOON = "2018-05-10 12:00:00"

_TIMES = {
    "approved": "order_approved_at",
    "carrier": "order_delivered_carrier_date",
    "delivered": "order_delivered_customer_date",
    "estimated": "order_estimated_delivery_date",
}

UNKNOWN_CUSTOMER = {
    "customer_key": -1,
    "customer_unique_id": None,
    "zip_code_prefix": None,
    "city": None,
    "state": None,
    "location_key": -1,
    "valid_from": None,
    "valid_to": None,
    "is_current": None,
}


def key_of(*natural_key):
    """The surrogate key: the first 60 bits of the SHA-256 of the columns joined by `|`."""
    text = "|".join(str(column) for column in natural_key)
    return int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)


def period_key(person, valid_from):
    """The surrogate key of a person's period, which begins at the time `valid_from`."""
    since_1970 = datetime.fromisoformat(valid_from).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return key_of(person, since_1970 // timedelta(microseconds=1))


def whole(lake, name, *order):
    """All rows and columns of a refined table in the order of these columns, nulls first."""
    rows = lake.read(f"refined/{name}")
    return sorted(rows, key=lambda row: [(row[column] is not None, row[column]) for column in order])


def build(lake, *names):
    """Run the steps of these refined tables one after the other."""
    for name in names:
        lake.run(f"refined/{name}")


def order(order_id, customer_id, purchased=NOON, *, status="delivered", **times):
    """An order; its known later times are `approved`, `carrier`, `delivered` and `estimated`."""
    return {
        "order_id": order_id,
        "customer_id": customer_id,
        "order_status": status,
        "order_purchase_timestamp": purchased,
        "order_month": purchased[:7],
    } | {_TIMES[name]: time for name, time in times.items()}


def customer(customer_id, person, zip_code_prefix="01001", city="sao paulo", state="SP"):
    return {
        "customer_id": customer_id,
        "customer_unique_id": person,
        "customer_zip_code_prefix": zip_code_prefix,
        "customer_city": city,
        "customer_state": state,
    }


def arrived(order_id="o1", person="ana", purchased=NOON, **values):
    """A row of fact_orders: a delivered order of this person, or of the unknown one; `values` by column."""
    unknown = {"customer_key": -1, "location_key": -1}
    known = {"customer_key": person and period_key(person, purchased), "location_key": key_of("01001")}
    return {
        "order_id": order_id,
        **(known if person else unknown),
        "purchase_date_key": int(purchased[:10].replace("-", "")),
        "order_status": "delivered",
        "order_purchase_timestamp": purchased,
        "items": 0,
        "products": 0,
        "sellers": 0,
        "items_value": "0.00",
        "freight_value": "0.00",
        "order_value": "0.00",
        "payments": 0,
        "payment_value": "0.00",
        "order_month": purchased[:7],
    } | values


def item(order_id, number=1, *, product="p1", seller="s1", price="10.00", freight="1.00"):
    return {
        "order_id": order_id,
        "order_item_id": number,
        "product_id": product,
        "seller_id": seller,
        "price": price,
        "freight_value": freight,
    }


def payment(order_id, number=1, *, means="credit_card", installments=1, value="11.00"):
    return {
        "order_id": order_id,
        "payment_sequential": number,
        "payment_type": means,
        "payment_installments": installments,
        "payment_value": value,
    }


def review(review_id, order_id, score=5, *, message=None, created="2018-05-20 00:00:00", answered=None):
    return {
        "review_id": review_id,
        "order_id": order_id,
        "review_score": score,
        "review_comment_message": message,
        "review_creation_date": created,
        "review_answer_timestamp": answered,
    }


def product(product_id, category=None, **sizes):
    return {"product_id": product_id, "product_category_name": category} | sizes


def seller(seller_id, zip_code_prefix="13023", city="campinas", state="SP"):
    return {
        "seller_id": seller_id,
        "seller_zip_code_prefix": zip_code_prefix,
        "seller_city": city,
        "seller_state": state,
    }


def point(zip_code_prefix, latitude=-23.5, longitude=-46.6, city="sao paulo", state="SP"):
    return {
        "geolocation_zip_code_prefix": zip_code_prefix,
        "geolocation_lat": latitude,
        "geolocation_lng": longitude,
        "geolocation_city": city,
        "geolocation_state": state,
    }
