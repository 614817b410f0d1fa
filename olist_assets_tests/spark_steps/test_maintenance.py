"""Small files are compacted when they are due; every row and value, and every earlier version, stays readable."""

import logging
from datetime import UTC, datetime

import deltalake
import pyarrow as pa
import pytest

from olist_assets.lake.leases import hold_lease
from olist_assets.serving.sql.session import connect
from olist_assets_tests.golden.readers import READERS, by_spark, rows_of
from spark_steps import delta, delta_log, maintenance
from spark_steps.maintenance import CHECKPOINT_INTERVAL, MIN_FILES, MIN_FILES_OF_MANY, bytes_to_compact, maintain
from spark_steps.tables import TABLES

SELLERS, ORDERS = "trusted/sellers", "refined/fact_orders"


def order(number, month="2018-05", **more):
    """An order whose values lose digits wherever they pass through a text or a narrower type."""
    hours = 0.1 * number + 1e-9
    times = dict.fromkeys(("order_purchase_timestamp", "order_approved_at"), f"2018-05-10 03:00:00.{123456 + number}")
    keys = dict.fromkeys(("customer_key", "location_key"), (1 << 59) + number)
    return {
        "order_id": f"o{number:02}",
        "order_status": "delivered",
        "purchase_date_key": 20180510,
        "approval_hours": hours,
        "delivery_days": hours / 3,
        "is_late": number % 2 == 0,
        **dict.fromkeys(("items", "products", "sellers", "payments"), 1),
        **dict.fromkeys(("items_value", "freight_value", "order_value", "payment_value"), "9999999999999999.99"),
        "review_score": None,
        "order_month": month,
        **times,
        **keys,
    } | more


def log_of(lake, table_id):
    return deltalake.DeltaTable(lake.table(table_id).uri)


def add_actions(lake, table_id):
    return pa.table(log_of(lake, table_id).get_add_actions(flatten=True))


def files_per_partition(lake, table_id):
    months = add_actions(lake, table_id).column("partition.order_month").to_pylist()
    return {month: months.count(month) for month in months}


# --- What is due ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "due"),
    [
        ([], None),
        ([5] * 15, None),
        ([5] * 16, 80),
        ([100, *[5] * 15], None),  # the large file would be rewritten for 15 small ones
        ([100, *[5] * 16], 80),
        ([80, *[5] * 16], 160),
        ([1_000, 100, 100, *[5] * 16], 80),
        ([1_000, 100, 100, *[5] * 20], 300),
        ([100, 100, *[5] * 15], 275),
        ([16 << 20] * 8 + [8 << 20] * 8, None),  # the result would be larger than the limit
        ([1 << 30, *[5] * 16], 80),
    ],
)
def test_the_smallest_files_are_due_up_to_one_that_is_larger_than_all_of_them(sizes, due):
    assert bytes_to_compact(sizes) == due


def test_rows_are_rewritten_a_few_times_and_few_files_remain():
    files, written, rewritten = [], 0, 0
    for day in range(2_000):
        files.append(4_000 + day % 7 * 500)
        written += files[-1]
        if total := bytes_to_compact(files):
            files = [total, *(size for size in files if size > total)]
            rewritten += total
        assert len(files) <= MIN_FILES + 10
    assert sum(files) == written
    assert rewritten < 6 * written


# --- Compaction ----------------------------------------------------------------------------------------------------


@pytest.mark.spark
def test_compaction_keeps_every_value_for_every_reader(lake):
    for number in range(MIN_FILES):
        lake.rows(ORDERS, order(number))
    lake.rows(ORDERS, order(90, month="2018-04"))
    handle = lake.table(ORDERS)
    readers = READERS | {"engine": lambda uri: by_spark(lake.spark, uri)}
    before = {name: rows_of(read(handle.uri), ("order_id",)) for name, read in readers.items()}
    schema, types = log_of(lake, ORDERS).schema(), {n: read(handle.uri).schema for n, read in readers.items()}
    maintain(handle)
    assert files_per_partition(lake, ORDERS) == {"2018-05": 1, "2018-04": 1}
    assert {name: rows_of(read(handle.uri), ("order_id",)) for name, read in readers.items()} == before
    assert {name: read(handle.uri).schema for name, read in readers.items()} == types
    assert log_of(lake, ORDERS).schema() == schema
    assert delta.row_count(handle) == MIN_FILES + 1


