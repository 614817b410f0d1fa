"""A table with deletion vectors of Spark, as EMR and Databricks write them by default: every reader skips the rows."""

from datetime import date

import deltalake
import pyarrow as pa
import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets.serving.sql import connect
from olist_assets_tests.lakes import TestLake
from spark_steps import delta

MAY_10, MAY_11 = date(2018, 5, 10), date(2018, 5, 11)
SKIPPING = "spark.databricks.delta.stats.skipping"
"""Spark's default, which tests switch off to save time, but reading deletion vectors needs."""


@pytest.fixture
def table(tmp_path, spark_engine):
    """The raw table of sellers, from which Spark has deleted s0, s2 and s4."""
    lake = TestLake(tmp_path / "lake", spark_engine)
    days = [{"seller_id": f"s{n}", "_landing_date": "2018-05-10" if n < 3 else "2018-05-11"} for n in range(6)]
    lake.rows("raw/sellers", *days)
    handle = lake.table("raw/sellers")
    lake.spark.conf.set(SKIPPING, "true")
    uri = f"delta.`{handle.uri}`"
    delta.sql(lake.spark, f"ALTER TABLE {uri} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    delta.sql(lake.spark, f"DELETE FROM {uri} WHERE seller_id IN ('s0', 's2', 's4')").collect()
    assert pa.table(deltalake.DeltaTable(handle.uri).deletion_vectors()).num_rows == 2
    yield lake
    lake.spark.conf.set(SKIPPING, "false")


def test_every_reader_skips_the_rows_that_spark_deleted(table):
    handle = table.table("raw/sellers")
    assert delta.rows_by_day(handle) == {MAY_10: 1, MAY_11: 2}
    for engine in (table.engine, SailEngine()):
        rows = delta.read(engine.session(print), handle).select("seller_id").collect()
        assert sorted(row.seller_id for row in rows) == ["s1", "s3", "s5"]
    with connect(str(table.root)) as session:
        assert session.query("SELECT seller_id FROM raw.sellers ORDER BY 1").fetchall() == [("s1",), ("s3",), ("s5",)]


def test_sail_loads_from_a_table_in_which_spark_has_deleted_rows(table):
    on_sail = TestLake(table.root, SailEngine())
    result = on_sail.run("trusted/sellers", day=MAY_11)
    assert (result.rows.read, result.rows.inserted) == (2, 2)
    assert {check.name: check.failed_rows for check in result.checks}["rows_accounted_for"] == 0
