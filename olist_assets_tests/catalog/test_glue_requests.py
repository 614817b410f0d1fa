"""The requests that register tables in Glue."""

import re

import pytest

from olist_assets.catalog import glue
from olist_assets.catalog.glue import table_input
from olist_assets_tests.catalog.glue_wire import (
    DIM_SELLERS,
    all_outcomes,
    register_tables,
)
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES

pytestmark = pytest.mark.usefixtures("s3")


def test_the_first_register_creates_databases_and_tables(lake, name, wire):
    assert register_tables(lake, name) == all_outcomes(name, "created")
    assert [operation for operation, _ in wire.writes] == [
        *("CreateDatabase", "CreateTable"),
        *("CreateDatabase", "CreateTable", "CreateTable"),
    ]
    bodies = [body for _, body in wire.writes]
    assert bodies[0] == {
        "DatabaseInput": {
            "Name": f"{name}_trusted",
            "Description": "Typed rows, the newest state of each key",
            "LocationUri": f"{lake}/trusted/",
            "Parameters": {"olist:lakehouse": name},
        }
    }
    assert bodies[2] == {
        "DatabaseInput": {
            "Name": f"{name}_refined",
            "Description": "The star schema",
            "LocationUri": f"{lake}/refined/",
            "Parameters": {"olist:lakehouse": name},
        }
    }
    assert bodies[4] == {
        "DatabaseName": f"{name}_refined",
        "TableInput": {
            "Name": "aggregate_payments_per_month",
            "Description": "One row: a month and a means of payment; all orders. Key: order_month and payment_type.",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {
                "EXTERNAL": "TRUE",
                "table_type": "delta",
                "spark.sql.sources.provider": "delta",
                "olist:lakehouse": name,
            },
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": [
                    {"Name": "order_month", "Type": "string", "Comment": "month of the purchase, yyyy-MM"},
                    {"Name": "payment_type", "Type": "string", "Comment": "means of payment"},
                    {"Name": "payments", "Type": "bigint", "Comment": "number of payments"},
                    {"Name": "orders", "Type": "bigint", "Comment": "number of different orders"},
                    {"Name": "payment_value", "Type": "decimal(18,2)", "Comment": "sum of the payments in BRL"},
                    {"Name": "average_installments", "Type": "double", "Comment": "mean number of installments"},
                ],
                "Location": f"{lake}/refined/aggregate_payments_per_month/",
                "InputFormat": "org.apache.hadoop.mapred.SequenceFileInputFormat",
                "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
                "SerdeInfo": {
                    "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                    "Parameters": {
                        "path": f"{lake}/refined/aggregate_payments_per_month/",
                        "serialization.format": "1",
                    },
                },
            },
        },
    }


def test_glue_returns_a_table_as_it_was_sent(lake, name, catalog):
    register_tables(lake, name)
    table = catalog.get_table(DatabaseName=f"{name}_refined", Name="dim_sellers")["Table"]
    sent = table_input(DIM_SELLERS, lake, name)
    assert {key: table[key] for key in sent} == sent


def test_the_description_of_a_partitioned_table_has_its_partition():
    description = table_input(TABLES["refined/fact_orders"], "s3://shop/lake", "shop")["Description"]
    assert description == "One row: an order. Key: order_id. Partitioned by order_month."


@pytest.mark.parametrize("table", glue.published(), ids=lambda table: table.id)
def test_every_table_input_is_within_the_limits_of_glue_and_hive(table):
    """The limits of Glue's API, and the names of Hive's types."""
    sent = table_input(table, "s3://shop/lake", "shop")
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,254}", sent["Name"])
    assert len(sent["Description"]) <= 2048
    for column in sent["StorageDescriptor"]["Columns"]:
        assert re.fullmatch(r"[a-z_][a-z0-9_]{0,254}", column["Name"])
        assert re.fullmatch(r"string|int|bigint|double|boolean|date|timestamp|decimal\(\d\d,\d\)", column["Type"])
        assert 0 < len(column["Comment"]) <= 255


def test_trusted_and_refined_are_published_and_nothing_else():
    assert [table.id for table in glue.published()] == [
        name for name, table in TABLES.items() if table.layer in (Layer.TRUSTED, Layer.REFINED)
    ]
    assert len(glue.published()) == 22
