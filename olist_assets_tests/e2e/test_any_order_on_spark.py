"""The worst-case deliveries on Spark: the runs with deletes and moves, and the tables with the hardest increments."""

from olist_assets_tests.lakes import TestLake
from olist_assets_tests.scenarios.delivery_strategies import SCENARIO, Range, load
from olist_assets_tests.scenarios.oracle_comparison import compared_tables, differences, loaded_files

RUNS = (Range(0, 2), Range(3, 5))
TABLES = (
    *(f"{layer}/{name}" for layer in ("raw", "trusted") for name in ("orders", "customers", "order_items")),
    "refined/dim_customers",
    "refined/fact_orders",
)


def test_worst_case_deliveries_give_correct_tables_after_every_run(tmp_path, spark_engine):
    lake = TestLake(tmp_path / "lake", spark_engine)
    files = [file for file in SCENARIO if f"raw/{file.table}" in TABLES]
    for number, run in enumerate(RUNS):
        load(lake, files, run, TABLES)
        assert differences(lake, loaded_files(files, RUNS[: number + 1]), compared_tables(TABLES)) == {}
