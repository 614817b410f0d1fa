{{ raw("customers") }}
