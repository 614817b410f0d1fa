"""The aggregates, from facts and address periods."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from olist_assets_tests.oracle.values import CENT, Record


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
    return (total / count).quantize(CENT, ROUND_HALF_UP)


def _late_share(sales: list[Record]) -> float | None:
    delivered = [sale for sale in sales if sale["order_delivered_customer_date"]]
    return sum(sale["is_late"] is True for sale in delivered) / len(delivered) if delivered else None


def _people(sales: Iterable[Record]) -> set[str]:
    return {sale["customer_unique_id"] for sale in sales} - {None}


def aggregate_rows(orders: list[Record], periods: list[Record], payments: list[Record]) -> dict[str, list[Record]]:
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
