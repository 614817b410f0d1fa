"""Increments: a run changes the rows that its days affect, and no other file.

`test_any_order.py` shows that increments give the right tables for any order of deliveries on every engine.
"""

from datetime import date

import deltalake
import pyarrow as pa
import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import (
    NOON,
    build,
    customer,
    item,
    order,
    payment,
    period_key,
    review,
)
from spark_steps import delta, former_values
from spark_steps.steps import increment

NEXT_DAY = date(2018, 5, 11)
LANDED_NEXT_DAY = {"_landing_date": "2018-05-11"}
DAILY = (
    "dim_products",
    "dim_sellers",
    "dim_location",
    "dim_customers",
    "fact_orders",
    "fact_order_items",
    "fact_payments",
    "fact_reviews",
)

pytestmark = pytest.mark.slow_module


@pytest.fixture
def shop(sail_lake):
    """A lake with one loaded day: an order of April, an order of May, and their details."""
    lake = sail_lake
    lake.rows("trusted/customers", customer("c1", "ana"), customer("c2", "bia", "20001", "rio de janeiro", "RJ"))
    lake.rows("trusted/orders", order("o1", "c1", "2018-04-10 12:00:00"), order("o2", "c2"))
    lake.rows("trusted/order_items", item("o1", 1), item("o2", 1))
    lake.rows("trusted/order_payments", payment("o1", 1), payment("o2", 1))
    lake.rows("trusted/order_reviews", review("r1", "o1", 5))
    lake.rows("trusted/products", {"product_id": "p1"})
    lake.rows("trusted/sellers", {"seller_id": "s1", "seller_zip_code_prefix": "01001"})
    build(lake, *DAILY)
    return lake


def files(lake, name):
    """The table's data files."""
    return set(deltalake.DeltaTable(lake.table(f"refined/{name}").uri).file_uris())


def test_a_new_order_is_added_without_rewriting_a_file(shop):
    shop.rows("trusted/customers", customer("c3", "caio") | LANDED_NEXT_DAY)
    shop.rows("trusted/orders", order("o3", "c3") | LANDED_NEXT_DAY)
    shop.rows("trusted/order_items", item("o3", 1) | LANDED_NEXT_DAY)
    before = {name: files(shop, name) for name in ("dim_customers", "fact_orders", "fact_order_items")}
    for name, files_before in before.items():
        result = shop.run(f"refined/{name}", day=NEXT_DAY)
        assert (result.rows.read, result.rows.inserted, result.files.removed) == (1, 1, 0)
        assert files_before < files(shop, name)
    assert [row["order_id"] for row in shop.read("refined/fact_orders")] == ["o1", "o2", "o3"]


def test_a_changed_order_leaves_other_months_alone(shop):
    shop.rows("trusted/order_payments", payment("o2", 2, value="1.00") | LANDED_NEXT_DAY)
    before = files(shop, "fact_orders")
    result = shop.run("refined/fact_orders", day=NEXT_DAY)
    assert (result.rows.read, result.rows.updated, result.rows.inserted) == (1, 1, 0)
    kept = before & files(shop, "fact_orders")
    assert ["order_month=2018-04" in file for file in kept] == [True]


def test_a_period_that_no_longer_exists_is_deleted(shop):
    """The order turns out to be Bia's, and older than her other one: Ana has none, and Bia's period begins earlier."""
    shop.rows("trusted/customers", customer("c3", "bia", "20001", "rio de janeiro", "RJ") | LANDED_NEXT_DAY)
    orders = shop.table("trusted/orders")
    former_values.keep(pa.table({"order_id": ["o1"], "customer_id": ["c1"]}), delta.open_table(orders))
    deltalake.DeltaTable(orders.uri).delete("order_id = 'o1'")
    shop.rows("trusted/orders", order("o1", "c3", "2018-04-10 12:00:00") | LANDED_NEXT_DAY)
    result = shop.run("refined/dim_customers", day=NEXT_DAY)
    assert (result.rows.inserted, result.rows.updated, result.rows.deleted) == (1, 0, 2)
    keys = [row["customer_key"] for row in shop.read("refined/dim_customers")]
    assert keys == [-1, period_key("bia", "2018-04-10 12:00:00")]


def test_running_a_day_again_commits_nothing(shop):
    for name in DAILY:
        result = shop.run(f"refined/{name}")
        assert result.version_after == result.version_before, name
        assert (result.rows.inserted, result.rows.updated, result.rows.deleted) == (0, 0, 0), name
        assert result.rows.unchanged == result.rows.read > 0, name


def test_a_day_without_deliveries_commits_nothing(shop):
    for name in DAILY:
        result = shop.run(f"refined/{name}", day=date(2018, 6, 1))
        assert (result.rows.read, result.version_after) == (0, result.version_before), name


def test_a_table_is_computed_as_a_whole_if_many_keys_are_affected(shop, monkeypatch):
    monkeypatch.setattr(increment, "_MIN_LIMIT", 1)
    before = files(shop, "fact_orders")
    result = shop.run("refined/fact_orders")
    assert result.rows.inserted == 2
    assert not before & files(shop, "fact_orders")


def test_an_increment_keeps_the_unknown_member(shop):
    shop.rows("trusted/products", {"product_id": "p2"} | LANDED_NEXT_DAY)
    shop.run("refined/dim_products", day=NEXT_DAY)
    assert [row["product_id"] for row in shop.read("refined/dim_products")] == [None, "p2", "p1"]


def test_items_get_their_product_and_seller_when_these_arrive(sail_lake):
    lake = sail_lake
    lake.rows("trusted/customers", customer("c1", "ana"))
    lake.rows("trusted/orders", order("o1", "c1"))
    lake.rows("trusted/order_items", item("o1", 1, product="late", seller="late"))
    build(lake, *DAILY)
    [waiting] = lake.read("refined/fact_order_items")
    assert (waiting["product_key"], waiting["seller_key"]) == (-1, -1)
    lake.rows("trusted/products", {"product_id": "late"} | LANDED_NEXT_DAY)
    lake.rows("trusted/sellers", {"seller_id": "late"} | LANDED_NEXT_DAY)
    for name in DAILY:
        lake.run(f"refined/{name}", day=NEXT_DAY)
    [arrived] = lake.read("refined/fact_order_items")
    assert arrived["product_key"] > 0
    assert arrived["seller_key"] > 0
    assert arrived["order_purchase_timestamp"] == NOON
