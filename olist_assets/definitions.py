"""What there is: the assets, the job over them, and the resources that they use."""

import dagster as dg

from olist_assets.assets import all_assets
from olist_assets.engines import engine_of
from olist_assets.io_managers import HandleIOManager
from olist_assets.jobs import lakehouse
from olist_assets.lake import Lake
from olist_assets.settings import current
from olist_assets.sources.deliveries import Deliveries

settings = current()
lake = Lake(settings.lake, settings.after_raw)
deliveries = Deliveries(settings.source)
engine = engine_of(settings)

defs = dg.Definitions(
    assets=all_assets,
    jobs=[lakehouse],
    # Steps share one engine in this process, and a process a step would cost more than the step.
    executor=dg.in_process_executor,
    resources={
        "lake": lake,
        "deliveries": deliveries,
        "engine": engine,
        "io_manager": HandleIOManager(lake),
    },
)
