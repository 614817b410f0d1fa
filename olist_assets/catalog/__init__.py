"""Tables described to others: the Glue Data Catalog, and docs/tables.md."""
