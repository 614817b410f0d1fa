-- How much of our revenue depends on the largest sellers?
-- A row is a tenth of the sellers with sales; 1 is the tenth with the highest revenue.
-- Sales only: without items of orders that were canceled or unavailable. Revenue is the items' prices in BRL. Items of
-- sellers who are not known yet are left out: they cannot be distinguished.
WITH sellers AS (
  SELECT seller_key, sum(price) AS revenue
  FROM refined.fact_order_items
  WHERE coalesce(order_status, '') NOT IN ('canceled', 'unavailable')
    AND seller_key <> -1
  GROUP BY seller_key
),
ranked_sellers AS (
  SELECT revenue, ntile(10) OVER (ORDER BY revenue DESC, seller_key) AS tenth
  FROM sellers
)
SELECT
  tenth,
  count(*) AS sellers,
  sum(revenue) AS revenue,
  max(revenue) AS greatest_revenue,
  min(revenue) AS smallest_revenue,
  round(sum(revenue) / nullif(sum(sum(revenue)) OVER (), 0), 4) AS share_of_revenue,
  round(sum(sum(revenue)) OVER (ORDER BY tenth) / nullif(sum(sum(revenue)) OVER (), 0), 4) AS share_up_to_here
FROM ranked_sellers
GROUP BY tenth
ORDER BY tenth
