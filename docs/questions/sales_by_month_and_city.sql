-- Which cities do we sell to, month by month?
-- A row is a month of purchase and a city (state and name) where customers of that month lived.
-- Sales only: without orders that were canceled or unavailable. The city is the one at the purchase, spelled as the
-- customer wrote it. Amounts in BRL; revenue is the items' prices, without freight. Customers are people, so their
-- numbers must not be added over months or cities: one person may buy in several.
WITH sales AS (
  SELECT orders.order_month, address.state, address.city, address.customer_unique_id, orders.items,
    orders.items_value, orders.freight_value
  FROM refined.fact_orders AS orders
  INNER JOIN refined.dim_customers AS address ON address.customer_key = orders.customer_key
  WHERE coalesce(orders.order_status, '') NOT IN ('canceled', 'unavailable')
),
cities AS (
  SELECT
    order_month,
    state AS customer_state,
    city AS customer_city,
    count(*) AS orders,
    count(DISTINCT customer_unique_id) AS customers,
    CAST(sum(items) AS BIGINT) AS items,
    sum(items_value) AS revenue,
    sum(freight_value) AS freight
  FROM sales
  GROUP BY ALL
)
SELECT
  *,
  CAST(revenue / orders AS DECIMAL(12, 2)) AS average_ticket,
  round(revenue / nullif(sum(revenue) OVER (PARTITION BY order_month), 0), 4) AS share_of_month
FROM cities
ORDER BY order_month, revenue DESC, customer_state, customer_city
