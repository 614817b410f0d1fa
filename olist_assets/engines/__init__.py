"""Engines run steps. `create_engine` creates the engine that the settings name."""

from olist_assets.engines.base import Engine
from olist_assets.settings.general import Settings


def create_engine(settings: Settings) -> Engine:
    """The engine that the settings name. The modules of the other engines are not imported.

    Raises:
        SettingsError: a setting of the engine has a value that is not accepted.
    """
    if settings.engine == "spark":
        from olist_assets.engines.local.spark import SparkEngine  # noqa: PLC0415 - only if used

        return SparkEngine(on_s3=settings.on_s3)
    if settings.engine == "emr":
        from olist_assets.engines.remote.emr import EmrEngine  # noqa: PLC0415 - only if used

        return EmrEngine.from_environment(settings.lake)
    if settings.engine == "emr-serverless":
        from olist_assets.engines.remote.emr_serverless import EmrServerlessEngine  # noqa: PLC0415 - only if used

        return EmrServerlessEngine.from_environment(settings.lake)
    from olist_assets.engines.local.sail import SailEngine  # noqa: PLC0415 - only if used

    return SailEngine()
