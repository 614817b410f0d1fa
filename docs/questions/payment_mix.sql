-- How do customers pay?
-- A row is a month of purchase and a means of payment.
-- Payments of all orders, canceled ones too. An order may be paid by several means, so orders must not be added over
-- means. Values in BRL, freight included; shares are those of the month.
SELECT
  order_month,
  payment_type,
  payments,
  orders,
  payment_value,
  round(payments / sum(payments) OVER months, 4) AS share_of_payments,
  round(payment_value / nullif(sum(payment_value) OVER months, 0), 4) AS share_of_value,
  round(average_installments, 1) AS average_installments
FROM refined.aggregate_payments_per_month
WINDOW months AS (PARTITION BY order_month)
ORDER BY order_month, payment_value DESC, payment_type
