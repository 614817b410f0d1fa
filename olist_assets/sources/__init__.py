"""Sources of deliveries: a dump delivered whole or replayed day by day, and a generator of Olist-shaped dumps."""
