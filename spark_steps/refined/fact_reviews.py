"""Reviews of the orders that have arrived."""

from spark_steps.expressions import seconds_between
from spark_steps.refined.fact_orders import increment_by_order

QUERY = f"""
SELECT
  r.review_id,
  r.order_id,
  o.customer_key,
  o.purchase_date_key,
  r.review_score,
  r.review_comment_message IS NOT NULL AS has_comment,
  r.review_creation_date,
  r.review_answer_timestamp,
  {seconds_between("r.review_creation_date", "r.review_answer_timestamp")} / 3600.0D AS answer_hours,
  o.order_month
FROM order_reviews r
INNER JOIN fact_orders o ON o.order_id = r.order_id
"""

INCREMENT = increment_by_order("order_reviews", "customer_key")
