"""The lake: where its tables are, and the objects beside them. Independent of Dagster."""
