"""Payments of the orders that have arrived."""

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
