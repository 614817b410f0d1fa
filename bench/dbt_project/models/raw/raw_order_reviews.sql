{{ raw("order_reviews") }}
