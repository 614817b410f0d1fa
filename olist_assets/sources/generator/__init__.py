"""A made-up dump in Olist's shape."""
