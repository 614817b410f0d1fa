"""The project's benchmark: `python -m bench`. One module a scenario, and what scenarios share."""
