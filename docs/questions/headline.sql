-- How large is the shop?
-- A row is a figure: a count, and the total value in BRL if there is one.
-- Orders, items and payments of every status; people and all their addresses.
SELECT 'orders' AS figure, count(*) AS "count", sum(order_value) AS brl FROM refined.fact_orders
UNION ALL SELECT 'items', count(*), sum(price) FROM refined.fact_order_items
UNION ALL SELECT 'freight', count(*) FILTER (freight_value > 0), sum(freight_value) FROM refined.fact_order_items
UNION ALL SELECT 'payments', count(*), sum(payment_value) FROM refined.fact_payments
UNION ALL SELECT 'reviews', count(*), NULL FROM refined.fact_reviews
UNION ALL SELECT 'people', count(DISTINCT customer_unique_id), NULL FROM refined.dim_customers
UNION ALL SELECT 'customer periods', count(customer_unique_id), NULL FROM refined.dim_customers
UNION ALL SELECT 'facts with a null key', (
    SELECT count(*) FROM refined.fact_orders
    WHERE customer_key IS NULL OR location_key IS NULL OR purchase_date_key IS NULL
  ) + (
    SELECT count(*) FROM refined.fact_order_items
    WHERE product_key IS NULL OR seller_key IS NULL OR seller_location_key IS NULL
      OR customer_key IS NULL OR location_key IS NULL OR purchase_date_key IS NULL
  ) + (
    SELECT count(*) FROM refined.fact_payments WHERE customer_key IS NULL OR purchase_date_key IS NULL
  ) + (
    SELECT count(*) FROM refined.fact_reviews WHERE customer_key IS NULL OR purchase_date_key IS NULL
  ), NULL
