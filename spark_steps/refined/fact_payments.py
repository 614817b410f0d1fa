"""Payments of the orders that have arrived."""

from spark_steps.refined.fact_orders import increment_by_order

QUERY = """
SELECT
  p.order_id,
  p.payment_sequential,
  o.customer_key,
  o.purchase_date_key,
  p.payment_type,
  p.payment_installments,
  p.payment_value,
  o.order_month
FROM order_payments p
INNER JOIN fact_orders o ON o.order_id = p.order_id
"""

INCREMENT = increment_by_order("order_payments", "customer_key")
