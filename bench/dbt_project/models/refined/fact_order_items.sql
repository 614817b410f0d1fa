select
  i.order_id, order_item_id,
  coalesce(product_key, -1) as product_key,
  coalesce(seller_key, -1) as seller_key,
  coalesce(s.location_key, -1) as seller_location_key,
  customer_key, o.location_key, purchase_date_key, order_status, order_purchase_timestamp,
  price, i.freight_value, order_month
from {{ ref("order_items") }} i
join {{ ref("fact_orders") }} o using (order_id)
left join {{ ref("dim_products") }} using (product_id)
left join {{ ref("dim_sellers") }} s using (seller_id)
