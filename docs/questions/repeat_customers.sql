-- How many customers buy again, and how much of our revenue comes from them?
-- A row is a number of purchases per person, over all time.
-- Sales only: without orders that were canceled or unavailable. People, not customer ids: each order has its own.
-- Orders of unknown people are left out. Revenue is the items' prices in BRL, without freight.
WITH people AS (
  SELECT address.customer_unique_id AS person, count(*) AS purchases, sum(orders.items_value) AS revenue
  FROM refined.fact_orders AS orders
  INNER JOIN refined.dim_customers AS address ON address.customer_key = orders.customer_key
  WHERE coalesce(orders.order_status, '') NOT IN ('canceled', 'unavailable')
    AND address.customer_unique_id IS NOT NULL
  GROUP BY person
)
SELECT
  purchases,
  count(*) AS people,
  round(count(*) / sum(count(*)) OVER (), 4) AS share_of_people,
  CAST(sum(purchases) AS BIGINT) AS orders,
  sum(revenue) AS revenue,
  round(sum(revenue) / nullif(sum(sum(revenue)) OVER (), 0), 4) AS share_of_revenue,
  CAST(sum(revenue) / count(*) AS DECIMAL(12, 2)) AS revenue_per_person
FROM people
GROUP BY purchases
ORDER BY purchases
