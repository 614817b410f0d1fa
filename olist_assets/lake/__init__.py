"""The lake's objects: where they are, and everything beside the Delta tables' own files. Knows no Dagster."""
