"""What a lake must hold once some files are loaded, whatever the order: the design's rules in plain Python.

It shares nothing with the steps. Values are as `TestLake.read` gives them: times and amounts as text.
"""

import hashlib
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from olist_assets_tests.scenarios.delivery_strategies import File
from olist_assets_tests.spark_steps.refined.refined_rows import key_of

Record = dict[str, Any]
_CENT = Decimal("0.01")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - all times are UTC, and none says so
_LONG_AGO = datetime(1900, 1, 1)  # noqa: DTZ001

# --- Trusted and quarantine -----------------------------------------------------------------------------------------


def _amount(text: str) -> Decimal:
    value = Decimal(text).quantize(_CENT)
    if value < 0:
        raise ValueError(text)
    return value


def _within(least: float, most: float, number: Callable[[str], float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = number(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return read


def _one_of(*accepted: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in accepted:
            raise ValueError(text)
        return text

    return read


def _five_digits(text: str) -> str:
    return text.zfill(5)


_state = _one_of("SP", "RJ")
_time = datetime.fromisoformat
_status = _one_of("created", "approved", "invoiced", "processing", "shipped", "delivered", "canceled", "unavailable")

_READ: dict[str, dict[str, Callable[[str], Any]]] = {
    "orders": {
        "order_id": str,
        "customer_id": str,
        "order_status": _status,
        "order_purchase_timestamp": _time,
        "order_approved_at": _time,
        "order_delivered_carrier_date": _time,
        "order_delivered_customer_date": _time,
        "order_estimated_delivery_date": _time,
    },
    "customers": {
        "customer_id": str,
        "customer_unique_id": str,
        "customer_zip_code_prefix": _five_digits,
        "customer_city": str,
        "customer_state": _state,
    },
    "order_items": {
        "order_id": str,
        "order_item_id": int,
        "product_id": str,
        "seller_id": str,
        "shipping_limit_date": _time,
        "price": _amount,
        "freight_value": _amount,
    },
    "order_payments": {
        "order_id": str,
        "payment_sequential": int,
        "payment_type": _one_of("credit_card", "boleto"),
        "payment_installments": int,
        "payment_value": _amount,
    },
    "order_reviews": {
        "review_id": str,
        "order_id": str,
        "review_score": _within(1, 5, int),
        "review_comment_title": str,
        "review_comment_message": str,
        "review_creation_date": _time,
        "review_answer_timestamp": _time,
    },
    "products": {
        "product_id": str,
        "product_category_name": str,
        "product_name_lenght": int,
        "product_description_lenght": int,
        "product_photos_qty": int,
        "product_weight_g": int,
        "product_length_cm": int,
        "product_height_cm": int,
        "product_width_cm": int,
    },
    "sellers": {"seller_id": str, "seller_zip_code_prefix": _five_digits, "seller_city": str, "seller_state": _state},
    "geolocation": {
        "geolocation_zip_code_prefix": _five_digits,
        "geolocation_lat": _within(-90, 90, float),
        "geolocation_lng": _within(-180, 180, float),
        "geolocation_city": str,
        "geolocation_state": _state,
    },
    "product_category_translation": {"product_category_name": str, "product_category_name_english": str},
}
"""Of each source its columns and how their texts are read; what cannot be read raises ValueError."""

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
        ValueError: it breaks a rule.
    """
    record = {name: read(row[name]) if row.get(name) else None for name, read in _READ[table].items()}
    if any(record[name] is None for name in (*_KEY[table], *_REQUIRED_TOO.get(table, ()))):
        raise ValueError(row)
    return {name.replace("lenght", "length"): value for name, value in record.items()}


def _newest(files: Iterable[File]) -> tuple[dict[str, list[Record]], dict[str, list[Record]]]:
    """Trusted and quarantine: of each source the newest rows of its keys, and where the rows lay that are refused."""
    landed: dict[tuple, File] = {}  # of equal files of a table and a day the one that was written first
    for file in sorted(files, key=lambda f: f.hour, reverse=True):
        landed[file.table, file.day, file.content] = file
    accepted = []
    refused: dict[str, list[Record]] = {table: [] for table in _READ}
    for file in landed.values():
        file_id = hashlib.sha256(file.content.encode()).hexdigest()[:16]
        for position, row in enumerate(file.rows):
            place = (file.extracted_at, f"{file.landing_date}", file_id, position)
            lineage = dict(zip(("_extracted_at", "_landing_date", "_file_id", "_row"), place, strict=True))
            try:
                accepted.append((place, file.table, _typed(file.table, row) | lineage))
            except (ValueError, ArithmeticError):
                refused[file.table].append(lineage)
    newest: dict[str, dict[tuple, Record]] = {table: {} for table in _READ}
    for _, table, record in sorted(accepted, key=lambda found: found[0]):
        newest[table][tuple(record[name] for name in _KEY[table])] = record
    return {table: list(rows.values()) for table, rows in newest.items()}, refused


# --- Refined: dimensions --------------------------------------------------------------------------------------------


def _place_key(zip_code_prefix: str | None) -> int:
    return key_of(zip_code_prefix) if zip_code_prefix else -1


def _periods(orders: list[Record], customers: Mapping[str, Record]) -> list[Record]:
    """Each person's address periods, by walking through the purchases in time."""
    purchases: dict[str, dict[datetime, Record]] = defaultdict(dict)
    for order in sorted(orders, key=lambda o: (o["order_purchase_timestamp"], o["customer_id"])):
        if customer := customers.get(order["customer_id"]):
            purchases[customer["customer_unique_id"]][order["order_purchase_timestamp"]] = customer
    periods: list[Record] = []
    for person, customer_at in purchases.items():
        holding: Record | None = None
        for time, customer in customer_at.items():
            address = {name: customer[f"customer_{name}"] for name in ("zip_code_prefix", "city", "state")}
            if holding and address.items() <= holding.items():
                continue
            if holding:
                holding |= {"valid_to": time, "is_current": False}
            holding = {
                "customer_key": key_of(person, (time - _EPOCH) // _MICROSECOND),
                "customer_unique_id": person,
                **address,
                "location_key": _place_key(address["zip_code_prefix"]),
                "valid_from": time,
                "valid_to": None,
                "is_current": True,
            }
            periods.append(holding)
    return periods


def _places(trusted: Mapping[str, list[Record]]) -> list[Record]:
    """Each zip prefix that anything names, with its most frequent spelling and the middle of its points."""
    spellings: dict[str, Counter] = defaultdict(Counter)
    for table, of in (("geolocation", "geolocation"), ("customers", "customer"), ("sellers", "seller")):
        for row in trusted[table]:
            if row[f"{of}_zip_code_prefix"]:
                spellings[row[f"{of}_zip_code_prefix"]][row[f"{of}_city"], row[f"{of}_state"]] += 1
    places = []
    for prefix, counted in spellings.items():
        # no city is no spelling: it stands for a prefix of which nothing better is known
        city, state = min(counted, key=lambda s: (s[0] is None, -counted[s], s[0], s[1] is None, s[1]))
        points = [row for row in trusted["geolocation"] if row["geolocation_zip_code_prefix"] == prefix]
        middle = {
            name: statistics.median(p[f"geolocation_{name}"] for p in points) for name in ("lat", "lng") if points
        }
        places.append(
            {
                "location_key": key_of(prefix),
                "zip_code_prefix": prefix,
                "city": city,
                "state": state,
                "latitude": middle.get("lat"),
                "longitude": middle.get("lng"),
                "points": len(points),
            }
        )
    return places


def _products(trusted: Mapping[str, list[Record]]) -> list[Record]:
    translated = {
        row["product_category_name"]: row["product_category_name_english"]
        for row in trusted["product_category_translation"]
    }
    sizes = ("name_length", "description_length", "photos_qty", "weight_g", "length_cm", "height_cm", "width_cm")
    return [
        {
            "product_key": key_of(row["product_id"]),
            "product_id": row["product_id"],
            "category": row["product_category_name"],
            "category_english": translated.get(row["product_category_name"]),
            **{name: row[f"product_{name}"] for name in sizes},
        }
        for row in trusted["products"]
    ]


def _sellers(trusted: Mapping[str, list[Record]]) -> list[Record]:
    return [
        {
            "seller_key": key_of(row["seller_id"]),
            "seller_id": row["seller_id"],
            **{name: row[f"seller_{name}"] for name in ("zip_code_prefix", "city", "state")},
            "location_key": _place_key(row["seller_zip_code_prefix"]),
        }
        for row in trusted["sellers"]
    ]


def _date_keys(orders: list[Record]) -> list[Record]:
    """The days of the calendar; what else it says of a day is a function of its key."""
    years = {order["order_purchase_timestamp"].year for order in orders} or {2016}
    first, last = date(min(2016, *years), 1, 1), date(max(years) + 1, 12, 31)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [{"date_key": -1}, *({"date_key": int(f"{day:%Y%m%d}")} for day in days)]


# --- Refined: facts -------------------------------------------------------------------------------------------------


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start) / timedelta(seconds=1) if start and end else None


def _per(seconds: float | None, unit: float) -> float | None:
    return None if seconds is None else seconds / unit


def _month(time: datetime) -> str:
    return f"{time:%Y-%m}"


def _order_facts(trusted: Mapping[str, list[Record]], periods: list[Record]) -> list[Record]:
    customers = {row["customer_id"]: row for row in trusted["customers"]}
    children = {table: defaultdict(list) for table in ("order_items", "order_payments", "order_reviews")}
    for table, of_order in children.items():
        for row in trusted[table]:
            of_order[row["order_id"]].append(row)
    facts = []
    for order in trusted["orders"]:
        purchased, approved, carrier, delivered, estimated = (
            order[f"order_{name}"]
            for name in (
                "purchase_timestamp",
                "approved_at",
                "delivered_carrier_date",
                "delivered_customer_date",
                "estimated_delivery_date",
            )
        )
        person = customers.get(order["customer_id"], {}).get("customer_unique_id")
        period = period_of(periods, person, purchased) if person else None
        items, payments, reviews = (of_order[order["order_id"]] for of_order in children.values())
        newest = max(reviews, key=lambda r: (r["review_answer_timestamp"] or _LONG_AGO, r["review_id"]), default=None)
        items_value, freight_value = (sum((i[c] for i in items), Decimal()) for c in ("price", "freight_value"))
        facts.append(
            {
                "order_id": order["order_id"],
                "customer_key": period["customer_key"] if period else -1,
                "location_key": period["location_key"] if period else -1,
                "purchase_date_key": int(f"{purchased:%Y%m%d}"),
                "order_status": order["order_status"],
                "order_purchase_timestamp": purchased,
                "order_approved_at": approved,
                "order_delivered_carrier_date": carrier,
                "order_delivered_customer_date": delivered,
                "order_estimated_delivery_date": estimated,
                "approval_hours": _per(_seconds(purchased, approved), 3600),
                "delivery_days": _per(_seconds(purchased, delivered), 86400),
                "estimated_days": _per(_seconds(purchased, estimated), 86400),
                "delay_days": _per(_seconds(estimated, delivered), 86400),
                "is_late": delivered > estimated if delivered and estimated else None,
                "items": len(items),
                "products": len({i["product_id"] for i in items} - {None}),
                "sellers": len({i["seller_id"] for i in items} - {None}),
                "items_value": items_value,
                "freight_value": freight_value,
                "order_value": items_value + freight_value,
                "payments": len(payments),
                "payment_value": sum((p["payment_value"] for p in payments), Decimal()),
                "review_score": newest["review_score"] if newest else None,
                "order_month": _month(purchased),
            }
        )
    return facts


def period_of(periods: Iterable[Record], person: str, time: datetime) -> Record:
    """The one period of the person that holds at this time."""
    [period] = [
        p
        for p in periods
        if p["customer_unique_id"] == person
        and p["valid_from"] <= time
        and not (p["valid_to"] and time >= p["valid_to"])
    ]
    return period


def _child_facts(
    trusted: Mapping[str, list[Record]], orders: list[Record], sellers: list[Record], products: list[Record]
) -> dict[str, list[Record]]:
    """Items, payments and reviews of the orders that are there."""
    arrived = {order["order_id"]: order for order in orders}
    seller_of = {row["seller_id"]: row for row in sellers}
    product_of = {row["product_id"]: row for row in products}
    of_all = ("customer_key", "purchase_date_key", "order_month")
    of_items = (*of_all, "location_key", "order_status", "order_purchase_timestamp")

    def with_order(table: str, columns: tuple[str, ...]) -> list[tuple[Record, Record]]:
        rows = [row for row in trusted[table] if row["order_id"] in arrived]
        return [(row, {c: arrived[row["order_id"]][c] for c in columns}) for row in rows]

    return {
        "fact_order_items": [
            {
                **{c: row[c] for c in ("order_id", "order_item_id", "price", "freight_value")},
                "product_key": product_of.get(row["product_id"], {}).get("product_key", -1),
                "seller_key": seller_of.get(row["seller_id"], {}).get("seller_key", -1),
                "seller_location_key": seller_of.get(row["seller_id"], {}).get("location_key", -1),
                **order,
            }
            for row, order in with_order("order_items", of_items)
        ],
        "fact_payments": [
            {
                **{c: row[c] for c in ("order_id", "payment_sequential", "payment_type")},
                **{c: row[c] for c in ("payment_installments", "payment_value")},
                **order,
            }
            for row, order in with_order("order_payments", of_all)
        ],
        "fact_reviews": [
            {
                **{c: row[c] for c in ("review_id", "order_id", "review_score")},
                **{c: row[c] for c in ("review_creation_date", "review_answer_timestamp")},
                "has_comment": row["review_comment_message"] is not None,
                "answer_hours": _per(_seconds(row["review_creation_date"], row["review_answer_timestamp"]), 3600),
                **order,
            }
            for row, order in with_order("order_reviews", of_all)
        ],
    }


# --- Refined: aggregates --------------------------------------------------------------------------------------------


def _grouped(rows: Iterable[Record], *columns: str) -> Iterable[tuple[Record, list[Record]]]:
    groups: dict[tuple, list[Record]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[c] for c in columns)].append(row)
    return ((dict(zip(columns, values, strict=True)), of_group) for values, of_group in groups.items())


def _sum(rows: Iterable[Record], column: str) -> Any:
    return sum(row[column] for row in rows)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _half_up(total: Decimal, count: int) -> Decimal:
    return (total / count).quantize(_CENT, ROUND_HALF_UP)


def _late_share(sales: list[Record]) -> float | None:
    delivered = [sale for sale in sales if sale["order_delivered_customer_date"]]
    return sum(sale["is_late"] is True for sale in delivered) / len(delivered) if delivered else None


def _people(sales: Iterable[Record]) -> set[str]:
    return {sale["customer_unique_id"] for sale in sales} - {None}


def _aggregates(orders: list[Record], periods: list[Record], payments: list[Record]) -> dict[str, list[Record]]:
    nobody = dict.fromkeys(("customer_unique_id", "city", "state"))
    period_by_key = {period["customer_key"]: {name: period[name] for name in nobody} for period in periods}
    sales = [
        order | period_by_key.get(order["customer_key"], nobody) | {"day": order["order_purchase_timestamp"].date()}
        for order in orders
        if order["order_status"] not in ("canceled", "unavailable")
    ]
    sums = {"items": "items", "revenue": "items_value", "freight": "freight_value"}
    first_sale = {
        person: min(sale["order_month"] for sale in sales if sale["customer_unique_id"] == person)
        for person in _people(sales)
    }
    return {
        "aggregate_sales_performance_by_city": [
            {
                **city,
                "orders": len(of_city),
                "customers": len(_people(of_city)),
                **{name: _sum(of_city, column) for name, column in sums.items()},
                "average_ticket": _half_up(_sum(of_city, "items_value"), len(of_city)),
                "average_freight": _half_up(_sum(of_city, "freight_value"), len(of_city)),
                "average_review_score": _mean(sale["review_score"] for sale in of_city),
                "late_share": _late_share(of_city),
            }
            for city, of_city in _grouped(sales, "state", "city")
        ],
        "aggregate_sales_per_month": [
            {
                **month,
                "orders": len(of_month),
                "customers": len(_people(of_month)),
                "new_customers": list(first_sale.values()).count(month["order_month"]),
                **{name: _sum(of_month, column) for name, column in sums.items()},
                "payment_value": _sum(of_month, "payment_value"),
                "average_ticket": _half_up(_sum(of_month, "items_value"), len(of_month)),
                "delivered": sum(sale["order_delivered_customer_date"] is not None for sale in of_month),
                "late_share": _late_share(of_month),
            }
            for month, of_month in _grouped(sales, "order_month")
        ],
        "aggregate_payments_per_month": [
            {
                **means,
                "payments": len(of_means),
                "orders": len({payment["order_id"] for payment in of_means}),
                "payment_value": _sum(of_means, "payment_value"),
                "average_installments": _mean(payment["payment_installments"] for payment in of_means),
            }
            for means, of_means in _grouped(payments, "order_month", "payment_type")
        ],
        "aggregate_orders_per_day": [
            {
                "purchase_date": day["day"],
                "customer_state": day["state"],
                "orders": len(of_day),
                "revenue": _sum(of_day, "items_value"),
                "freight": _sum(of_day, "freight_value"),
            }
            for day, of_day in _grouped(sales, "day", "state")
        ],
    }


# --- All of it ------------------------------------------------------------------------------------------------------


def expected(files: Iterable[File]) -> dict[str, list[Record]]:
    """The rows of each trusted, quarantine and refined table once these files are loaded, in no order.

    Of quarantine only where the rows lay, and of the calendar only the keys.
    """
    trusted, refused = _newest(files)
    periods = _periods(trusted["orders"], {row["customer_id"]: row for row in trusted["customers"]})
    products, sellers = _products(trusted), _sellers(trusted)
    orders = _order_facts(trusted, periods)
    children = _child_facts(trusted, orders, sellers, products)
    unknown = {
        "dim_products": {"product_key": -1},
        "dim_sellers": {"seller_key": -1, "location_key": -1},
        "dim_location": {"location_key": -1},
        "dim_customers": {"customer_key": -1, "location_key": -1},
    }
    refined = {
        "dim_products": products,
        "dim_sellers": sellers,
        "dim_location": _places(trusted),
        "dim_customers": periods,
        "dim_date": _date_keys(trusted["orders"]),
        "fact_orders": orders,
        **children,
        **_aggregates(orders, periods, children["fact_payments"]),
    }
    for order in trusted["orders"]:
        order["order_month"] = _month(order["order_purchase_timestamp"])
    tables = {
        **{f"trusted/{name}": rows for name, rows in trusted.items()},
        **{f"quarantine/{name}": rows for name, rows in refused.items()},
        **{f"refined/{name}": [*rows, *([unknown[name]] if name in unknown else [])] for name, rows in refined.items()},
    }
    return {table_id: [_plain(row) for row in rows] for table_id, rows in tables.items()}


def _plain(row: Record) -> Record:
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, Decimal):
        return str(value.quantize(_CENT))
    return str(value) if isinstance(value, date) else value
