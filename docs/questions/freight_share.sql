-- For which products is freight high compared with the price?
-- A row is a product category.
-- Sales only: without items of orders that were canceled or unavailable. The share is freight / (price + freight).
-- Amounts are in BRL; weights are the products' newest ones. Products without a category, or not known yet, are in
-- 'none'.
WITH sales AS (
  SELECT
    coalesce(products.category_english, products.category, 'none') AS category,
    products.weight_g,
    items.price,
    items.freight_value
  FROM refined.fact_order_items AS items
  INNER JOIN refined.dim_products AS products ON products.product_key = items.product_key
  WHERE coalesce(items.order_status, '') NOT IN ('canceled', 'unavailable')
)
SELECT
  category,
  count(*) AS items,
  sum(price) AS revenue,
  sum(freight_value) AS freight,
  round(sum(freight_value) / nullif(sum(price) + sum(freight_value), 0), 4) AS freight_share,
  CAST(sum(freight_value) / count(*) AS DECIMAL(12, 2)) AS average_freight,
  round(count(*) FILTER (freight_value = 0) / count(*), 4) AS share_without_freight,
  round(avg(weight_g)) AS average_weight_g
FROM sales
GROUP BY category
ORDER BY freight_share DESC, category
