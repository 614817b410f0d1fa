"""What the benchmark compares the product with loads the same rows: its refined tables equal the baseline's."""

import csv

import pytest
from deltalake import DeltaTable

from bench.baseline import Delivery, build
from bench.dbt import DbtProject
from bench.spark_submit import SparkSubmits, submit
from olist_assets.operations.diff import differences
from olist_assets.sources.deliver import deliver
from olist_assets.sources.generator.dump import generate
from olist_assets_tests.dumps import EXTRACTED_AT, LANDING_DATE
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES, tables_in

pytestmark = [pytest.mark.long, pytest.mark.slow_module]

EVERY_TABLE = """
import sys
from pathlib import Path
from pyspark.sql import SparkSession
from bench.spark_submit_job import write_table
from spark_steps.tables import TABLES, tables_in

delivery, lake = map(Path, sys.argv[1:])
with SparkSession.builder.getOrCreate() as spark:
    for table in (table for layer in ("raw", "trusted", "refined") for table in tables_in(layer)):
        write_table(spark, table, delivery, lake)
"""
"""An application that writes all tables: one JVM, which takes a tenth of the time of 31."""


CORRECTIONS = {
    "orders": {"order_status": "canceled"},
    "customers": {"customer_city": "são joão"},
    "order_reviews": {"review_comment_message": " \r\n"},
    "sellers": {"seller_zip_code_prefix": "7"},
}
"""Rows that are added to a generated dump, as differences from the first row of the file: the last row wins."""


def add_corrections(folder):
    for name, values in CORRECTIONS.items():
        path = folder / f"{TABLES[f'raw/{name}'].file_stem}.csv"
        with path.open(newline="") as lines:
            first = next(csv.DictReader(lines))
        with path.open("a", newline="") as lines:
            csv.DictWriter(lines, first, lineterminator="\n").writerow(first | values)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folder of a delivery, and the root of the lake that the baseline makes of it."""
    root = tmp_path_factory.mktemp("competitors")
    generate(root / "dump", orders=300, days=100, seed=5)
    add_corrections(root / "dump")
    deliver(root / "dump", str(root / "source"), day=LANDING_DATE)
    delivery = root / "source" / f"{LANDING_DATE}"
    build(Delivery(delivery, LANDING_DATE, EXTRACTED_AT), root / "baseline")
    return delivery, root / "baseline"


def sellers(lake):
    columns = ["seller_id", "seller_zip_code_prefix", "seller_city", "seller_state"]
    return DeltaTable(lake / "trusted" / "sellers").to_pyarrow_table().select(columns).sort_by("seller_id").to_pylist()


def unequal(baseline, lake, tables):
    return [line for table in tables for line in differences(table, baseline, lake)]


def test_dbt_loads_the_same_refined_tables(folders, tmp_path):
    delivery, baseline = folders
    project = DbtProject(delivery, tmp_path / "dbt")
    project.prepare()
    with project:
        figures = project.load()
        assert unequal(baseline, project.lake, tables_in(Layer.REFINED)) == []
        again = project.load_again()
    assert len(figures.steps) == len(again.steps) == 31
    assert sum(figures.parts.values()) == pytest.approx(figures.wall)
    assert min(figures.parts.values()) > 0
    assert not project.root.exists()


def test_spark_applications_load_the_same_refined_tables(folders, tmp_path):
    delivery, baseline = folders
    job = tmp_path / "every_table.py"
    job.write_text(EVERY_TABLE)
    submit(job, str(delivery), str(tmp_path / "lake"), folder=tmp_path)
    assert unequal(baseline, tmp_path / "lake", tables_in(Layer.REFINED)) == []


def test_each_table_has_a_spark_submit_of_its_own(folders, tmp_path):
    delivery, baseline = folders
    submits = SparkSubmits(delivery, tmp_path / "submits", ("raw/sellers", "trusted/sellers"))
    submits.prepare()
    with submits:
        figures = submits.load()
        assert sellers(submits.lake) == sellers(baseline)
        assert submits.load_again() is None
    assert list(figures.steps) == list(submits.tables)
    assert min(figures.parts.values()) > 0
    assert figures.files == 2
