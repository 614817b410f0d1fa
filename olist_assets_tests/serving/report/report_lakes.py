"""Small lakes of refined rows for tests of the report."""

from decimal import Decimal

NASTY = "</script><b id='owned'>&\"\\"

SALES = {
    # sixteen days with one order of 100.00 each, all delivered five days early
    "2018-07": [(day, "100.00", 5, 5) for day in range(1, 17)],
    # the same, but the last order is worth 220.00, and four come late and get three stars
    "2018-08": [
        (day, "220.00" if day == 16 else "100.00", 11 if day % 4 == 0 else 5, 3 if day % 4 == 0 else 5)
        for day in range(1, 17)
    ],
    # two days with sales do not make a full month
    "2018-09": [(1, "7.00", None, None), (2, "3.00", None, None)],
}
"""Orders by month: day, revenue, days to delivery (ten are promised) and stars."""


_EMPTY_SOURCES = (
    "customers", "order_items", "order_payments", "order_reviews", "products", "sellers", "geolocation",
    "product_category_translation",
)  # fmt: skip


def sell(lake, sales, *, city="sao paulo", reviewed=True, extracted="2018-10-23 03:00:00"):
    """Write the refined and trusted rows that the report of such sales reads; SP buys in August, AC in other months."""
    orders = [_order(month, *sale, reviewed=reviewed) for month, month_sales in sales.items() for sale in month_sales]
    lake.rows("refined/fact_orders", *orders)
    lake.rows(
        "refined/aggregate_orders_per_day",
        *(_day(month, day, value) for month, month_sales in sales.items() for day, value, _, _ in month_sales),
    )
    lake.rows("refined/aggregate_sales_per_month", *(_month(month, sold) for month, sold in sales.items()))
    lake.rows(
        "refined/aggregate_payments_per_month",
        *(row for month, sold in sales.items() for row in _payments(month, _revenue(sold))),
    )
    lake.rows("refined/aggregate_sales_performance_by_city", *_cities(sales, city))
    lake.rows("refined/dim_customers", *_customers())
    lake.rows("trusted/orders", *(_trusted_order(order, extracted) for order in orders))
    lake.rows("quarantine/orders")
    for name in _EMPTY_SOURCES:
        lake.rows(f"trusted/{name}")
        lake.rows(f"quarantine/{name}")


def _revenue(sold):
    return sum(Decimal(value) for _, value, _, _ in sold)


def _order(month, day, value, days_to_delivery, stars, *, reviewed):
    order_id = f"{month}-{day:02}"
    delivered = days_to_delivery is not None
    return (
        {"order_id": order_id, "customer_key": 1, "location_key": 1, "purchase_date_key": 1}
        # An order without a status is a sale too.
        | {"order_status": None if day == 1 else "delivered" if delivered else "shipped"}
        | {"order_purchase_timestamp": f"{order_id} 12:00:00", "order_month": month}
        | dict.fromkeys(("items", "products", "sellers", "payments"), 1)
        | {"items_value": value, "freight_value": "0.00", "order_value": value, "payment_value": value}
        | {"delivery_days": days_to_delivery, "estimated_days": 10.0, "review_score": stars if reviewed else None}
        | {"delay_days": days_to_delivery - 10.0 if delivered else None}
        | {"is_late": days_to_delivery > 10 if delivered else None}
    )


def _trusted_order(order, extracted):
    row = {"order_id": order["order_id"], "customer_id": order["order_id"], "order_month": order["order_month"]}
    return row | {"order_purchase_timestamp": order["order_purchase_timestamp"], "_extracted_at": extracted}


def _day(month, day, value):
    row = {"purchase_date": f"{month}-{day:02}", "customer_state": "SP" if month == "2018-08" else "AC"}
    return row | {"orders": 1, "revenue": value, "freight": "0.00"}


def _month(month, sold):
    revenue = _revenue(sold)
    delivered = [days for _, _, days, _ in sold if days is not None]
    return (
        {"order_month": month, "orders": len(sold), "customers": 1, "new_customers": 1, "items": len(sold)}
        | {"revenue": revenue, "freight": "0.00", "payment_value": revenue, "delivered": len(delivered)}
        | {"average_ticket": round(revenue / len(sold), 2)}
        | {"late_share": sum(days > 10 for days in delivered) / len(delivered) if delivered else None}
    )


def _payments(month, revenue):
    row = {"order_month": month, "payments": 1, "orders": 1, "average_installments": 1.0}
    for payment_type, share in (("boleto", "0.60"), ("credit_card", "0.40")):
        yield row | {"payment_type": payment_type, "payment_value": round(revenue * Decimal(share), 2)}


def _cities(sales, city):
    row = {"customers": 1, "items": 1, "freight": "0.00", "average_ticket": "100.00", "average_freight": "0.00"}
    for state, name in (("AC", "rio branco"), ("SP", city)):
        sold = [sale for month in sales if (month == "2018-08") == (state == "SP") for sale in sales[month]]
        if sold:
            yield row | {"state": state, "city": name, "orders": len(sold), "revenue": _revenue(sold)}


def _customers():
    """The unknown member, a customer who moves to another city and then to another state, and one who stays."""
    yield {"customer_key": -1, "location_key": -1}
    periods = [
        ("a", "sao paulo", "SP", "2018-07-01", "2018-08-01"),
        ("a", "santos", "SP", "2018-08-01", "2018-08-09"),
        ("a", "rio branco", "AC", "2018-08-09", None),
        ("b", "santos", "SP", "2018-07-02", None),
    ]
    for key, (customer, city, state, start, end) in enumerate(periods, start=1):
        row = {"customer_key": key, "location_key": 1, "customer_unique_id": customer, "city": city, "state": state}
        times = {"valid_from": f"{start} 12:00:00", "valid_to": f"{end} 12:00:00" if end else None}
        yield row | times | {"is_current": end is None}
