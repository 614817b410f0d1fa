select
  {{ id("review_id") }} as review_id,
  {{ id("order_id") }} as order_id,
  review_score::integer as review_score,
  {{ text("review_comment_title") }} as review_comment_title,
  {{ text("review_comment_message") }} as review_comment_message,
  review_creation_date::timestamp as review_creation_date,
  review_answer_timestamp::timestamp as review_answer_timestamp
from {{ ref("raw_order_reviews") }}
{{ newest_row("review_id, order_id") }}
