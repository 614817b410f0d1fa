"""The whole lineage through Dagster on generated data: tables, metadata and step records of a run."""

import json
from collections import Counter
from datetime import date, timedelta

import deltalake
import pyarrow as pa
import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets.sources.deliver import deliver
from olist_assets.sources.generator.dump import generate
from olist_assets_tests.lakes import ASSETS, TestLake

ORDERS = 300

pytestmark = [pytest.mark.slow_module, pytest.mark.long]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A lakehouse with one delivery of 300 orders, loaded, and the run that did it."""
    root = tmp_path_factory.mktemp("lakehouse")
    generate(root / "dump", orders=ORDERS, days=90, seed=3)
    day = deliver(root / "dump", str(root / "source")).day
    lakehouse = TestLake(root / "lake", SailEngine())
    return lakehouse, f"{day}", lakehouse.materialize(day=f"{day}")


def _snapshot(lakehouse) -> dict[str, tuple[int, Counter]]:
    """Each table's version and rows."""
    tables = [p.parent for p in lakehouse.root.rglob("_delta_log")]
    opened = {table.relative_to(lakehouse.root).as_posix(): deltalake.DeltaTable(str(table)) for table in tables}
    return {
        name: (table.version(), Counter(zip(*(c.to_pylist() for c in table.to_pyarrow_table().columns), strict=True)))
        for name, table in opened.items()
    }


def test_every_asset_is_materialized_and_every_check_of_severity_error_passes(loaded):
    _, _, run = loaded
    assert run.success
    done = {event.asset_key for event in run.all_events if event.is_step_materialization}
    assert done == {asset.key for asset in ASSETS}
    evaluations = run.get_asset_check_evaluations()
    assert {e.check_name for e in evaluations if not e.passed} <= {"category_unknown", "seller_missing"}
    assert len([e for e in evaluations if e.check_name == "rows_accounted_for"]) == 9


def test_metadata_is_that_of_the_delta_commit(loaded):
    lakehouse, day, run = loaded
    [orders] = run.asset_materializations_for_node("trusted__orders")
    metadata = {name: value.value for name, value in orders.metadata.items()}
    files = pa.table(deltalake.DeltaTable(str(lakehouse.root / "trusted/orders")).get_add_actions()).to_pydict()
    assert metadata["dagster/uri"] == str(lakehouse.root / "trusted/orders")
    assert metadata["window"] == day
    assert metadata["delta_version"] == 1
    assert metadata["rows_read"] == metadata["rows_inserted"] == sum(files["num_records"]) == ORDERS
    assert metadata["bytes_added"] == sum(files["size_bytes"])
    assert metadata["files_added"] == len(files["path"])


def test_each_step_writes_one_record(loaded):
    lakehouse, day, run = loaded
    records = [json.loads((lakehouse.root / p).read_text()) for p in lakehouse.objects("control/steps")]
    first = [r for r in records if r["run_id"] == run.run_id]
    assert sorted(r["table"] for r in first) == sorted("/".join(a.key.path) for a in ASSETS)
    assert {r["status"] for r in first} == {"succeeded"}
    [orders] = [r for r in first if r["table"] == "trusted/orders"]
    assert orders["window"]["from"] == day
    assert (orders["engine"], orders["version_before"], orders["version_after"]) == ("sail", 0, 1)
    assert orders["rows_inserted"] == ORDERS
    assert orders["code_version"].startswith("0.1.0+")
    assert [c["name"] for c in orders["checks"]] == [
        "rows_accounted_for",
        "nothing_quarantined",
        "delivered_before_purchase",
    ]


def test_a_second_run_and_one_with_an_empty_landzone_change_no_content(loaded):
    lakehouse, day, _ = loaded
    before = _snapshot(lakehouse)
    assert lakehouse.materialize(day=day).success
    after_rerun = _snapshot(lakehouse)
    for file in lakehouse.source.rglob("*.csv"):
        file.rename(file.with_suffix(".taken"))
    assert lakehouse.materialize(day=day).success
    after_empty = _snapshot(lakehouse)
    for file in lakehouse.source.rglob("*.taken"):
        file.rename(file.with_suffix(".csv"))
    assert {name: rows for name, (_, rows) in before.items()} == {name: rows for name, (_, rows) in after_rerun.items()}
    assert {name: rows for name, (_, rows) in before.items()} == {name: rows for name, (_, rows) in after_empty.items()}
    kept = {name: version for name, (version, _) in before.items() if not name.startswith("refined")}
    assert kept == {name: version for name, (version, _) in after_empty.items() if name in kept}


def test_a_failed_table_stops_its_downstream_assets_and_no_others(loaded, tmp_path):
    other = TestLake(tmp_path / "lake", SailEngine())
    for file in loaded[0].source.rglob("*.csv"):
        content = file.read_bytes()
        if "order_payments" in file.name:
            content = content.replace(b"payment_value", b"payment_amount", 1)
        other.deliver(loaded[1], file.name, content)
    run = other.materialize(day=loaded[1], raise_on_error=False)
    assert not run.success
    done = {"/".join(e.asset_key.path) for e in run.all_events if e.is_step_materialization}
    assert {"/".join(a.key.path) for a in ASSETS} - done == {
        "raw/order_payments",
        "trusted/order_payments",
        "refined/fact_orders",
        "refined/fact_order_items",
        "refined/fact_payments",
        "refined/fact_reviews",
        "refined/aggregate_sales_performance_by_city",
        "refined/aggregate_sales_per_month",
        "refined/aggregate_payments_per_month",
        "refined/aggregate_orders_per_day",
        "serving/report",
    }


def test_a_range_over_days_without_deliveries_is_one_run_that_loads_the_delivery(loaded, tmp_path):
    other = TestLake(tmp_path / "lake", SailEngine())
    (tmp_path / "source").symlink_to(loaded[0].source)
    day = date.fromisoformat(loaded[1])
    run = other.materialize(day=f"{day - timedelta(days=3)}", to=f"{day + timedelta(days=2)}")
    assert run.success
    mine, theirs = _snapshot(other), _snapshot(loaded[0])
    business = {name for name in mine if name.startswith("refined")}
    assert {n: mine[n][1] for n in business} == {n: theirs[n][1] for n in business}
