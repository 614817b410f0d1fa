"""The asset graph as the Dagster UI shows it: dependencies, partitions, group, kinds, owners and checks per asset."""

import json
import subprocess
import sys

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap  # as the code location's server does
from dagster_shared.serdes import serialize_value

from olist_assets.definitions import build_definitions
from olist_assets.settings.general import Settings
from olist_assets_tests.lakes import ASSETS

# key: (dependencies, computed by landing date or whole, checks)
GRAPH = {
    "landzone/orders": ("", "daily", "last_lines_complete"),
    "landzone/customers": ("", "daily", "last_lines_complete"),
    "landzone/order_items": ("", "daily", "last_lines_complete"),
    "landzone/order_payments": ("", "daily", "last_lines_complete"),
    "landzone/order_reviews": ("", "daily", "last_lines_complete"),
    "landzone/products": ("", "daily", "last_lines_complete"),
    "landzone/sellers": ("", "daily", "last_lines_complete"),
    "landzone/geolocation": ("", "daily", "last_lines_complete"),
    "landzone/product_category_translation": ("", "daily", "last_lines_complete"),
    "raw/orders": ("landzone/orders", "daily", ""),
    "raw/customers": ("landzone/customers", "daily", ""),
    "raw/order_items": ("landzone/order_items", "daily", ""),
    "raw/order_payments": ("landzone/order_payments", "daily", ""),
    "raw/order_reviews": ("landzone/order_reviews", "daily", ""),
    "raw/products": ("landzone/products", "daily", ""),
    "raw/sellers": ("landzone/sellers", "daily", ""),
    "raw/geolocation": ("landzone/geolocation", "daily", ""),
    "raw/product_category_translation": ("landzone/product_category_translation", "daily", ""),
    "trusted/orders": ("raw/orders", "daily", "delivered_before_purchase nothing_quarantined rows_accounted_for"),
    "trusted/customers": ("raw/customers", "daily", "nothing_quarantined rows_accounted_for"),
    "trusted/order_items": (
        "raw/order_items",
        "daily",
        "freight_value_rounded nothing_quarantined price_rounded rows_accounted_for seller_missing",
    ),
    "trusted/order_payments": (
        "raw/order_payments",
        "daily",
        "nothing_quarantined payment_value_rounded rows_accounted_for",
    ),
    "trusted/order_reviews": ("raw/order_reviews", "daily", "nothing_quarantined rows_accounted_for"),
    "trusted/products": ("raw/products", "daily", "nothing_quarantined rows_accounted_for"),
    "trusted/sellers": ("raw/sellers", "daily", "nothing_quarantined rows_accounted_for"),
    "trusted/geolocation": ("raw/geolocation", "daily", "nothing_quarantined rows_accounted_for"),
    "trusted/product_category_translation": (
        "raw/product_category_translation",
        "daily",
        "nothing_quarantined rows_accounted_for",
    ),
    "refined/dim_date": ("trusted/orders", "whole", ""),
    "refined/dim_products": ("trusted/product_category_translation trusted/products", "daily", "category_unknown"),
    "refined/dim_sellers": ("trusted/sellers", "daily", ""),
    "refined/dim_location": (
        "trusted/customers trusted/geolocation trusted/sellers",
        "daily",
        "",
    ),
    "refined/dim_customers": ("trusted/customers trusted/orders", "daily", ""),
    "refined/fact_orders": (
        "refined/dim_customers trusted/customers trusted/order_items trusted/order_payments trusted/order_reviews trusted/orders",  # noqa: E501
        "daily",
        "",
    ),
    "refined/fact_order_items": (
        "refined/dim_products refined/dim_sellers refined/fact_orders trusted/order_items trusted/orders",
        "daily",
        "waiting_for_order",
    ),
    "refined/fact_payments": (
        "refined/fact_orders trusted/order_payments trusted/orders",
        "daily",
        "waiting_for_order",
    ),
    "refined/fact_reviews": ("refined/fact_orders trusted/order_reviews trusted/orders", "daily", "waiting_for_order"),
    "refined/aggregate_sales_performance_by_city": ("refined/dim_customers refined/fact_orders", "whole", ""),
    "refined/aggregate_sales_per_month": ("refined/dim_customers refined/fact_orders", "whole", ""),
    "refined/aggregate_payments_per_month": ("refined/fact_payments", "whole", ""),
    "refined/aggregate_orders_per_day": ("refined/dim_customers refined/fact_orders", "whole", ""),
    "serving/report": (
        "refined/aggregate_orders_per_day refined/aggregate_payments_per_month refined/aggregate_sales_per_month refined/aggregate_sales_performance_by_city refined/dim_customers refined/fact_orders trusted/customers trusted/geolocation trusted/order_items trusted/order_payments trusted/order_reviews trusted/orders trusted/product_category_translation trusted/products trusted/sellers",  # noqa: E501
        "whole",
        "",
    ),
}

