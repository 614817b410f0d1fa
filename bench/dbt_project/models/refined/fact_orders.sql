with item_sums as (
  select
    order_id,
    count(*) as items,
    count(distinct product_id) as products,
    count(distinct seller_id) as sellers,
    sum(price) as items_value,
    sum(freight_value) as freight_value
  from {{ ref("order_items") }} group by order_id
),
payment_sums as (
  select order_id, count(*) as payments, sum(payment_value) as payment_value
  from {{ ref("order_payments") }} group by order_id
),
reviews as (
  select order_id, review_score from {{ ref("order_reviews") }}
  qualify row_number() over (
    partition by order_id order by review_answer_timestamp desc nulls last, review_id desc
  ) = 1
),
placed as (
  select o.*, customer_unique_id
  from {{ ref("orders") }} o left join {{ ref("customers") }} using (customer_id)
)
select
  o.order_id,
  coalesce(d.customer_key, -1) as customer_key,
  coalesce(d.location_key, -1) as location_key,
  {{ date_key("order_purchase_timestamp") }} as purchase_date_key,
  order_status,
  order_purchase_timestamp,
  order_approved_at,
  order_delivered_carrier_date,
  order_delivered_customer_date,
  order_estimated_delivery_date,
  {{ hours("order_purchase_timestamp", "order_approved_at") }} as approval_hours,
  {{ days("order_purchase_timestamp", "order_delivered_customer_date") }} as delivery_days,
  {{ days("order_purchase_timestamp", "order_estimated_delivery_date") }} as estimated_days,
  {{ days("order_estimated_delivery_date", "order_delivered_customer_date") }} as delay_days,
  order_delivered_customer_date > order_estimated_delivery_date as is_late,
  coalesce(items, 0) as items,
  coalesce(products, 0) as products,
  coalesce(sellers, 0) as sellers,
  coalesce(items_value, 0)::decimal(18,2) as items_value,
  coalesce(freight_value, 0)::decimal(18,2) as freight_value,
  (coalesce(items_value, 0) + coalesce(freight_value, 0))::decimal(18,2) as order_value,
  coalesce(payments, 0) as payments,
  coalesce(payment_value, 0)::decimal(18,2) as payment_value,
  review_score,
  order_month
from placed o
asof left join {{ ref("dim_customers") }} d
  on d.customer_unique_id = o.customer_unique_id and o.order_purchase_timestamp >= d.valid_from
left join item_sums i on i.order_id = o.order_id
left join payment_sums p on p.order_id = o.order_id
left join reviews r on r.order_id = o.order_id
