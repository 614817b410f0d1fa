"""Payments of the orders that have arrived."""

from spark_steps.refined.fact_orders import orders_changed
from spark_steps.refined.increment import Increment

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

INCREMENT = Increment(
    key="order_id",
    touched=f"""
        SELECT order_id FROM landed_order_payments
        UNION
        {orders_changed("customer_key")}
    """,
    slices={"order_payments": "order_id", "fact_orders": "order_id"},
)