LAYERS = {
    "landzone": ({"csv"}, ["team:data-engineering"]),
    "raw": ({"deltalake", "pyspark", "bronze"}, ["team:data-engineering"]),
    "trusted": ({"deltalake", "pyspark", "silver"}, ["team:data-engineering"]),
    "refined": ({"deltalake", "pyspark", "gold"}, ["team:analytics"]),
    "serving": ({"html", "duckdb"}, ["team:analytics"]),
}


def _key(asset: dg.AssetsDefinition) -> str:
    return "/".join(asset.key.path)


def test_the_graph_is_landzone_raw_trusted_refined_serving():
    assert {
        _key(asset): (
            " ".join(sorted("/".join(key.path) for key in asset.asset_deps[asset.key])),
            "whole" if asset.partitions_def is None else "daily",
            " ".join(sorted(check.name for check in asset.check_specs)),
        )
        for asset in ASSETS
    } == GRAPH


@pytest.mark.parametrize("asset", ASSETS, ids=_key)
def test_an_asset_has_group_kinds_owners_and_description(asset):
    layer, name = asset.key.path
    [spec] = asset.specs
    kinds, owners = LAYERS[layer]
    assert spec.group_name == layer
    assert spec.kinds == kinds
    assert list(spec.owners) == owners
    assert spec.description
    if layer in ("landzone", "serving"):
        return
    assert spec.metadata["dagster/table_name"] == f"{layer}.{name}"
    columns = spec.metadata["dagster/column_schema"].columns
    assert all(column.description for column in columns)
    assert spec.description.startswith("One row: ")


def test_a_column_schema_has_type_meaning_and_nullability():
    [spec] = next(asset for asset in ASSETS if _key(asset) == "refined/aggregate_payments_per_month").specs
    columns = spec.metadata["dagster/column_schema"].columns
    assert [(c.name, c.type, c.description, c.constraints.nullable) for c in columns] == [
        ("order_month", "string", "month of the purchase, yyyy-MM", False),
        ("payment_type", "string", "means of payment", False),
        ("payments", "bigint", "number of payments", False),
        ("orders", "bigint", "number of different orders", False),
        ("payment_value", "decimal(18,2)", "sum of the payments in BRL", False),
        ("average_installments", "double", "mean number of installments", True),
    ]


def test_a_range_of_days_is_one_run_and_today_is_a_landing_date():
    daily = [asset for asset in ASSETS if asset.partitions_def is not None]
    assert {type(a.backfill_policy) for a in daily} == {dg.BackfillPolicy}
    assert {a.backfill_policy.max_partitions_per_run for a in daily} == {None}
    assert {a.partitions_def.get_first_partition_key() for a in daily} == {"2016-01-01"}
    assert {a.partitions_def.timezone for a in daily} == {"UTC"}
    assert {a.partitions_def.end_offset for a in daily} == {1}


@pytest.fixture(scope="module")
def definitions():
    """The definitions under default settings."""
    return build_definitions(Settings.from_environment({}))


def test_one_job_has_the_whole_lineage_and_runs_in_one_process(definitions):
    job = definitions.resolve_job_def("lakehouse")
    assert {"/".join(key.path) for key in job.asset_layer.executable_asset_keys} == set(GRAPH)
    assert job.executor_def.name == dg.in_process_executor.name


def test_definitions_serialize_for_the_web_server(definitions):
    serialized = serialize_value(RepositorySnap.from_def(definitions.get_repository_def()))
    assert all(json.dumps(key.split("/")) in serialized for key in GRAPH)


def test_definitions_follow_their_settings():
    remote = build_definitions(
        Settings.from_environment({"OLIST_LAKE": "s3://shop/lake", "OLIST_ENGINE": "emr", "OLIST_GLUE": "shop"})
    )
    assets = {asset.key.to_user_string(): asset for asset in remote.assets}
    assert assets.keys() == {*GRAPH, "serving/glue_tables"}
    tables = [asset for key, asset in assets.items() if key.startswith(("raw/", "trusted/", "refined/"))]
    assert {asset.op.pool for asset in tables} == {"emr"}
    assert remote.resources["lake"].root == "s3://shop/lake"
    assert remote.executor.name == dg.in_process_executor.name
    assert len(remote.sensors) == 2


def test_settings_are_not_read_before_dagster_loads_the_code_location():
    script = """
import importlib, os, pkgutil, olist_assets
os.environ["OLIST_ENGINE"] = "flink"
for module in pkgutil.walk_packages(olist_assets.__path__, "olist_assets."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from olist_assets.definitions import defs
try:
    defs()
except olist_assets.errors.SettingsError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert run.stdout == "OLIST_ENGINE=flink: takes sail or spark or emr or emr-serverless\n"
