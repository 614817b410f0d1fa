{{ raw("sellers") }}
