{{ raw("order_items") }}
