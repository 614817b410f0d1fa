"""The Dagster code location: assets, engines, sources and serving of the lakehouse."""
