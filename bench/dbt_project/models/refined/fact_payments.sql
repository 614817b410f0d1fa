select
  p.order_id, payment_sequential, customer_key, purchase_date_key, payment_type, payment_installments,
  p.payment_value, order_month
from {{ ref("order_payments") }} p join {{ ref("fact_orders") }} using (order_id)
