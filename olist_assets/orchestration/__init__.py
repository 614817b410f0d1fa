"""Dagster's configuration around the assets: partitions, IO managers, executors, jobs, sensors, the instance."""
