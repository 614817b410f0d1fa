"""Reviews of the orders that have arrived."""

from spark_steps.columns import BOOLEAN, CUSTOMER_KEY, DOUBLE, INT, ORDER_ID, ORDER_MONTH, PURCHASE_DATE_KEY, TIMESTAMP
from spark_steps.declarations import Column, Layer, RefinedTable, TableSpec
from spark_steps.expressions import seconds_between
from spark_steps.refined.order_facts import increment_by_order

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="fact_reviews",
    grain="a review of an order",
    key=("review_id", "order_id"),
    upstreams=("trusted/order_reviews", "trusted/orders", "refined/fact_orders"),
    columns=(
        Column("review_id", comment="the review", required=True),
        ORDER_ID,
        CUSTOMER_KEY,
        PURCHASE_DATE_KEY,
        Column("review_score", INT, "from 1 (worst) to 5 (best)", required=True),
        Column("has_comment", BOOLEAN, "whether the review has a message", required=True),
        Column("review_creation_date", TIMESTAMP, "when the survey was sent (UTC)"),
        Column("review_answer_timestamp", TIMESTAMP, "when the survey was answered (UTC)"),
        Column("answer_hours", DOUBLE, "hours from the survey to the answer"),
        ORDER_MONTH,
    ),
    partition="order_month",
    rows_from="trusted/order_reviews",
)

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

MODEL = RefinedTable(TABLE, QUERY, INCREMENT)
