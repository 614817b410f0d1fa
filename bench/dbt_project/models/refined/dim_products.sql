select
  {{ surrogate_key("product_id") }} as product_key,
  product_id,
  product_category_name as category,
  product_category_name_english as category_english,
  product_name_length as name_length,
  product_description_length as description_length,
  product_photos_qty as photos_qty,
  product_weight_g as weight_g,
  product_length_cm as length_cm,
  product_height_cm as height_cm,
  product_width_cm as width_cm
from {{ ref("products") }} left join {{ ref("product_category_translation") }} using (product_category_name)
union all by name select -1 as product_key