def test_statistics_of_fractions_and_times_stay_out_of_the_log(sail_lake):
    for _ in range(MIN_FILES):
        sail_lake.rows(ORDERS, order(1))
    maintain(sail_lake.table(ORDERS))
    columns = add_actions(sail_lake, ORDERS).column_names
    exact = {c.name for c in TABLES[ORDERS].columns if c.type in ("string", "int", "bigint", "date")} - {"order_month"}
    assert {name.removeprefix("min.") for name in columns if name.startswith("min.")} == exact
    [value] = {
        row["approval_hours"] for row in rows_of(by_spark(sail_lake.spark, sail_lake.table(ORDERS).uri), ("order_id",))
    }
    assert value == order(1)["approval_hours"]


def test_only_partitions_that_are_due_are_compacted(sail_lake):
    for number in range(MIN_FILES):
        sail_lake.rows(ORDERS, order(number))
        if number:
            sail_lake.rows(ORDERS, order(100 + number, month="2018-04"))
    version = log_of(sail_lake, ORDERS).version()
    maintain(sail_lake.table(ORDERS))
    assert files_per_partition(sail_lake, ORDERS) == {"2018-05": 1, "2018-04": MIN_FILES - 1}
    maintain(sail_lake.table(ORDERS))
    assert log_of(sail_lake, ORDERS).version() == version + 1


def test_a_table_of_many_files_compacts_the_partition_with_the_most(sail_lake, monkeypatch):
    monkeypatch.setattr(maintenance, "MAX_FILES", 2 * MIN_FILES_OF_MANY)
    for number in range(MIN_FILES_OF_MANY):
        for month in ("2018-03", "2018-04", "2018-05"):
            if number or month == "2018-04":
                sail_lake.rows(ORDERS, order(number, month=month))
    maintain(sail_lake.table(ORDERS))
    assert files_per_partition(sail_lake, ORDERS) == {"2018-03": 3, "2018-04": 1, "2018-05": 3}
    maintain(sail_lake.table(ORDERS))  # no more than the number, and no other partition
    assert files_per_partition(sail_lake, ORDERS) == {"2018-03": 3, "2018-04": 1, "2018-05": 3}
    assert len(rows_of(by_spark(sail_lake.spark, sail_lake.table(ORDERS).uri), ("order_id", "order_month"))) == 10


def test_the_version_of_the_step_stays_readable(sail_lake):
    for number in range(MIN_FILES):
        sail_lake.rows(SELLERS, {"seller_id": f"s{number}"})
    version = log_of(sail_lake, SELLERS).version()
    before = datetime.now(UTC)
    maintain(sail_lake.table(SELLERS))
    assert log_of(sail_lake, SELLERS).version() == version + 1
    assert deltalake.DeltaTable(sail_lake.table(SELLERS).uri, version=version).to_pyarrow_table().num_rows == MIN_FILES
    with connect(str(sail_lake.root), as_of=before) as session:
        assert session.versions[SELLERS] == version
        assert session.query("select count(*) from trusted.sellers").fetchall() == [(MIN_FILES,)]


def test_a_step_reports_its_own_commit_and_compacts_afterwards(sail_lake):
    for number in range(MIN_FILES):
        sail_lake.rows(SELLERS, {"seller_id": f"s{number}", "_row": number})
    content = "seller_id,seller_zip_code_prefix,seller_city,seller_state\nnew,1001,sao paulo,SP\n"
    result = sail_lake.load("sellers", content)
    assert (result.version_before, result.version_after) == (MIN_FILES, MIN_FILES + 1)
    assert (result.rows.inserted, result.files.added, result.files.removed) == (1, 1, 0)
    table = log_of(sail_lake, SELLERS)
    assert (table.version(), len(table.file_uris())) == (MIN_FILES + 2, 1)
    assert len(sail_lake.read(SELLERS, "seller_id")) == MIN_FILES + 1
    assert sail_lake.run(SELLERS).version_after == MIN_FILES + 2


