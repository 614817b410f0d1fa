-- How many orders are canceled or unavailable, and what were they worth?
-- A row is a month of purchase.
-- All orders. Lost orders are canceled or unavailable now; they count in the month in which they were placed. Many of
-- them have no items, so their value is what was paid for them, in BRL, freight included. The data do not show whether
-- it was paid back.
WITH orders AS (
  SELECT
    order_month,
    order_status,
    payment_value,
    coalesce(order_status IN ('canceled', 'unavailable'), false) AS is_lost
  FROM refined.fact_orders
)
SELECT
  order_month,
  count(*) AS orders,
  count(*) FILTER (order_status = 'canceled') AS canceled,
  count(*) FILTER (order_status = 'unavailable') AS unavailable,
  round(count(*) FILTER (is_lost) / count(*), 4) AS lost_share,
  sum(payment_value) AS paid,
  coalesce(sum(payment_value) FILTER (is_lost), 0) AS paid_for_lost,
  round(coalesce(sum(payment_value) FILTER (is_lost), 0) / nullif(sum(payment_value), 0), 4) AS lost_share_of_paid
FROM orders
GROUP BY order_month
ORDER BY order_month
