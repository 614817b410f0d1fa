with sales as ({{ sales() }}),
newcomers as (
  select order_month, count(*) as new_customers
  from (
    select min(order_month) as order_month from sales
    where customer_unique_id is not null group by customer_unique_id
  )
  group by order_month
)
select
  order_month,
  count(*) as orders,
  count(distinct customer_unique_id) as customers,
  coalesce(any_value(new_customers), 0) as new_customers,
  sum(items) as items,
  sum(items_value) as revenue,
  sum(freight_value) as freight,
  sum(payment_value) as payment_value,
  {{ average("sum(items_value)", "count(*)") }} as average_ticket,
  count(order_delivered_customer_date) as delivered,
  {{ late_share() }} as late_share
from sales left join newcomers using (order_month) group by order_month
