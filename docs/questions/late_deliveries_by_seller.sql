-- Which sellers deliver late, and from which states?
-- A row is a seller with at least one delivery; one row without a seller has the deliveries of all unknown sellers.
-- Delivered sales only. A delivery is an order and one of its sellers: an order from two sellers counts for each, so
-- deliveries add up to more than orders. If the order is late, it is late for both sellers.
-- A share of few deliveries says little, so sellers with the most late deliveries come first.
WITH deliveries AS (
  SELECT DISTINCT seller_key, order_id
  FROM refined.fact_order_items
),
outcomes AS (
  SELECT deliveries.seller_key, orders.is_late, orders.delay_days
  FROM deliveries
  INNER JOIN refined.fact_orders AS orders ON orders.order_id = deliveries.order_id
  WHERE coalesce(orders.order_status, '') NOT IN ('canceled', 'unavailable')
    AND orders.order_delivered_customer_date IS NOT NULL
)
SELECT
  sellers.state AS seller_state,
  sellers.city AS seller_city,
  sellers.seller_id,
  count(*) AS deliveries,
  count(*) FILTER (outcomes.is_late) AS late,
  round(count(*) FILTER (outcomes.is_late) / count(*), 4) AS late_share,
  round(avg(outcomes.delay_days) FILTER (outcomes.is_late), 1) AS average_days_late
FROM outcomes
INNER JOIN refined.dim_sellers AS sellers ON sellers.seller_key = outcomes.seller_key
GROUP BY ALL
ORDER BY late DESC, late_share DESC, seller_id
