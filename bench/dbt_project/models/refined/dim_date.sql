select
  {{ date_key("date") }} as date_key,
  date,
  year(date) as year,
  quarter(date) as quarter,
  month(date) as month,
  monthname(date) as month_name,
  strftime(date, '%Y-%m') as year_month,
  day(date) as day,
  isodow(date) as day_of_week,
  dayname(date) as day_name,
  isodow(date) >= 6 as is_weekend
from (
  select unnest(generate_series(
    least(date '2016-01-01', date_trunc('year', min(order_purchase_timestamp))),
    make_date(coalesce(year(max(order_purchase_timestamp)), 2016) + 1, 12, 31),
    interval 1 day
  ))::date as date
  from {{ ref("orders") }}
)
union all by name select -1 as date_key
