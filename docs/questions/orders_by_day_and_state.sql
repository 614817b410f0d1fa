-- How many orders come in, day by day and from which states?
-- A row is a day of purchase and a state of the customers at the purchase; a day without a sale has no row.
-- Sales only: without orders that were canceled or unavailable. Days are UTC. Revenue is the items' prices in BRL,
-- without freight. The state is null while the order's customer has not been delivered.
SELECT
  sales.purchase_date,
  calendar.day_name,
  sales.customer_state,
  sales.orders,
  sales.revenue,
  sales.freight
FROM refined.aggregate_orders_per_day AS sales
INNER JOIN refined.dim_date AS calendar ON calendar.date = sales.purchase_date
ORDER BY purchase_date, customer_state