def test_a_step_without_changes_does_not_maintain_its_table(sail_lake):
    for number in range(MIN_FILES):
        sail_lake.rows(SELLERS, {"seller_id": f"s{number}"})
    sail_lake.run(SELLERS)
    assert len(log_of(sail_lake, SELLERS).file_uris()) == MIN_FILES


def test_a_step_succeeds_if_its_maintenance_fails(sail_lake, monkeypatch, caplog):
    def fail(*_arguments):
        raise deltalake.exceptions.CommitFailedError("a concurrent transaction")

    monkeypatch.setattr(maintenance, "_due_compactions", fail)
    with caplog.at_level(logging.WARNING):
        assert sail_lake.load("sellers", "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns1,,,\n").rows.read
    assert "trusted/sellers has many small files" in caplog.text
    assert "a concurrent transaction" in caplog.text


def test_a_table_that_another_run_writes_is_not_compacted(sail_lake):
    for number in range(MIN_FILES):
        sail_lake.rows(SELLERS, {"seller_id": f"s{number}", "_row": number})
    sail_lake.rows("raw/sellers", {"seller_id": "new"})
    with hold_lease(sail_lake.lake.store, SELLERS, "another-run"):
        assert not sail_lake.materialize(SELLERS, day="2018-05-10", raise_on_error=False).success
        assert log_of(sail_lake, SELLERS).version() == MIN_FILES
    assert sail_lake.materialize(SELLERS, day="2018-05-10").success
    assert len(log_of(sail_lake, SELLERS).file_uris()) == 1


def test_a_table_with_deletion_vectors_is_not_compacted(sail_lake):
    for number in range(MIN_FILES):
        sail_lake.rows(SELLERS, {"seller_id": f"s{number}"})
    table = log_of(sail_lake, SELLERS)
    table.alter.add_feature(deltalake.TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)
    maintain(sail_lake.table(SELLERS))
    assert len(log_of(sail_lake, SELLERS).file_uris()) == MIN_FILES


# --- Checkpoints ---------------------------------------------------------------------------------------------------


def checkpoints(lake, table_id):
    return [path for path in lake.objects(f"{table_id}/_delta_log") if path.endswith(".checkpoint.parquet")]


def test_a_checkpoint_is_written_at_an_interval(sail_lake):
    for number in range(1, 2 * CHECKPOINT_INTERVAL + 1):
        sail_lake.rows(SELLERS, {"seller_id": f"s{number}"})
        maintain(sail_lake.table(SELLERS))
    # one of the commits is a compaction
    versions = [int(path.rpartition("/")[2].partition(".")[0]) for path in checkpoints(sail_lake, SELLERS)]
    assert versions == [CHECKPOINT_INTERVAL, 2 * CHECKPOINT_INTERVAL]
    assert len(sail_lake.read(SELLERS)) == 2 * CHECKPOINT_INTERVAL


@pytest.mark.parametrize("pointer", [b"", b"[]", b'{"version": "x"}', b"\xff"])
def test_a_damaged_pointer_to_the_checkpoint_is_replaced(sail_lake, pointer):
    for number in range(CHECKPOINT_INTERVAL):
        sail_lake.rows(SELLERS, {"seller_id": f"s{number}"})
    path = sail_lake.root / SELLERS / "_delta_log" / "_last_checkpoint"
    path.write_bytes(pointer)
    maintain(sail_lake.table(SELLERS))
    assert b'"version":10' in path.read_bytes()


def test_a_table_of_an_earlier_release_keeps_its_log(sail_lake, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr(delta_log, "KEEP_LOG", {})
        delta.create_if_missing(sail_lake.table(ORDERS))
    properties = log_of(sail_lake, ORDERS).metadata().configuration
    assert properties.keys() == {"delta.dataSkippingStatsColumns"}
    for number in range(CHECKPOINT_INTERVAL):
        sail_lake.rows(ORDERS, order(number))
    for _ in range(2):
        maintain(sail_lake.table(ORDERS))
        table = log_of(sail_lake, ORDERS)
        assert table.metadata().configuration == properties | delta_log.KEEP_LOG
        assert table.version() == CHECKPOINT_INTERVAL + 1
    assert len(checkpoints(sail_lake, ORDERS)) == 1
