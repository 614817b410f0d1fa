-- Do customers spend more when they pay in installments?
-- A row is a number of installments; for an order with several payments, the largest.
-- Sales only: without orders that were canceled or unavailable; orders without a payment are left out. The value is
-- what was paid for the order, freight included, in BRL. The number is null if no payment of the order has it.
WITH installments AS (
  SELECT order_id, max(payment_installments) AS installments
  FROM refined.fact_payments
  GROUP BY order_id
),
paid_orders AS (
  SELECT installments.installments, orders.payment_value
  FROM refined.fact_orders AS orders
  INNER JOIN installments ON installments.order_id = orders.order_id
  WHERE coalesce(orders.order_status, '') NOT IN ('canceled', 'unavailable')
)
SELECT
  installments,
  count(*) AS orders,
  round(count(*) / sum(count(*)) OVER (), 4) AS share_of_orders,
  sum(payment_value) AS payment_value,
  round(sum(payment_value) / nullif(sum(sum(payment_value)) OVER (), 0), 4) AS share_of_value,
  CAST(sum(payment_value) / count(*) AS DECIMAL(12, 2)) AS average_value,
  quantile_disc(payment_value, 0.25) AS lower_quartile,
  quantile_disc(payment_value, 0.5) AS median_value,
  quantile_disc(payment_value, 0.75) AS upper_quartile
FROM paid_orders
GROUP BY installments
ORDER BY installments
