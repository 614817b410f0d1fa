"""Items of the orders that have arrived. Person, place and day come from fact_orders."""

from spark_steps.columns import (
    BIGINT,
    CUSTOMER_KEY,
    INT,
    MONEY,
    ORDER_ID,
    ORDER_MONTH,
    ORDER_STATUS,
    PURCHASE_DATE_KEY,
    PURCHASED_AT,
    location_key,
)
from spark_steps.declarations import Column, Layer, RefinedTable, TableSpec
from spark_steps.refined.order_facts import increment_by_order

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="fact_order_items",
    grain="an item of an order",
    key=("order_id", "order_item_id"),
    upstreams=(
        "trusted/order_items",
        "trusted/orders",
        "refined/fact_orders",
        "refined/dim_products",
        "refined/dim_sellers",
    ),
    columns=(
        ORDER_ID,
        Column("order_item_id", INT, "position in the order, from 1", required=True),
        Column("product_key", BIGINT, "the product; -1 until it arrives", required=True),
        Column("seller_key", BIGINT, "the seller; -1 until it arrives", required=True),
        location_key("seller_location_key", of="the seller"),
        CUSTOMER_KEY,
        location_key(),
        PURCHASE_DATE_KEY,
        ORDER_STATUS,
        PURCHASED_AT,
        Column("price", MONEY, "price of the item in BRL", required=True),
        Column("freight_value", MONEY, "freight of the item in BRL", required=True),
        ORDER_MONTH,
    ),
    partition="order_month",
    rows_from="trusted/order_items",
)

QUERY = """
SELECT
  i.order_id,
  i.order_item_id,
  coalesce(p.product_key, -1) AS product_key,
  coalesce(s.seller_key, -1) AS seller_key,
  coalesce(s.location_key, -1) AS seller_location_key,
  o.customer_key,
  o.location_key,
  o.purchase_date_key,
  o.order_status,
  o.order_purchase_timestamp,
  i.price,
  i.freight_value,
  o.order_month
FROM order_items i
INNER JOIN fact_orders o ON o.order_id = i.order_id
LEFT JOIN dim_products p ON p.product_id = i.product_id
LEFT JOIN dim_sellers s ON s.seller_id = i.seller_id
"""

INCREMENT = increment_by_order(
    "order_items",
    "customer_key",
    "location_key",
    also="""
        -- items whose seller has another location
        UNION
        SELECT f.order_id
        FROM current_rows f
        INNER JOIN dim_sellers s ON s.seller_key = f.seller_key AND s.location_key <> f.seller_location_key
        -- items whose product or seller was unknown and has arrived
        UNION
        SELECT i.order_id
        FROM order_items i
        INNER JOIN current_rows f ON f.order_id = i.order_id AND f.order_item_id = i.order_item_id
        LEFT JOIN dim_products p ON p.product_id = i.product_id
        LEFT JOIN dim_sellers s ON s.seller_id = i.seller_id
        WHERE (f.product_key = -1 AND p.product_key IS NOT NULL) OR (f.seller_key = -1 AND s.seller_key IS NOT NULL)
    """,
)

MODEL = RefinedTable(TABLE, QUERY, INCREMENT)
