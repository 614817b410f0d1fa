with observations as (
  select
    customer_unique_id,
    {'zip': customer_zip_code_prefix, 'city': customer_city, 'state': customer_state} as address,
    order_purchase_timestamp as observed_at,
    lead(order_purchase_timestamp) over (
      partition by customer_unique_id order by order_purchase_timestamp, customer_id
    ) as next_observed_at
  from {{ ref("orders") }} join {{ ref("customers") }} using (customer_id)
),
changes as (
  select * from observations
  where next_observed_at is null or next_observed_at > observed_at
  qualify address is distinct from
    lag(address) over (partition by customer_unique_id order by observed_at)
),
periods as (
  select
    customer_unique_id,
    address.zip as zip_code_prefix,
    address.city as city,
    address.state as state,
    observed_at as valid_from,
    lead(observed_at) over (partition by customer_unique_id order by observed_at) as valid_to
  from changes
)
select
  {{ surrogate_key("customer_unique_id || '|' || epoch_us(valid_from)") }} as customer_key,
  customer_unique_id,
  zip_code_prefix,
  p.city,
  p.state,
  coalesce(location_key, -1) as location_key,
  valid_from,
  valid_to,
  valid_to is null as is_current
from periods p left join {{ ref("dim_location") }} using (zip_code_prefix)
union all by name select -1 as customer_key, -1 as location_key
