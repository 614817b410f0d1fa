-- How many customers come back, and after how many months?
-- A row is a cohort (the people whose first sale was in the same month) and a number of calendar months since then.
-- Sales only: without orders that were canceled or unavailable. People, not customer ids: each order has its own.
-- Orders of unknown people are left out. Month 0 is the first sale itself: its retention is 1. Months go up to the
-- newest one with sales, which is seldom complete; a month in which nobody came back has a row, with 0.
WITH purchases AS (
  SELECT DISTINCT
    address.customer_unique_id AS person,
    orders.order_month,
    calendar.year * 12 + calendar.month AS month_number
  FROM refined.fact_orders AS orders
  INNER JOIN refined.dim_customers AS address ON address.customer_key = orders.customer_key
  INNER JOIN refined.dim_date AS calendar ON calendar.date_key = orders.purchase_date_key
  WHERE coalesce(orders.order_status, '') NOT IN ('canceled', 'unavailable')
    AND address.customer_unique_id IS NOT NULL
),
first_purchases AS (
  SELECT person, min(order_month) AS cohort, min(month_number) AS first_month
  FROM purchases
  GROUP BY person
),
cohorts AS (
  SELECT cohort, first_month, count(*) AS people
  FROM first_purchases
  GROUP BY ALL
),
followed_cohorts AS (
  SELECT cohort, people, unnest(range((SELECT max(month_number) FROM purchases) - first_month + 1)) AS months_later
  FROM cohorts
),
buyers AS (
  SELECT
    first_purchases.cohort,
    purchases.month_number - first_purchases.first_month AS months_later,
    count(*) AS buyers
  FROM purchases
  INNER JOIN first_purchases ON first_purchases.person = purchases.person
  GROUP BY ALL
)
SELECT
  followed.cohort,
  followed.months_later,
  followed.people,
  coalesce(buyers.buyers, 0) AS buyers,
  round(coalesce(buyers.buyers, 0) / followed.people, 4) AS retention
FROM followed_cohorts AS followed
LEFT JOIN buyers ON buyers.cohort = followed.cohort AND buyers.months_later = followed.months_later
ORDER BY cohort, months_later
