with mentions as (
  select geolocation_zip_code_prefix as zip_code_prefix, geolocation_city as city, geolocation_state as state
  from {{ ref("geolocation") }}
  union all select customer_zip_code_prefix, customer_city, customer_state from {{ ref("customers") }}
  union all select seller_zip_code_prefix, seller_city, seller_state from {{ ref("sellers") }}
),
spellings as (
  select zip_code_prefix, city, state
  from mentions where zip_code_prefix is not null group by zip_code_prefix, city, state
  qualify row_number() over (
    partition by zip_code_prefix order by city is null, count(*) desc, city, state nulls last
  ) = 1
),
points as (
  select
    geolocation_zip_code_prefix as zip_code_prefix,
    median(geolocation_lat) as latitude,
    median(geolocation_lng) as longitude,
    count(*) as points
  from {{ ref("geolocation") }} group by all
)
select
  {{ surrogate_key("zip_code_prefix") }} as location_key, zip_code_prefix, city, state, latitude, longitude,
  coalesce(points, 0) as points
from spellings left join points using (zip_code_prefix)
union all by name select -1 as location_key
