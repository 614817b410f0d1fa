"""DAGSTER_HOME: its configuration, and the event log that the configuration names."""
