select
  state, city,
  count(*) as orders,
  count(distinct customer_unique_id) as customers,
  sum(items) as items,
  sum(items_value) as revenue,
  sum(freight_value) as freight,
  {{ average("sum(items_value)", "count(*)") }} as average_ticket,
  {{ average("sum(freight_value)", "count(*)") }} as average_freight,
  avg(review_score) as average_review_score,
  {{ late_share() }} as late_share
from ({{ sales() }}) group by state, city
