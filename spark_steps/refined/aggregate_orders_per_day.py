"""Sales per day of purchase and state of the customer."""

from spark_steps.columns import DATE, count, total
from spark_steps.declarations import Column, Layer, RefinedTable, TableSpec
from spark_steps.refined.sales import SALES

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="aggregate_orders_per_day",
    grain="a day of purchase and a customer's state; sales only",
    key=("purchase_date", "customer_state"),
    upstreams=("refined/fact_orders", "refined/dim_customers"),
    columns=(
        Column("purchase_date", DATE, "day of the purchase (UTC)", required=True),
        Column("customer_state", comment="two-letter code of the customer's state at the purchase"),
        count("orders", "orders"),
        total("revenue", "sum of the items' prices"),
        total("freight", "sum of the items' freight"),
    ),
    full_refresh=True,
)

QUERY = f"""
WITH {SALES}
SELECT
  CAST(order_purchase_timestamp AS DATE) AS purchase_date,
  state AS customer_state,
  count(*) AS orders,
  sum(items_value) AS revenue,
  sum(freight_value) AS freight
FROM sales
GROUP BY CAST(order_purchase_timestamp AS DATE), state
"""

MODEL = RefinedTable(TABLE, QUERY)
