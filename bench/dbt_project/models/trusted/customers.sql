select
  {{ id("customer_id") }} as customer_id,
  {{ id("customer_unique_id") }} as customer_unique_id,
  {{ zip_code("customer_zip_code_prefix") }} as customer_zip_code_prefix,
  {{ text("customer_city") }} as customer_city,
  {{ text("customer_state") }} as customer_state
from {{ ref("raw_customers") }}
{{ newest_row("customer_id") }}
