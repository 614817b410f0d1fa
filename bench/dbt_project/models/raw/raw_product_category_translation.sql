{{ raw("product_category_translation") }}
