"""The calendar: every day from 2016 to the end of the year after the newest order."""

from spark_steps.columns import BOOLEAN, DATE, INT
from spark_steps.declarations import Column, Layer, RefinedTable, TableSpec

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="dim_date",
    grain="a day",
    key=("date_key",),
    upstreams=("trusted/orders",),
    columns=(
        Column("date_key", INT, "yyyymmdd; -1 is the unknown day", required=True),
        Column("date", DATE, "the day"),
        Column("year", INT, "year"),
        Column("quarter", INT, "quarter of the year, 1 to 4"),
        Column("month", INT, "month of the year, 1 to 12"),
        Column("month_name", comment="English name of the month"),
        Column("year_month", comment="month, yyyy-MM"),
        Column("day", INT, "day of the month"),
        Column("day_of_week", INT, "1 (Monday) to 7 (Sunday)"),
        Column("day_name", comment="English name of the day of the week"),
        Column("is_weekend", BOOLEAN, "whether the day is a Saturday or Sunday"),
    ),
    full_refresh=True,
    dimension=True,
)

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

MODEL = RefinedTable(TABLE, QUERY)
