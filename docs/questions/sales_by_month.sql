-- How do sales develop from month to month?
-- A row is a month of purchase with at least one sale.
-- Sales only: without orders that were canceled or unavailable. Amounts in BRL; revenue is the items' prices, without
-- freight. Growth compares with the calendar month before, and is null if that had no revenue; the first and the
-- newest month are seldom complete. A new customer is a person's first sale, regardless of the customer ids.
WITH months AS (
  SELECT *, strptime(order_month, '%Y-%m') AS first_day
  FROM refined.aggregate_sales_per_month
)
SELECT
  this.order_month,
  this.orders,
  this.customers,
  this.new_customers,
  this.revenue,
  this.freight,
  this.average_ticket,
  round(this.revenue / nullif(month_before.revenue, 0) - 1, 4) AS revenue_growth,
  round(this.late_share, 4) AS late_share
FROM months AS this
LEFT JOIN months AS month_before ON month_before.first_day = this.first_day - INTERVAL 1 MONTH
ORDER BY order_month
