select
  order_month, payment_type,
  count(*) as payments,
  count(distinct order_id) as orders,
  sum(payment_value) as payment_value,
  avg(payment_installments) as average_installments
from {{ ref("fact_payments") }} group by order_month, payment_type
