select
  {{ id("order_id") }} as order_id,
  {{ id("customer_id") }} as customer_id,
  {{ text("order_status") }} as order_status,
  order_purchase_timestamp::timestamp as order_purchase_timestamp,
  order_approved_at::timestamp as order_approved_at,
  order_delivered_carrier_date::timestamp as order_delivered_carrier_date,
  order_delivered_customer_date::timestamp as order_delivered_customer_date,
  order_estimated_delivery_date::timestamp as order_estimated_delivery_date,
  strftime(order_purchase_timestamp::timestamp, '%Y-%m') as order_month
from {{ ref("raw_orders") }}
{{ newest_row("order_id") }}
