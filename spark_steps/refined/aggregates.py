"""Aggregates over the facts. Sales are orders whose status is neither `canceled` nor `unavailable`."""

from spark_steps.expressions import half_up_average

_SALES = """
sales AS (
  SELECT o.*, d.customer_unique_id, d.city, d.state
  FROM fact_orders o
  INNER JOIN dim_customers d ON d.customer_key = o.customer_key
  WHERE coalesce(o.order_status, '') NOT IN ('canceled', 'unavailable')
)
"""

# Without a first value count() gives 0 and the share null, as it should be where nothing was delivered.
_LATE_SHARE = "count_if(is_late) / nullif(CAST(count(order_delivered_customer_date) AS DOUBLE), 0)"

SALES_PERFORMANCE_BY_CITY = f"""
WITH {_SALES},
cities AS (
  SELECT
    state,
    city,
    count(*) AS orders,
    count(DISTINCT customer_unique_id) AS customers,
    sum(items) AS items,
    sum(items_value) AS revenue,
    sum(freight_value) AS freight,
    avg(CAST(review_score AS DOUBLE)) AS average_review_score,
    {_LATE_SHARE} AS late_share
  FROM sales
  GROUP BY state, city
)
SELECT
  *,
  {half_up_average("revenue", "orders")} AS average_ticket,
  {half_up_average("freight", "orders")} AS average_freight
FROM cities
"""

SALES_PER_MONTH = f"""
WITH {_SALES},
first_sales AS (
  SELECT customer_unique_id, min(order_month) AS order_month
  FROM sales
  WHERE customer_unique_id IS NOT NULL
  GROUP BY customer_unique_id
),
new_customers AS (SELECT order_month, count(*) AS new_customers FROM first_sales GROUP BY order_month),
months AS (
  SELECT
    order_month,
    count(*) AS orders,
    count(DISTINCT customer_unique_id) AS customers,
    sum(items) AS items,
    sum(items_value) AS revenue,
    sum(freight_value) AS freight,
    sum(payment_value) AS payment_value,
    count(order_delivered_customer_date) AS delivered,
    {_LATE_SHARE} AS late_share
  FROM sales
  GROUP BY order_month
)
SELECT m.*, coalesce(n.new_customers, 0) AS new_customers, {half_up_average("revenue", "orders")} AS average_ticket
FROM months m
LEFT JOIN new_customers n ON n.order_month = m.order_month
"""

PAYMENTS_PER_MONTH = """
SELECT
  order_month,
  payment_type,
  count(*) AS payments,
  count(DISTINCT order_id) AS orders,
  sum(payment_value) AS payment_value,
  avg(CAST(payment_installments AS DOUBLE)) AS average_installments
FROM fact_payments
GROUP BY order_month, payment_type
"""

ORDERS_PER_DAY = f"""
WITH {_SALES}
SELECT
  CAST(order_purchase_timestamp AS DATE) AS purchase_date,
  state AS customer_state,
  count(*) AS orders,
  sum(items_value) AS revenue,
  sum(freight_value) AS freight
FROM sales
GROUP BY CAST(order_purchase_timestamp AS DATE), state
"""
