select
  {{ id("order_id") }} as order_id,
  order_item_id::integer as order_item_id,
  {{ id("product_id") }} as product_id,
  {{ id("seller_id") }} as seller_id,
  shipping_limit_date::timestamp as shipping_limit_date,
  price::decimal(12, 2) as price,
  freight_value::decimal(12, 2) as freight_value
from {{ ref("raw_order_items") }}
{{ newest_row("order_id, order_item_id") }}
