"""Products with their newest values (SCD1), and their category in English."""

from spark_steps.columns import BIGINT, INT
from spark_steps.declarations import Column, Increment, Layer, RefinedTable, Rule, TableSpec
from spark_steps.expressions import surrogate_key

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="dim_products",
    grain="a product with its newest values (SCD1)",
    key=("product_key",),
    upstreams=("trusted/products", "trusted/product_category_translation"),
    columns=(
        Column("product_key", BIGINT, "hash of product_id; -1 is the unknown product", required=True),
        Column("product_id", comment="the product"),
        Column("category", comment="category, in Portuguese"),
        Column("category_english", comment="category, in English"),
        Column("name_length", INT, "characters of the name"),
        Column("description_length", INT, "characters of the description"),
        Column("photos_qty", INT, "number of photos"),
        Column("weight_g", INT, "weight in grams"),
        Column("length_cm", INT, "length in centimeters"),
        Column("height_cm", INT, "height in centimeters"),
        Column("width_cm", INT, "width in centimeters"),
    ),
    dimension=True,
    rules=(
        Rule.warning(
            "category_unknown",
            "category IS NOT NULL AND category_english IS NULL",
            "the category has no translation",
        ),
    ),
)

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

MODEL = RefinedTable(TABLE, QUERY, INCREMENT)
