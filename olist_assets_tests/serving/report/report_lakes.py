"""Small lakes of refined rows for tests of the report."""

from decimal import Decimal

NASTY = "</script><b id='owned'>&\"\\"

SALES = {
    # sixteen days with an order of 100.00 each, all delivered five days early
    "2018-07": [(day, "100.00", 5, 5) for day in range(1, 17)],
    # the same, but the last order is of 220.00, and four come late and get three stars
    "2018-08": [
        (day, "220.00" if day == 16 else "100.00", 11 if day % 4 == 0 else 5, 3 if day % 4 == 0 else 5)
        for day in range(1, 17)
    ],
    # two days are too few to be a month
    "2018-09": [(1, "7.00", None, None), (2, "3.00", None, None)],
}
"""By month: day of an order, its revenue, days until it was delivered (ten are promised), and its stars."""


def sell(lake, sales, *, city="sao paulo", reviewed=True, extracted="2018-10-23 03:00:00"):
    """Write the refined and trusted rows that the report of such sales reads; SP buys in July, AC later."""
    orders, days, months, payments = [], [], [], []
    cities = {}
    for month, sold in sales.items():
        revenue = sum(Decimal(value) for _, value, _, _ in sold)
        delivered = [taken for _, _, taken, _ in sold if taken is not None]
        months.append(
            {"order_month": month, "orders": len(sold), "customers": 1, "new_customers": 1, "items": len(sold)}
            | {"revenue": revenue, "freight": "0.00", "payment_value": revenue, "delivered": len(delivered)}
            | {"average_ticket": round(revenue / len(sold), 2)}
            | {"late_share": sum(taken > 10 for taken in delivered) / len(delivered) if delivered else None}
        )
        for kind, share in (("boleto", "0.60"), ("credit_card", "0.40")):
            payments.append(
                {"order_month": month, "payment_type": kind, "payments": 1, "orders": 1, "average_installments": 1.0}
                | {"payment_value": round(revenue * Decimal(share), 2)}
            )
        state = "SP" if month == "2018-08" else "AC"
        where = cities.setdefault((state, city if state == "SP" else "rio branco"), [0, Decimal(0)])
        where[0] += len(sold)
        where[1] += revenue
        for day, value, taken, stars in sold:
            bought = f"{month}-{day:02}"
            days.append(
                {"purchase_date": bought, "customer_state": state, "orders": 1, "revenue": value, "freight": "0.00"}
            )
            orders.append(
                {"order_id": bought, "customer_key": 1, "location_key": 1, "purchase_date_key": 1}
                | {"order_status": None if day == 1 else "shipped" if taken is None else "delivered"}  # a sale too
                | {"order_purchase_timestamp": f"{bought} 12:00:00", "order_month": month}
                | dict.fromkeys(("items", "products", "sellers", "payments"), 1)
                | {"items_value": value, "freight_value": "0.00", "order_value": value, "payment_value": value}
                | {"delivery_days": taken, "estimated_days": 10.0, "review_score": stars if reviewed else None}
                | {
                    "delay_days": None if taken is None else taken - 10.0,
                    "is_late": None if taken is None else taken > 10,
                }
            )
    sales_of = {"customers": 1, "items": 1, "freight": "0.00", "average_ticket": "100.00", "average_freight": "0.00"}
    lake.rows("refined/fact_orders", *orders)
    lake.rows("refined/aggregate_orders_per_day", *days)
    lake.rows("refined/aggregate_sales_per_month", *months)
    lake.rows("refined/aggregate_payments_per_month", *payments)
    lake.rows(
        "refined/aggregate_sales_performance_by_city",
        *(sales_of | {"state": s, "city": c, "orders": n, "revenue": r} for (s, c), (n, r) in cities.items()),
    )
    lived = [
        ("a", "sao paulo", "SP", "2018-07-01"),
        ("a", "santos", "SP", "2018-08-01"),
        ("a", "rio branco", "AC", "2018-08-09"),
    ]
    lake.rows(
        "refined/dim_customers",
        {"customer_key": -1, "location_key": -1},
        *(
            {"customer_key": key, "location_key": 1, "customer_unique_id": who, "city": town, "state": state}
            | {"valid_from": f"{since} 12:00:00"}
            for key, (who, town, state, since) in enumerate([*lived, ("b", "santos", "SP", "2018-07-02")], start=1)
        ),
    )
    at = {"_extracted_at": extracted}
    lake.rows(
        "trusted/orders",
        *(
            at
            | {"order_id": row["order_id"], "customer_id": row["order_id"], "order_month": row["order_month"]}
            | {"order_purchase_timestamp": row["order_purchase_timestamp"]}
            for row in orders
        ),
    )
    for name in ("customers", "order_items", "order_payments", "order_reviews", "products", "sellers", "geolocation"):
        lake.rows(f"trusted/{name}")
    lake.rows("trusted/product_category_translation")
    for name in ("orders", "customers", "order_items", "order_payments", "order_reviews", "products", "sellers"):
        lake.rows(f"quarantine/{name}")
    lake.rows("quarantine/geolocation")
    lake.rows("quarantine/product_category_translation")
