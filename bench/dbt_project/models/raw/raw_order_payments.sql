{{ raw("order_payments") }}
