-- all columns are the key
select distinct
  {{ zip_code("geolocation_zip_code_prefix") }} as geolocation_zip_code_prefix,
  geolocation_lat::double + 0.0 as geolocation_lat,
  geolocation_lng::double + 0.0 as geolocation_lng,
  {{ text("geolocation_city") }} as geolocation_city,
  {{ text("geolocation_state") }} as geolocation_state
from {{ ref("raw_geolocation") }}
