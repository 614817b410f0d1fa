{{ raw("geolocation") }}
