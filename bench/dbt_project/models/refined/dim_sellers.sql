select
  {{ surrogate_key("seller_id") }} as seller_key,
  seller_id,
  seller_zip_code_prefix as zip_code_prefix,
  seller_city as city,
  seller_state as state,
  coalesce({{ surrogate_key("seller_zip_code_prefix") }}, -1) as location_key
from {{ ref("sellers") }}
union all by name select -1 as seller_key, -1 as location_key
