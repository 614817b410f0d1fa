"""Sales per month, with the customers whose first sale falls into it."""

from spark_steps.columns import ORDER_MONTH, average, count, total
from spark_steps.declarations import Layer, RefinedTable, TableSpec
from spark_steps.expressions import half_up_average
from spark_steps.refined.sales import LATE_SHARE, LATE_SHARE_COLUMN, sales_per_person

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="aggregate_sales_per_month",
    grain="a month; sales only",
    key=("order_month",),
    upstreams=("refined/fact_orders", "refined/dim_customers"),
    columns=(
        ORDER_MONTH,
        count("orders", "orders"),
        count("customers", "different people"),
        count("new_customers", "people with their first sale in this month"),
        count("items", "items"),
        total("revenue", "sum of the items' prices"),
        total("freight", "sum of the items' freight"),
        total("payment_value", "sum of the payments"),
        average("average_ticket", "revenue / orders"),
        count("delivered", "orders that were delivered"),
        LATE_SHARE_COLUMN,
    ),
    full_refresh=True,
)

QUERY = f"""
WITH {sales_per_person("order_month")},
first_sales AS (
  SELECT customer_unique_id, min(order_month) AS order_month
  FROM sales_per_person
  WHERE customer_unique_id IS NOT NULL
  GROUP BY customer_unique_id
),
new_customers AS (SELECT order_month, count(*) AS new_customers FROM first_sales GROUP BY order_month),
months AS (
  SELECT
    order_month,
    sum(orders) AS orders,
    count(customer_unique_id) AS customers,
    sum(items) AS items,
    sum(revenue) AS revenue,
    sum(freight) AS freight,
    sum(payment_value) AS payment_value,
    sum(delivered) AS delivered,
    {LATE_SHARE} AS late_share
  FROM sales_per_person
  GROUP BY order_month
)
SELECT m.*, coalesce(n.new_customers, 0) AS new_customers, {half_up_average("revenue", "orders")} AS average_ticket
FROM months m
LEFT JOIN new_customers n ON n.order_month = m.order_month
"""

MODEL = RefinedTable(TABLE, QUERY)
