"""The calendar: every day from 2016 to the end of the year after the newest order."""

QUERY = """
WITH bounds AS (
  SELECT
    least(DATE'2016-01-01', coalesce(trunc(min(order_purchase_timestamp), 'YEAR'), DATE'2016-01-01')) AS first_day,
    make_date(coalesce(year(max(order_purchase_timestamp)), 2016) + 1, 12, 31) AS last_day
  FROM orders
),
days AS (SELECT explode(sequence(first_day, last_day, INTERVAL 1 DAY)) AS date FROM bounds)
SELECT
  year(date) * 10000 + month(date) * 100 + day(date) AS date_key,
  date,
  year(date) AS year,
  quarter(date) AS quarter,
  month(date) AS month,
  date_format(date, 'MMMM') AS month_name,
  date_format(date, 'yyyy-MM') AS year_month,
  day(date) AS day,
  (dayofweek(date) + 5) % 7 + 1 AS day_of_week, -- not weekday(), which in Sail is -1 on Sundays
  date_format(date, 'EEEE') AS day_name,
  dayofweek(date) IN (1, 7) AS is_weekend
FROM days
"""
