"""The facts, from trusted rows and dimensions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from olist_assets_tests.oracle.values import LONG_AGO, Record, month_text


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start) / timedelta(seconds=1) if start and end else None


def _per(seconds: float | None, unit: float) -> float | None:
    return None if seconds is None else seconds / unit


def order_facts(trusted: Mapping[str, list[Record]], periods: list[Record]) -> list[Record]:
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
        newest = max(reviews, key=lambda r: (r["review_answer_timestamp"] or LONG_AGO, r["review_id"]), default=None)
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
                "order_month": month_text(purchased),
            }
        )
    return facts


def period_of(periods: Iterable[Record], person: str, time: datetime) -> Record:
    """The person's one period that includes this time."""
    [period] = [
        p
        for p in periods
        if p["customer_unique_id"] == person
        and p["valid_from"] <= time
        and not (p["valid_to"] and time >= p["valid_to"])
    ]
    return period


def detail_facts(
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
