"""Products as they are now (SCD1), with their category in English."""

from spark_steps.declarations import Increment
from spark_steps.expressions import surrogate_key

QUERY = f"""
SELECT
  {surrogate_key("p.product_id")} AS product_key,
  p.product_id,
  p.product_category_name AS category,
  t.product_category_name_english AS category_english,
  p.product_name_length AS name_length,
  p.product_description_length AS description_length,
  p.product_photos_qty AS photos_qty,
  p.product_weight_g AS weight_g,
  p.product_length_cm AS length_cm,
  p.product_height_cm AS height_cm,
  p.product_width_cm AS width_cm
FROM products p
LEFT JOIN product_category_translation t ON t.product_category_name = p.product_category_name
"""

INCREMENT = Increment(
    key="product_id",
    affected_keys="""
        SELECT product_id FROM landed_products
        UNION
        SELECT p.product_id
        FROM products p
        LEFT SEMI JOIN landed_product_category_translation t ON t.product_category_name = p.product_category_name
    """,
    filtered_inputs={"products": "product_id"},
)
