"""Sources of deliveries: a dump delivered whole, and a generator of Olist-shaped data."""
