"""What is known of each answer in docs/questions: its columns, the key of its rows, and what it must agree with."""

from dataclasses import dataclass

ORDERS = """(
  SELECT o.*, c.customer_unique_id, first_value(c.customer_zip_code_prefix) OVER instant AS zip_code_prefix,
    first_value(c.customer_city) OVER instant AS city, first_value(c.customer_state) OVER instant AS state
  FROM trusted.orders o LEFT JOIN trusted.customers c USING (customer_id)
  WINDOW instant AS (
    PARTITION BY coalesce(c.customer_unique_id, o.order_id), o.order_purchase_timestamp ORDER BY o.customer_id DESC
  )
)"""
"""Orders with person and address. If a person has orders at one instant, the greatest customer_id's address is used."""
SALES = f"(SELECT * FROM {ORDERS} WHERE order_status NOT IN ('canceled', 'unavailable'))"
SOLD_ITEMS = f"(SELECT * FROM trusted.order_items WHERE order_id IN (SELECT order_id FROM {SALES}))"
DELIVERED = f"(SELECT * FROM {SALES} WHERE order_delivered_customer_date IS NOT NULL)"
PURCHASES = f"(SELECT * FROM {SALES} WHERE customer_unique_id IS NOT NULL)"
"""Sales of which the person is known."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is known of an answer: columns with their types, the key of a row, and pairs of queries that must agree.

    The first query of a pair asks the answer, as the table `answer`, the second one the trusted tables.
    """

    columns: dict[str, str]
    key: tuple[str, ...]
    identities: dict[str, tuple[str, str]]
    ordered: bool = True


def whole(*shares: str, of: str = "") -> dict[str, tuple[str, str]]:
    """Shares, rounded to four places, sum up to 1 (within each value of a column)."""
    query = "SELECT DISTINCT abs(sum({}) - 1) < 0.01 FROM answer" + (f" GROUP BY {of}" if of else "")
    return {f"{share} is of the whole": (query.format(share), "SELECT true") for share in shares}


MONEY, COUNT, SHARE = "DECIMAL(38,2)", "BIGINT", "DOUBLE"

