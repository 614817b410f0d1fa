"""Items of the orders that have arrived. The order's person, place and day come from its own fact."""

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
