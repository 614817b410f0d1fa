"""DAGSTER_HOME: its configuration, and the event log that it names."""
