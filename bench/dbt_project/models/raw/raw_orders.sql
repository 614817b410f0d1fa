{{ raw("orders") }}
