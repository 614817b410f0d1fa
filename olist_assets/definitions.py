"""What there is: the assets, the job over them, and the resources that they use."""

import dagster as dg

from olist_assets.assets import all_assets
from olist_assets.engines import create_engine
from olist_assets.lake.layout import Lake
from olist_assets.orchestration.executors import create_executor
from olist_assets.orchestration.io_managers import TableHandleIOManager
from olist_assets.orchestration.jobs import lakehouse
from olist_assets.orchestration.sensors import orphaned_job_sensors
from olist_assets.settings import load_settings
from olist_assets.sources.deliveries import Deliveries

settings = load_settings()
lake = Lake(settings.lake, settings.after_raw)
deliveries = Deliveries(settings.source)
engine = create_engine(settings)

defs = dg.Definitions(
    assets=all_assets,
    jobs=[lakehouse],
    sensors=orphaned_job_sensors(engine),
    executor=create_executor(engine),
    resources={
        "lake": lake,
        "deliveries": deliveries,
        "engine": engine,
        "io_manager": TableHandleIOManager(lake),
    },
)
