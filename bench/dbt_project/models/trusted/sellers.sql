select
  {{ id("seller_id") }} as seller_id,
  {{ zip_code("seller_zip_code_prefix") }} as seller_zip_code_prefix,
  {{ text("seller_city") }} as seller_city,
  {{ text("seller_state") }} as seller_state
from {{ ref("raw_sellers") }}
{{ newest_row("seller_id") }}
