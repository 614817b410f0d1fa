{{ raw("products") }}
