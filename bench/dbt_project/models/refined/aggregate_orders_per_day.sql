select
  order_purchase_timestamp::date as purchase_date,
  state as customer_state,
  count(*) as orders,
  sum(items_value) as revenue,
  sum(freight_value) as freight
from ({{ sales() }}) group by all
