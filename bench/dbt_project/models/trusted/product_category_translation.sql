select
  {{ id("product_category_name") }} as product_category_name,
  {{ text("product_category_name_english") }} as product_category_name_english
from {{ ref("raw_product_category_translation") }}
{{ newest_row("product_category_name") }}
