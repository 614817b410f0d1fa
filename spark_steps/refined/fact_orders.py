"""Orders, each with the address period of its person at the purchase; items and payments are summed before the join."""

from spark_steps.columns import (
    BOOLEAN,
    CUSTOMER_KEY,
    DOUBLE,
    INT,
    ORDER_ID,
    ORDER_MONTH,
    ORDER_STATUS,
    PURCHASE_DATE_KEY,
    PURCHASED_AT,
    TIMESTAMP,
    count,
    location_key,
    total,
)
from spark_steps.declarations import Column, Increment, Layer, RefinedTable, TableSpec
from spark_steps.expressions import seconds_between

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="fact_orders",
    grain="an order",
    key=("order_id",),
    upstreams=(
        "trusted/orders",
        "trusted/customers",
        "trusted/order_items",
        "trusted/order_payments",
        "trusted/order_reviews",
        "refined/dim_customers",
    ),
    columns=(
        ORDER_ID,
        CUSTOMER_KEY,
        location_key(),
        PURCHASE_DATE_KEY,
        ORDER_STATUS,
        PURCHASED_AT,
        Column("order_approved_at", TIMESTAMP, "when the payment was approved (UTC)"),
        Column("order_delivered_carrier_date", TIMESTAMP, "when the carrier received the order (UTC)"),
        Column("order_delivered_customer_date", TIMESTAMP, "when the customer received the order (UTC)"),
        Column("order_estimated_delivery_date", TIMESTAMP, "delivery date promised at purchase (UTC)"),
        Column("approval_hours", DOUBLE, "hours from purchase to approval"),
        Column("delivery_days", DOUBLE, "days from purchase to delivery"),
        Column("estimated_days", DOUBLE, "days from purchase to the promised date"),
        Column("delay_days", DOUBLE, "days from the promised date to delivery; negative: early"),
        Column("is_late", BOOLEAN, "delivered after the promised date; null until delivered"),
        count("items", "items"),
        count("products", "different products"),
        count("sellers", "different sellers"),
        total("items_value", "sum of the items' prices"),
        total("freight_value", "sum of the items' freight"),
        total("order_value", "items_value + freight_value"),
        count("payments", "payments"),
        total("payment_value", "sum of the payments"),
        Column("review_score", INT, "score of the newest answer, 1 to 5"),
        ORDER_MONTH,
    ),
    partition="order_month",
)

QUERY = f"""
WITH item_sums AS (
  SELECT order_id, count(*) AS items, sum(price) AS items_value, sum(freight_value) AS freight_value
  FROM order_items
  GROUP BY order_id
),
-- two steps instead of count(DISTINCT), which keeps one set per order and takes ten times as long
product_counts AS (
  SELECT order_id, count(*) AS products
  FROM (SELECT DISTINCT order_id, product_id FROM order_items WHERE product_id IS NOT NULL) ids
  GROUP BY order_id
),
seller_counts AS (
  SELECT order_id, count(*) AS sellers
  FROM (SELECT DISTINCT order_id, seller_id FROM order_items WHERE seller_id IS NOT NULL) ids
  GROUP BY order_id
),
payment_sums AS (
  SELECT order_id, count(*) AS payments, sum(payment_value) AS payment_value
  FROM order_payments
  GROUP BY order_id
),
reviews AS (
  SELECT order_id, review_score, row_number() OVER (
    PARTITION BY order_id ORDER BY review_answer_timestamp DESC NULLS LAST, review_id DESC
  ) AS rank
  FROM order_reviews
)
SELECT
  o.order_id,
  coalesce(d.customer_key, -1) AS customer_key,
  coalesce(d.location_key, -1) AS location_key,
  CAST(date_format(o.order_purchase_timestamp, 'yyyyMMdd') AS INT) AS purchase_date_key,
  o.order_status,
  o.order_purchase_timestamp,
  o.order_approved_at,
  o.order_delivered_carrier_date,
  o.order_delivered_customer_date,
  o.order_estimated_delivery_date,
  {seconds_between("o.order_purchase_timestamp", "o.order_approved_at")} / 3600.0D AS approval_hours,
  {seconds_between("o.order_purchase_timestamp", "o.order_delivered_customer_date")} / 86400.0D AS delivery_days,
  {seconds_between("o.order_purchase_timestamp", "o.order_estimated_delivery_date")} / 86400.0D AS estimated_days,
  {seconds_between("o.order_estimated_delivery_date", "o.order_delivered_customer_date")} / 86400.0D AS delay_days,
  o.order_delivered_customer_date > o.order_estimated_delivery_date AS is_late,
  coalesce(i.items, 0) AS items,
  coalesce(n.products, 0) AS products,
  coalesce(s.sellers, 0) AS sellers,
  coalesce(i.items_value, 0) AS items_value,
  coalesce(i.freight_value, 0) AS freight_value,
  coalesce(i.items_value, 0) + coalesce(i.freight_value, 0) AS order_value,
  coalesce(p.payments, 0) AS payments,
  coalesce(p.payment_value, 0) AS payment_value,
  r.review_score,
  o.order_month
FROM orders o
LEFT JOIN customers c ON c.customer_id = o.customer_id
LEFT JOIN dim_customers d
  ON d.customer_unique_id = c.customer_unique_id
  AND o.order_purchase_timestamp >= d.valid_from
  AND (d.valid_to IS NULL OR o.order_purchase_timestamp < d.valid_to)
LEFT JOIN item_sums i ON i.order_id = o.order_id
LEFT JOIN product_counts n ON n.order_id = o.order_id
LEFT JOIN seller_counts s ON s.order_id = o.order_id
LEFT JOIN payment_sums p ON p.order_id = o.order_id
LEFT JOIN reviews r ON r.order_id = o.order_id AND r.rank = 1
"""

INCREMENT = Increment(
    key="order_id",
    affected_keys="""
        SELECT order_id FROM landed_orders
        UNION
        SELECT order_id FROM landed_order_items
        UNION
        SELECT order_id FROM landed_order_payments
        UNION
        SELECT order_id FROM landed_order_reviews
        UNION
        SELECT o.order_id FROM orders o LEFT SEMI JOIN landed_customers c ON c.customer_id = o.customer_id
        -- orders whose period was moved or removed, or has another address
        UNION
        SELECT f.order_id
        FROM current_rows f
        LEFT JOIN dim_customers d
          ON d.customer_key = f.customer_key
          AND d.location_key = f.location_key
          AND f.order_purchase_timestamp >= d.valid_from
          AND (d.valid_to IS NULL OR f.order_purchase_timestamp < d.valid_to)
        WHERE f.customer_key <> -1 AND d.customer_key IS NULL
    """,
    filtered_inputs={
        "orders": "order_id",
        "order_items": "order_id",
        "order_payments": "order_id",
        "order_reviews": "order_id",
    },
)

MODEL = RefinedTable(TABLE, QUERY, INCREMENT)
