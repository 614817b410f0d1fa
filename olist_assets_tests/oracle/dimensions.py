"""The dimensions, from trusted rows."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from olist_assets_tests.oracle.values import EPOCH, MICROSECOND, Record
from olist_assets_tests.spark_steps.refined.refined_rows import key_of


def _place_key(zip_code_prefix: str | None) -> int:
    return key_of(zip_code_prefix) if zip_code_prefix else -1


def address_periods(orders: list[Record], customers: Mapping[str, Record]) -> list[Record]:
    """Each person's address periods, by walking through the purchases in time."""
    purchases: dict[str, dict[datetime, Record]] = defaultdict(dict)
    for order in sorted(orders, key=lambda o: (o["order_purchase_timestamp"], o["customer_id"])):
        if customer := customers.get(order["customer_id"]):
            purchases[customer["customer_unique_id"]][order["order_purchase_timestamp"]] = customer
    periods: list[Record] = []
    for person, customer_at in purchases.items():
        current: Record | None = None
        for time, customer in customer_at.items():
            address = {name: customer[f"customer_{name}"] for name in ("zip_code_prefix", "city", "state")}
            if current and address.items() <= current.items():
                continue
            if current:
                current |= {"valid_to": time, "is_current": False}
            current = {
                "customer_key": key_of(person, (time - EPOCH) // MICROSECOND),
                "customer_unique_id": person,
                **address,
                "location_key": _place_key(address["zip_code_prefix"]),
                "valid_from": time,
                "valid_to": None,
                "is_current": True,
            }
            periods.append(current)
    return periods


def location_rows(trusted: Mapping[str, list[Record]]) -> list[Record]:
    """Each zip prefix that a row refers to, with its most frequent spelling and the median of its points."""
    spellings: dict[str, Counter] = defaultdict(Counter)
    for table, of in (("geolocation", "geolocation"), ("customers", "customer"), ("sellers", "seller")):
        for row in trusted[table]:
            if row[f"{of}_zip_code_prefix"]:
                spellings[row[f"{of}_zip_code_prefix"]][row[f"{of}_city"], row[f"{of}_state"]] += 1
    places = []
    for prefix, counted in spellings.items():
        # a missing city is only used if there is no spelling at all
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


def product_rows(trusted: Mapping[str, list[Record]]) -> list[Record]:
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


def seller_rows(trusted: Mapping[str, list[Record]]) -> list[Record]:
    return [
        {
            "seller_key": key_of(row["seller_id"]),
            "seller_id": row["seller_id"],
            **{name: row[f"seller_{name}"] for name in ("zip_code_prefix", "city", "state")},
            "location_key": _place_key(row["seller_zip_code_prefix"]),
        }
        for row in trusted["sellers"]
    ]


def date_keys(orders: list[Record]) -> list[Record]:
    """The days of the calendar; its other columns are functions of the key."""
    years = {order["order_purchase_timestamp"].year for order in orders} or {2016}
    first, last = date(min(2016, *years), 1, 1), date(max(years) + 1, 12, 31)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [{"date_key": -1}, *({"date_key": int(f"{day:%Y%m%d}")} for day in days)]
