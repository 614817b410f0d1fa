"""Trusted and quarantine: the newest accepted row of each key, and the rejected rows."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from olist_assets_tests.oracle.values import CENT, Record
from olist_assets_tests.scenarios.delivery_strategies import File


def _amount(text: str) -> Decimal:
    value = Decimal(text).quantize(CENT)
    if value < 0:
        raise ValueError(text)
    return value


def _within(minimum: float, maximum: float, number: Callable[[str], float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = number(text)
        if not minimum <= value <= maximum:
            raise ValueError(text)
        return value

    return read


def _one_of(*accepted: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in accepted:
            raise ValueError(text)
        return text

    return read


def _id(text: str) -> str:
    if not text.strip().isprintable():
        raise ValueError(text)
    return text.strip()


def _five_digits(text: str) -> str:
    digits = text.strip().zfill(5)
    if len(digits) != 5 or not digits.isdecimal():
        raise ValueError(text)
    return digits


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


_from_1 = _within(1, float("inf"), int)
_STATES = "AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO"
_state = _one_of(*_STATES.split())
_status = _one_of("created", "approved", "invoiced", "processing", "shipped", "delivered", "canceled", "unavailable")

_READ: dict[str, dict[str, Callable[[str], Any]]] = {
    "orders": {
        "order_id": _id,
        "customer_id": _id,
        "order_status": _status,
        "order_purchase_timestamp": _time,
        "order_approved_at": _time,
        "order_delivered_carrier_date": _time,
        "order_delivered_customer_date": _time,
        "order_estimated_delivery_date": _time,
    },
    "customers": {
        "customer_id": _id,
        "customer_unique_id": _id,
        "customer_zip_code_prefix": _five_digits,
        "customer_city": str,
        "customer_state": _state,
    },
    "order_items": {
        "order_id": _id,
        "order_item_id": _from_1,
        "product_id": _id,
        "seller_id": _id,
        "shipping_limit_date": _time,
        "price": _amount,
        "freight_value": _amount,
    },
    "order_payments": {
        "order_id": _id,
        "payment_sequential": _from_1,
        "payment_type": _one_of("credit_card", "boleto", "voucher", "debit_card", "not_defined"),
        "payment_installments": _within(0, float("inf"), int),
        "payment_value": _amount,
    },
    "order_reviews": {
        "review_id": _id,
        "order_id": _id,
        "review_score": _within(1, 5, int),
        "review_comment_title": str,
        "review_comment_message": str,
        "review_creation_date": _time,
        "review_answer_timestamp": _time,
    },
    "products": {
        "product_id": _id,
        "product_category_name": _id,
        "product_name_lenght": int,
        "product_description_lenght": int,
        "product_photos_qty": int,
        "product_weight_g": int,
        "product_length_cm": int,
        "product_height_cm": int,
        "product_width_cm": int,
    },
    "sellers": {"seller_id": _id, "seller_zip_code_prefix": _five_digits, "seller_city": str, "seller_state": _state},
    "geolocation": {
        "geolocation_zip_code_prefix": _five_digits,
        "geolocation_lat": _within(-90, 90, float),
        "geolocation_lng": _within(-180, 180, float),
        "geolocation_city": _id,
        "geolocation_state": _state,
    },
    "product_category_translation": {"product_category_name": _id, "product_category_name_english": str},
}
"""Per source the columns, each with the function that parses its text; it raises ValueError for unreadable text."""

_KEY = {
    "orders": ("order_id",),
    "customers": ("customer_id",),
    "order_items": ("order_id", "order_item_id"),
    "order_payments": ("order_id", "payment_sequential"),
    "order_reviews": ("review_id", "order_id"),
    "products": ("product_id",),
    "sellers": ("seller_id",),
    "geolocation": tuple(_READ["geolocation"]),
    "product_category_translation": ("product_category_name",),
}
_REQUIRED_TOO = {
    "orders": ("customer_id", "order_purchase_timestamp"),
    "customers": ("customer_unique_id",),
    "order_items": ("product_id", "price", "freight_value"),
    "order_payments": ("payment_type", "payment_value"),
    "order_reviews": ("review_score",),
}


def _typed(table: str, row: Mapping[str, str]) -> Record:
    """The row's values.

    Raises:
        ValueError: the row violates a rule.
    """
    record = {name: read(row[name]) if row.get(name, "").strip() else None for name, read in _READ[table].items()}
    if any(record[name] is None for name in (*_KEY[table], *_REQUIRED_TOO.get(table, ()))):
        raise ValueError(row)
    return {name.replace("lenght", "length"): value for name, value in record.items()}


def newest_rows(files: Iterable[File]) -> tuple[dict[str, list[Record]], dict[str, list[Record]]]:
    """Per source the newest accepted row of each key, and the lineage of the rejected rows."""
    landed: dict[tuple, File] = {}  # of equal files of a table and day, the first extracted
    for file in sorted(files, key=lambda f: f.hour, reverse=True):
        landed[file.table, file.day, file.content] = file
    accepted = []
    rejected: dict[str, list[Record]] = {table: [] for table in _READ}
    for file in landed.values():
        file_id = hashlib.sha256(file.content.encode()).hexdigest()[:16]
        for position, row in enumerate(file.rows):
            place = (file.extracted_at, f"{file.landing_date}", file_id, position)
            lineage = dict(zip(("_extracted_at", "_landing_date", "_file_id", "_row"), place, strict=True))
            try:
                accepted.append((place, file.table, _typed(file.table, row) | lineage))
            except (ValueError, ArithmeticError):
                rejected[file.table].append(lineage)
    newest: dict[str, dict[tuple, Record]] = {table: {} for table in _READ}
    for _, table, record in sorted(accepted, key=lambda row: row[0]):
        newest[table][tuple(record[name] for name in _KEY[table])] = record
    return {table: list(rows.values()) for table, rows in newest.items()}, rejected
