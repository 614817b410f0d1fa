-- Which sellers deliver late, and from which states?
-- A row is a seller of whom anything was delivered; one row without a seller stands for those not known yet.
-- Sales only, and of these what has been delivered. A delivery is an order with something of the seller's: an order of
-- two sellers counts for each, so deliveries add up to more than orders; and it is late as a whole, whoever held it up.
-- A share of few deliveries says little, so sellers with the most late ones come first.
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
