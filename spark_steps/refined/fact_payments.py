"""Payments of the orders that have arrived."""

from spark_steps.columns import CUSTOMER_KEY, INT, MONEY, ORDER_ID, ORDER_MONTH, PURCHASE_DATE_KEY
from spark_steps.declarations import Column, Layer, RefinedTable, TableSpec
from spark_steps.refined.order_facts import increment_by_order

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="fact_payments",
    grain="a payment of an order",
    key=("order_id", "payment_sequential"),
    upstreams=("trusted/order_payments", "trusted/orders", "refined/fact_orders"),
    columns=(
        ORDER_ID,
        Column("payment_sequential", INT, "number of the payment within the order", required=True),
        CUSTOMER_KEY,
        PURCHASE_DATE_KEY,
        Column("payment_type", comment="means of payment", required=True),
        Column("payment_installments", INT, "number of installments"),
        Column("payment_value", MONEY, "amount paid in BRL", required=True),
        ORDER_MONTH,
    ),
    partition="order_month",
    rows_from="trusted/order_payments",
)

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

MODEL = RefinedTable(TABLE, QUERY, INCREMENT)
