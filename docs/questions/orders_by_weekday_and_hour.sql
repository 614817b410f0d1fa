-- On which days and at what hours do customers buy?
-- A row is a day of the week and an hour of the day with at least one sale.
-- Sales only: without orders that were canceled or unavailable. Hours are those of the delivered files, which name no
-- time zone and are read as UTC. Revenue is the items' prices in BRL, without freight.
WITH sales AS (
  SELECT
    calendar.day_of_week,
    calendar.day_name,
    hour(orders.order_purchase_timestamp) AS hour,
    orders.items_value
  FROM refined.fact_orders AS orders
  INNER JOIN refined.dim_date AS calendar ON calendar.date_key = orders.purchase_date_key
  WHERE coalesce(orders.order_status, '') NOT IN ('canceled', 'unavailable')
)
SELECT
  day_of_week,
  day_name,
  hour,
  count(*) AS orders,
  round(count(*) / sum(count(*)) OVER (), 4) AS share_of_orders,
  sum(items_value) AS revenue,
  CAST(sum(items_value) / count(*) AS DECIMAL(12, 2)) AS average_ticket
FROM sales
GROUP BY ALL
ORDER BY day_of_week, hour
