select
  review_id, order_id, customer_key, purchase_date_key, r.review_score,
  review_comment_message is not null as has_comment,
  review_creation_date, review_answer_timestamp,
  {{ hours("review_creation_date", "review_answer_timestamp") }} as answer_hours,
  order_month
from {{ ref("order_reviews") }} r join {{ ref("fact_orders") }} using (order_id)
