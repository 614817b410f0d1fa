"""Deliveries in any order on Spark: the world that holds the worst, as far as a minute or two allow."""

from olist_assets_tests.lakes import TestLake
from olist_assets_tests.scenarios.delivery_strategies import STORY, Range, load
from olist_assets_tests.scenarios.test_any_order import compared, delivered, differences

RUNS = (Range(0, 2), Range(3, 5))
TABLES = (
    *(f"{layer}/{name}" for layer in ("raw", "trusted") for name in ("orders", "customers", "order_items")),
    "refined/dim_customers",
    "refined/fact_orders",
)
"""Those whose increments are the hardest."""


def test_a_world_that_holds_the_worst_is_right_after_each_run(tmp_path, spark_engine):
    lake = TestLake(tmp_path / "lake", spark_engine)
    files = [file for file in STORY if f"raw/{file.table}" in TABLES]
    for number, run in enumerate(RUNS):
        load(lake, files, run, TABLES)
        assert differences(lake, delivered(files, RUNS[: number + 1]), compared(TABLES)) == {}
