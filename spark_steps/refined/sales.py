"""Sales, their sums per person and their late share: SQL that the aggregates share.

Sales are orders whose status is neither `canceled` nor `unavailable`.
"""

from spark_steps.columns import DOUBLE
from spark_steps.declarations import Column
from spark_steps.expressions import ratio

SALES = """
sales AS (
  SELECT o.*, d.customer_unique_id, d.city, d.state
  FROM fact_orders o
  INNER JOIN dim_customers d ON d.customer_key = o.customer_key
  WHERE coalesce(o.order_status, '') NOT IN ('canceled', 'unavailable')
)
"""


def sales_per_person(*columns: str) -> str:
    """SQL of `sales` and `sales_per_person`: one row per person and value of `columns`.

    An aggregate then counts people as rows. `count(DISTINCT)` would keep all of them in memory; two GROUP BY can spill.
    """
    return f"""
{SALES},
sales_per_person AS (
  SELECT
    {", ".join(columns)},
    customer_unique_id,
    count(*) AS orders,
    sum(items) AS items,
    sum(items_value) AS revenue,
    sum(freight_value) AS freight,
    sum(payment_value) AS payment_value,
    sum(review_score) AS review_scores,
    count(review_score) AS reviews,
    count(order_delivered_customer_date) AS delivered,
    count_if(is_late) AS late
  FROM sales
  GROUP BY {", ".join(columns)}, customer_unique_id
)
"""


# Over the rows of `sales_per_person`. Without deliveries it is null.
LATE_SHARE = ratio("sum(late)", "sum(delivered)")

LATE_SHARE_COLUMN = Column("late_share", DOUBLE, "late / delivered; null where nothing was delivered")
