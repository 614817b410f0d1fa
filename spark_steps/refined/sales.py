"""Sales and their late share: SQL that the aggregates share.

Sales are orders whose status is neither `canceled` nor `unavailable`.
"""

from spark_steps.columns import DOUBLE
from spark_steps.declarations import Column

SALES = """
sales AS (
  SELECT o.*, d.customer_unique_id, d.city, d.state
  FROM fact_orders o
  INNER JOIN dim_customers d ON d.customer_key = o.customer_key
  WHERE coalesce(o.order_status, '') NOT IN ('canceled', 'unavailable')
)
"""

# Without deliveries count() is 0, so the share is null.
LATE_SHARE = "count_if(is_late) / nullif(CAST(count(order_delivered_customer_date) AS DOUBLE), 0)"

LATE_SHARE_COLUMN = Column("late_share", DOUBLE, "late / delivered; null where nothing was delivered")
