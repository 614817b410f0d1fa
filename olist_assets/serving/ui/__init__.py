"""The Dagster UI of a lake: its processes, and the guard in front of its web server."""
