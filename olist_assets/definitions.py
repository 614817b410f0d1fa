"""What there is: the assets, the job over them, and the resources that they use."""

import dagster as dg

from olist_assets.assets import all_assets
from olist_assets.engines import engine_of
from olist_assets.lake.layout import Lake
from olist_assets.orchestration.executors import executor_for
from olist_assets.orchestration.io_managers import HandleIOManager
from olist_assets.orchestration.jobs import lakehouse
from olist_assets.orchestration.sensors import ends_what_runs_left
from olist_assets.settings import current
from olist_assets.sources.deliveries import Deliveries

settings = current()
lake = Lake(settings.lake, settings.after_raw)
deliveries = Deliveries(settings.source)
engine = engine_of(settings)

defs = dg.Definitions(
    assets=all_assets,
    jobs=[lakehouse],
    sensors=ends_what_runs_left(engine),
    executor=executor_for(engine),
    resources={
        "lake": lake,
        "deliveries": deliveries,
        "engine": engine,
        "io_manager": HandleIOManager(lake),
    },
)
