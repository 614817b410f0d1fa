"""Sales by the customer's city at the purchase."""

from spark_steps.columns import DOUBLE, average, count, total
from spark_steps.declarations import Column, Layer, RefinedTable, TableSpec
from spark_steps.expressions import half_up_average, ratio
from spark_steps.refined.sales import LATE_SHARE, LATE_SHARE_COLUMN, sales_per_person

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="aggregate_sales_performance_by_city",
    grain="a city that customers live in; sales only",
    key=("state", "city"),
    upstreams=("refined/fact_orders", "refined/dim_customers"),
    columns=(
        Column("state", comment="two-letter code of the customer's state at the purchase"),
        Column("city", comment="the customer's city at the purchase"),
        count("orders", "orders"),
        count("customers", "different people"),
        count("items", "items"),
        total("revenue", "sum of the items' prices"),
        total("freight", "sum of the items' freight"),
        average("average_ticket", "revenue / orders"),
        average("average_freight", "freight / orders"),
        Column("average_review_score", DOUBLE, "mean score of the orders that have one"),
        LATE_SHARE_COLUMN,
    ),
    full_refresh=True,
)

QUERY = f"""
WITH {sales_per_person("state", "city")},
cities AS (
  SELECT
    state,
    city,
    sum(orders) AS orders,
    count(customer_unique_id) AS customers,
    sum(items) AS items,
    sum(revenue) AS revenue,
    sum(freight) AS freight,
    {ratio("sum(review_scores)", "sum(reviews)")} AS average_review_score,
    {LATE_SHARE} AS late_share
  FROM sales_per_person
  GROUP BY state, city
)
SELECT
  *,
  {half_up_average("revenue", "orders")} AS average_ticket,
  {half_up_average("freight", "orders")} AS average_freight
FROM cities
"""

MODEL = RefinedTable(TABLE, QUERY)
