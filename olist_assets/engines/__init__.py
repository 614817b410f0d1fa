"""Engines: what runs a step. `engine_named` gives the one that a setting names."""

from olist_assets.engines.base import Engine


def engine_named(name: str) -> Engine:
    """The engine of a name of `settings.ENGINES`; nothing of the others is imported."""
    if name == "spark":
        from olist_assets.engines.spark import SparkEngine  # noqa: PLC0415 - only what is used

        return SparkEngine()
    from olist_assets.engines.sail import SailEngine  # noqa: PLC0415 - only what is used

    return SailEngine()
