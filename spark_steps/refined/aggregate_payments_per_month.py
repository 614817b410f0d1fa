"""Payments per month and means of payment, of all orders."""

from spark_steps.columns import DOUBLE, ORDER_MONTH, count, total
from spark_steps.declarations import Column, Layer, RefinedTable, TableSpec
from spark_steps.expressions import ratio

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="aggregate_payments_per_month",
    grain="a month and a means of payment; all orders",
    key=("order_month", "payment_type"),
    upstreams=("refined/fact_payments",),
    columns=(
        ORDER_MONTH,
        Column("payment_type", comment="means of payment", required=True),
        count("payments", "payments"),
        count("orders", "different orders"),
        total("payment_value", "sum of the payments"),
        Column("average_installments", DOUBLE, "mean number of installments"),
    ),
    full_refresh=True,
)

# Orders are counted as rows of a first GROUP BY: count(DISTINCT) would keep all of them in memory.
QUERY = f"""
WITH payments_per_order AS (
  SELECT
    order_month,
    payment_type,
    order_id,
    count(*) AS payments,
    sum(payment_value) AS payment_value,
    sum(payment_installments) AS installments,
    count(payment_installments) AS payments_with_installments
  FROM fact_payments
  GROUP BY order_month, payment_type, order_id
)
SELECT
  order_month,
  payment_type,
  sum(payments) AS payments,
  count(*) AS orders,
  sum(payment_value) AS payment_value,
  {ratio("sum(installments)", "sum(payments_with_installments)")} AS average_installments
FROM payments_per_order
GROUP BY order_month, payment_type
"""

MODEL = RefinedTable(TABLE, QUERY)