QUESTIONS = {
    "headline": Question(
        columns={"figure": "VARCHAR", "count": COUNT, "brl": MONEY},
        key=("figure",),
        ordered=False,  # a list of single figures, in the order of the statement
        identities={
            "orders are worth their items and freight": (
                "SELECT sum(brl) FROM answer WHERE figure = 'orders'",
                "SELECT sum(price + freight_value) FROM trusted.order_items",
            ),
            "every fact has its keys": (
                """SELECT "count" FROM answer WHERE figure = 'facts with a null key'""",
                "SELECT 0",
            ),
        },
    ),
    "orders_by_day_and_state": Question(
        columns={
            "purchase_date": "DATE",
            "day_name": "VARCHAR",
            "customer_state": "VARCHAR",
            "orders": COUNT,
            "revenue": "DECIMAL(18,2)",
            "freight": "DECIMAL(18,2)",
        },
        key=("purchase_date", "customer_state"),
        identities={
            "days hold all sales": (
                "SELECT purchase_date, sum(orders) FROM answer GROUP BY ALL ORDER BY ALL",
                f"SELECT order_purchase_timestamp::DATE, count(*) FROM {SALES} GROUP BY ALL ORDER BY ALL",
            ),
            "states hold all sales": (
                "SELECT customer_state, sum(orders) FROM answer GROUP BY ALL ORDER BY ALL",
                f"SELECT state, count(*) FROM {SALES} GROUP BY ALL ORDER BY ALL",
            ),
            "revenue is the price of the items sold": (
                "SELECT sum(revenue), sum(freight) FROM answer",
                f"SELECT sum(price), sum(freight_value) FROM {SOLD_ITEMS}",
            ),
        },
    ),
    "sales_by_month": Question(
        columns={
            "order_month": "VARCHAR",
            "orders": COUNT,
            "customers": COUNT,
            "new_customers": COUNT,
            "revenue": "DECIMAL(18,2)",
            "freight": "DECIMAL(18,2)",
            "average_ticket": "DECIMAL(12,2)",
            "revenue_growth": "DOUBLE",
            "late_share": SHARE,
        },
        key=("order_month",),
        identities={
            "months hold the items sold": (
                "SELECT order_month, revenue, freight FROM answer ORDER BY ALL",
                f"""SELECT order_month, sum(price), sum(freight_value) FROM {SOLD_ITEMS} JOIN {SALES} USING (order_id)
                    GROUP BY ALL ORDER BY ALL""",
            ),
            "everybody is new once": (
                "SELECT sum(new_customers) FROM answer",
                f"SELECT count(DISTINCT customer_unique_id) FROM {PURCHASES}",
            ),
            "growth leads from a month's revenue to the next one's": (
                """SELECT DISTINCT abs(before * (1 + revenue_growth) - revenue) <= 0.0001 * before
                   FROM (SELECT *, lag(revenue) OVER (ORDER BY order_month) AS before FROM answer)
                   WHERE before IS NOT NULL""",
                "SELECT true",
            ),
        },
    ),
    "sales_by_month_and_city": Question(
        columns={
            "order_month": "VARCHAR",
            "customer_state": "VARCHAR",
            "customer_city": "VARCHAR",
            "orders": COUNT,
            "customers": COUNT,
            "items": COUNT,
            "revenue": MONEY,
            "freight": MONEY,
            "average_ticket": "DECIMAL(12,2)",
            "share_of_month": SHARE,
        },
        key=("order_month", "customer_state", "customer_city"),
        identities={
            "cities are those at the purchase": (
                "SELECT order_month, customer_state, customer_city, orders, customers FROM answer ORDER BY ALL",
                f"""SELECT order_month, state, city, count(*), count(DISTINCT customer_unique_id)
                    FROM {SALES} GROUP BY ALL ORDER BY ALL""",
            ),
            "revenue is the price of the items sold": (
                "SELECT sum(items), sum(revenue), sum(freight) FROM answer",
                f"SELECT count(*), sum(price), sum(freight_value) FROM {SOLD_ITEMS}",
            ),
            **whole("share_of_month", of="order_month"),
        },
    ),
    "orders_by_weekday_and_hour": Question(
        columns={
            "day_of_week": "INTEGER",
            "day_name": "VARCHAR",
            "hour": COUNT,
            "orders": COUNT,
            "share_of_orders": SHARE,
            "revenue": MONEY,
            "average_ticket": "DECIMAL(12,2)",
        },
        key=("day_of_week", "hour"),
        identities={
            "every sale has its hour": (
                "SELECT day_name, hour, orders FROM answer ORDER BY ALL",
                f"""SELECT dayname(order_purchase_timestamp), hour(order_purchase_timestamp), count(*) FROM {SALES}
                    GROUP BY ALL ORDER BY ALL""",
            ),
            "revenue is the price of the items sold": (
                "SELECT sum(revenue) FROM answer",
                f"SELECT sum(price) FROM {SOLD_ITEMS}",
            ),
            **whole("share_of_orders"),
        },
    ),
    "category_growth": Question(
        columns={
            "category": "VARCHAR",
            "year": "INTEGER",
            "quarter": "INTEGER",
            "items": COUNT,
            "revenue": MONEY,
            "revenue_a_year_before": MONEY,
            "revenue_growth": "DOUBLE",
        },
        key=("category", "year", "quarter"),
        identities={
            "quarters hold the items sold": (
                "SELECT year, quarter, sum(items), sum(revenue) FROM answer GROUP BY ALL ORDER BY ALL",
                f"""SELECT year(order_purchase_timestamp), quarter(order_purchase_timestamp), count(*), sum(price)
                    FROM {SOLD_ITEMS} JOIN {SALES} USING (order_id) GROUP BY ALL ORDER BY ALL""",
            ),
            "what was sold without a category, or of products not known yet, is in none": (
                "SELECT sum(revenue) FROM answer WHERE category = 'none'",
                f"""SELECT sum(price) FROM {SOLD_ITEMS} LEFT JOIN trusted.products USING (product_id)
                    WHERE product_category_name IS NULL""",
            ),
            "the year before is that of the same quarter": (
                """SELECT quarter, sum(revenue_a_year_before) FROM answer WHERE year = 2018 AND quarter < 4
                   GROUP BY ALL ORDER BY ALL""",
                f"""SELECT quarter(order_purchase_timestamp), sum(price) FROM {SOLD_ITEMS} JOIN {SALES} USING (order_id)
                    WHERE order_month BETWEEN '2017-01' AND '2017-09' GROUP BY ALL ORDER BY ALL""",
            ),
            "growth leads from the year before to this one": (
                """SELECT DISTINCT abs(revenue_a_year_before * (1 + revenue_growth) - revenue)
                     <= 0.0001 * revenue_a_year_before
                   FROM answer WHERE revenue_a_year_before > 0""",
                "SELECT true",
            ),
        },
    ),
    "seller_concentration": Question(
        columns={
            "tenth": COUNT,
            "sellers": COUNT,
            "revenue": MONEY,
            "greatest_revenue": MONEY,
            "smallest_revenue": MONEY,
            "share_of_revenue": SHARE,
            "share_up_to_here": SHARE,
        },
        key=("tenth",),
        identities={
            "tenths hold the items of all sellers known": (
                "SELECT sum(sellers), sum(revenue), max(greatest_revenue) FROM answer",
                f"""SELECT count(*), sum(revenue), max(revenue) FROM (
                      SELECT seller_id, sum(price) AS revenue FROM {SOLD_ITEMS}
                      WHERE seller_id IN (SELECT seller_id FROM trusted.sellers) GROUP BY seller_id
                    )""",
            ),
            "the first tenth is the greatest, the last one completes the whole": (
                "SELECT arg_max(tenth, share_of_revenue), arg_max(share_up_to_here, tenth), max(tenth) FROM answer",
                "SELECT 1, 1.0::DOUBLE, 10",
            ),
            **whole("share_of_revenue"),
        },
    ),
    "repeat_customers": Question(
        columns={
            "purchases": COUNT,
            "people": COUNT,
            "share_of_people": SHARE,
            "orders": COUNT,
            "revenue": MONEY,
            "share_of_revenue": SHARE,
            "revenue_per_person": "DECIMAL(12,2)",
        },
        key=("purchases",),
        identities={
            "people are counted by their purchases": (
                "SELECT purchases, people, orders FROM answer ORDER BY ALL",
                f"""SELECT purchases, count(*), sum(purchases) FROM (
                      SELECT customer_unique_id, count(*) AS purchases FROM {PURCHASES} GROUP BY ALL
                    ) GROUP BY ALL ORDER BY ALL""",
            ),
            "revenue is the price of the items that known people bought": (
                "SELECT sum(revenue) FROM answer",
                f"SELECT sum(price) FROM {SOLD_ITEMS} JOIN {PURCHASES} USING (order_id)",
            ),
            **whole("share_of_people", "share_of_revenue"),
        },
    ),
    "cohort_retention": Question(
        columns={
            "cohort": "VARCHAR",
            "months_later": COUNT,
            "people": COUNT,
            "buyers": COUNT,
            "retention": SHARE,
        },
        key=("cohort", "months_later"),
        identities={
            "in month 0 everybody bought": (
                "SELECT DISTINCT retention, people = buyers FROM answer WHERE months_later = 0",
                "SELECT 1.0::DOUBLE, true",
            ),
            "everybody is in one cohort": (
                "SELECT cohort, people FROM answer WHERE months_later = 0 ORDER BY ALL",
                f"""SELECT cohort, count(*) FROM (
                      SELECT customer_unique_id, min(order_month) AS cohort FROM {PURCHASES} GROUP BY ALL
                    ) GROUP BY ALL ORDER BY ALL""",
            ),
            "months with a purchase, over all people": (
                "SELECT sum(buyers) FROM answer",
                f"SELECT count(DISTINCT (customer_unique_id, order_month)) FROM {PURCHASES}",
            ),
            "a cohort is followed up to the newest month": (
                """SELECT DISTINCT (cohort || '-01')::DATE + to_months(max(months_later)::INT)
                   FROM answer GROUP BY cohort""",
                f"SELECT max((order_month || '-01')::TIMESTAMP) FROM {PURCHASES}",
            ),
        },
    ),
    "address_changes": Question(
        columns={
            "customer_unique_id": "VARCHAR",
            "from_address_since": "TIMESTAMP WITH TIME ZONE",
            "changed_at": "TIMESTAMP WITH TIME ZONE",
            "change": "VARCHAR",
            "from_zip_code_prefix": "VARCHAR",
            "from_city": "VARCHAR",
            "from_state": "VARCHAR",
            "to_zip_code_prefix": "VARCHAR",
            "to_city": "VARCHAR",
            "to_state": "VARCHAR",
        },
        key=("customer_unique_id", "changed_at"),
        identities={
            "a change is an order from another address than the person's order before": (
                "SELECT customer_unique_id, changed_at, from_city, to_city FROM answer ORDER BY ALL",
                f"""SELECT DISTINCT customer_unique_id, order_purchase_timestamp, before.city, city FROM (
                      SELECT *, {{'zip': zip_code_prefix, 'city': city, 'state': state}} AS place, lag(place) OVER (
                        PARTITION BY customer_unique_id ORDER BY order_purchase_timestamp, customer_id
                      ) AS before
                      FROM {ORDERS} WHERE customer_unique_id IS NOT NULL
                    ) WHERE before IS NOT NULL AND place IS DISTINCT FROM before ORDER BY ALL""",
            ),
            "the greatest difference is shown": (
                "SELECT DISTINCT change, from_state = to_state, from_city = to_city FROM answer ORDER BY ALL",
                "VALUES ('another city', true, false), ('another state', false, false)",
            ),
        },
    ),
    "payment_mix": Question(
        columns={
            "order_month": "VARCHAR",
            "payment_type": "VARCHAR",
            "payments": COUNT,
            "orders": COUNT,
            "payment_value": "DECIMAL(18,2)",
            "share_of_payments": SHARE,
            "share_of_value": SHARE,
            "average_installments": "DOUBLE",
        },
        key=("order_month", "payment_type"),
        identities={
            "all payments of a month": (
                "SELECT order_month, payment_type, payments, payment_value FROM answer ORDER BY ALL",
                """SELECT order_month, payment_type, count(*), sum(payment_value)
                   FROM trusted.order_payments JOIN trusted.orders USING (order_id) GROUP BY ALL ORDER BY ALL""",
            ),
            **whole("share_of_payments", "share_of_value", of="order_month"),
        },
    ),
    "order_value_by_installments": Question(
        columns={
            "installments": "INTEGER",
            "orders": COUNT,
            "share_of_orders": SHARE,
            "payment_value": MONEY,
            "share_of_value": SHARE,
            "average_value": "DECIMAL(12,2)",
            "lower_quartile": "DECIMAL(18,2)",
            "median_value": "DECIMAL(18,2)",
            "upper_quartile": "DECIMAL(18,2)",
        },
        key=("installments",),
        identities={
            "orders that were paid for, and what was paid": (
                "SELECT sum(orders), sum(payment_value) FROM answer",
                f"""SELECT count(DISTINCT order_id), sum(payment_value)
                    FROM trusted.order_payments JOIN {SALES} USING (order_id)""",
            ),
            "quartiles are in order": (
                "SELECT DISTINCT lower_quartile <= median_value AND median_value <= upper_quartile FROM answer",
                "SELECT true",
            ),
            **whole("share_of_orders", "share_of_value"),
        },
    ),
    "lost_orders_by_month": Question(
        columns={
            "order_month": "VARCHAR",
            "orders": COUNT,
            "canceled": COUNT,
            "unavailable": COUNT,
            "lost_share": SHARE,
            "paid": MONEY,
            "paid_for_lost": MONEY,
            "lost_share_of_paid": SHARE,
        },
        key=("order_month",),
        identities={
            "what is not lost is sold": (
                "SELECT sum(orders - canceled - unavailable), sum(paid) - sum(paid_for_lost) FROM answer",
                f"""SELECT (SELECT count(*) FROM {SALES}),
                      (SELECT sum(payment_value) FROM trusted.order_payments JOIN {SALES} USING (order_id))""",
            ),
            "canceled orders": (
                "SELECT sum(canceled) FROM answer",
                "SELECT count(*) FROM trusted.orders WHERE order_status = 'canceled'",
            ),
            "the shares are those of the counts": (
                """SELECT DISTINCT abs(lost_share * orders - canceled - unavailable) <= 0.0001 * orders,
                     abs(lost_share_of_paid * paid - paid_for_lost) <= 0.0001 * paid FROM answer""",
                "SELECT true, true",
            ),
        },
    ),
    "freight_share": Question(
        columns={
            "category": "VARCHAR",
            "items": COUNT,
            "revenue": MONEY,
            "freight": MONEY,
            "freight_share": SHARE,
            "average_freight": "DECIMAL(12,2)",
            "share_without_freight": SHARE,
            "average_weight_g": "DOUBLE",
        },
        key=("category",),
        identities={
            "categories hold the items sold": (
                "SELECT sum(items), sum(revenue), sum(freight) FROM answer",
                f"SELECT count(*), sum(price), sum(freight_value) FROM {SOLD_ITEMS}",
            ),
            "the share is that of price and freight together": (
                """SELECT DISTINCT abs(freight_share * (revenue + freight) - freight) <= 0.0001 * (revenue + freight)
                   FROM answer""",
                "SELECT true",
            ),
        },
    ),
    "delivery_time_by_distance": Question(
        columns={
            "distance": "VARCHAR",
            "deliveries": COUNT,
            "average_km": "DOUBLE",
            "average_delivery_days": "DOUBLE",
            "median_delivery_days": "DOUBLE",
            "average_promised_days": "DOUBLE",
            "late_share": SHARE,
            "freight_per_item": "DECIMAL(12,2)",
        },
        key=("distance",),
        identities={
            "a delivery is an order with something of a seller's; those not known yet are one": (
                "SELECT sum(deliveries) FROM answer",
                f"""SELECT count(DISTINCT (order_id, coalesce(s.seller_id, 'not known')))
                    FROM {SOLD_ITEMS} JOIN {DELIVERED} USING (order_id)
                    LEFT JOIN trusted.sellers s USING (seller_id)""",
            ),
            "average distances lie within their spans": (
                """SELECT DISTINCT average_km BETWEEN low AND high FROM answer JOIN (
                     VALUES ('below 50 km', 0, 50), ('50 to 250 km', 50, 250), ('250 to 500 km', 250, 500),
                       ('500 to 1000 km', 500, 1000), ('1000 to 2000 km', 1000, 2000), ('2000 km or more', 2000, 5000)
                   ) spans(distance, low, high) USING (distance)""",
                "SELECT true",
            ),
            "it is not known where the seller or the customer is not": (
                "SELECT deliveries > 0, average_km FROM answer WHERE distance = 'not known'",
                "SELECT true, NULL",
            ),
        },
    ),
    "late_deliveries_by_state": Question(
        columns={
            "customer_state": "VARCHAR",
            "delivered": COUNT,
            "late": COUNT,
            "late_share": SHARE,
            "average_delivery_days": "DOUBLE",
            "average_promised_days": "DOUBLE",
            "average_days_late": "DOUBLE",
        },
        key=("customer_state",),
        identities={
            "states hold what was delivered, and what came late": (
                "SELECT customer_state, delivered, late FROM answer ORDER BY ALL",
                f"""SELECT state, count(*),
                      count(*) FILTER (order_delivered_customer_date > order_estimated_delivery_date)
                    FROM {DELIVERED} GROUP BY ALL ORDER BY ALL""",
            ),
            "the share is that of the counts": (
                "SELECT DISTINCT late_share = round(late / delivered, 4) FROM answer",
                "SELECT true",
            ),
        },
    ),
    "late_deliveries_by_seller": Question(
        columns={
            "seller_state": "VARCHAR",
            "seller_city": "VARCHAR",
            "seller_id": "VARCHAR",
            "deliveries": COUNT,
            "late": COUNT,
            "late_share": SHARE,
            "average_days_late": "DOUBLE",
        },
        key=("seller_id",),
        identities={
            "each seller's deliveries": (
                "SELECT seller_state, seller_id, deliveries, late FROM answer ORDER BY ALL",
                f"""SELECT seller_state, seller_id, count(*), count(*) FILTER (is_late) FROM (
                      SELECT DISTINCT s.seller_state, s.seller_id, order_id,
                        order_delivered_customer_date > order_estimated_delivery_date AS is_late
                      FROM {SOLD_ITEMS} JOIN {DELIVERED} USING (order_id)
                      LEFT JOIN trusted.sellers s USING (seller_id)
                    ) GROUP BY ALL ORDER BY ALL""",
            ),
            "the share is that of the counts": (
                "SELECT DISTINCT late_share = round(late / deliveries, 4) FROM answer",
                "SELECT true",
            ),
        },
    ),
    "review_score_by_delay": Question(
        columns={
            "delivery": "VARCHAR",
            "orders": COUNT,
            "reviewed": COUNT,
            "average_score": "DOUBLE",
            "share_of_scores_1_and_2": SHARE,
            "share_of_score_5": SHARE,
        },
        key=("delivery",),
        identities={
            "all orders, and those reviewed": (
                "SELECT sum(orders), sum(reviewed) FROM answer",
                """SELECT count(*), count(*) FILTER (order_id IN (SELECT order_id FROM trusted.order_reviews))
                   FROM trusted.orders""",
            ),
            "spans of late days hold the late orders": (
                "SELECT sum(orders) FROM answer WHERE delivery LIKE '%late'",
                """SELECT count(*) FROM trusted.orders
                   WHERE order_delivered_customer_date > order_estimated_delivery_date""",
            ),
            "orders not delivered": (
                "SELECT orders FROM answer WHERE delivery = 'not delivered'",
                "SELECT count(*) FROM trusted.orders WHERE order_delivered_customer_date IS NULL",
            ),
        },
    ),
}
"""Every question that docs/questions holds, by the file's name."""
