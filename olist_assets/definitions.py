"""The code location: assets, the job over them, sensors, and the resources that they use."""

import dagster as dg

from olist_assets.assets import build_assets
from olist_assets.engines import create_engine
from olist_assets.lake.layout import Lake
from olist_assets.orchestration.executors import create_executor
from olist_assets.orchestration.io_managers import TableHandleIOManager
from olist_assets.orchestration.jobs import lakehouse
from olist_assets.orchestration.sensors import orphaned_job_sensors
from olist_assets.settings.general import Settings, load_settings
from olist_assets.sources.deliveries import Deliveries


def build_definitions(settings: Settings) -> dg.Definitions:
    """The definitions for a lake, its deliveries and an engine.

    Raises:
        SettingsError: a setting of the engine is not accepted.
    """
    lake = Lake(settings.lake, settings.after_raw, settings.history_days)
    engine = create_engine(settings)
    return dg.Definitions(
        assets=build_assets(settings),
        jobs=[lakehouse],
        sensors=orphaned_job_sensors(engine),
        executor=create_executor(engine, settings.concurrent_steps, at_end=lake.bundle_step_records),
        resources={
            "lake": lake,
            "deliveries": Deliveries.from_settings(settings),
            "engine": engine,
            "io_manager": TableHandleIOManager(lake),
        },
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions for the settings of the environment. Dagster calls this when it loads the code location."""
    return build_definitions(load_settings())
