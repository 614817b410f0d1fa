-- In which states do deliveries arrive later than promised?
-- A row is a state of the customers at the purchase, with at least one delivery.
-- Delivered sales only. Late means after the promised date, even by a second. Days count from the purchase to the
-- delivery or to the promised date; days late are the average of the late deliveries only.
WITH deliveries AS (
  SELECT address.state AS customer_state, orders.is_late, orders.delivery_days, orders.estimated_days, orders.delay_days
  FROM refined.fact_orders AS orders
  INNER JOIN refined.dim_customers AS address ON address.customer_key = orders.customer_key
  WHERE coalesce(orders.order_status, '') NOT IN ('canceled', 'unavailable')
    AND orders.order_delivered_customer_date IS NOT NULL
)
SELECT
  customer_state,
  count(*) AS delivered,
  count(*) FILTER (is_late) AS late,
  round(count(*) FILTER (is_late) / count(*), 4) AS late_share,
  round(avg(delivery_days), 1) AS average_delivery_days,
  round(avg(estimated_days), 1) AS average_promised_days,
  round(avg(delay_days) FILTER (is_late), 1) AS average_days_late
FROM deliveries
GROUP BY customer_state
ORDER BY late_share DESC, customer_state
