"""delta-rs writes collected rows: one commit with its metrics, in files that every engine reads."""

from datetime import date
from itertools import count

import deltalake
import pyarrow as pa
import pytest

from olist_assets_tests.lakes import DAY, TestLake
from spark_steps import arrow_writes, delta
from spark_steps.protocol import RowCounts, StepError, TableHandle, Window

MAY_11 = date(2018, 5, 11)

_numbers = count()


def arrow(lake, table_id, *rows):
    """Rows as a step collects them: omitted columns are null, lineage columns have defaults."""
    other = TestLake(lake.root / f"rows-{next(_numbers)}", lake.engine)
    other.rows(table_id, *rows)
    return deltalake.DeltaTable(other.table(table_id).uri).to_pyarrow_table()


def mark(rows, deletions):
    """The rows with the mark that `delta.merge` takes for deletions."""
    return rows.append_column(delta.DELETED, pa.array(deletions))


def seller(seller_id, city=None, **more):
    return {"seller_id": seller_id, "seller_city": city} | more


def order(order_id, month="2018-05", status=None):
    times = {"order_purchase_timestamp": f"{month}-01 10:00:00.123456", "order_month": month}
    return {"order_id": order_id, "customer_id": "c", "order_status": status} | times


def item(order_id, number, price):
    ids = {"order_id": order_id, "order_item_id": number, "product_id": "p"}
    return ids | {"price": price, "freight_value": "1.00"}


def by_engine(lake, table_id, *columns):
    rows = delta.read(lake.spark, lake.table(table_id)).select(*columns).collect()
    return sorted(tuple(str(value) for value in row) for row in rows)


@pytest.mark.spark
def test_engines_read_what_delta_rs_has_written(lake):
    handle = lake.table("trusted/orders")
    delta.append(arrow(lake, "trusted/orders", order("o1"), order("o2"), order("o3", "2018-06")), handle)
    changes = arrow(lake, "trusted/orders", order("o1", "2018-06", "shipped"), order("o3", "2018-06"))
    changes = mark(changes, [False, True])
    commit = delta.merge(
        lake.spark, changes, handle, RowCounts(updated=1, deleted=1), partitions=["2018-05", "2018-06"]
    )
    assert commit.rows == RowCounts(updated=1, deleted=1, copied=1)
    assert by_engine(lake, "trusted/orders", "order_id", "order_status", "order_purchase_timestamp", "order_month") == [
        ("o1", "shipped", "2018-06-01 10:00:00.123456", "2018-06"),
        ("o2", "None", "2018-05-01 10:00:00.123456", "2018-05"),
    ]


def test_a_table_is_written_as_declared(sail_lake):
    handle = sail_lake.table("trusted/order_items")
    delta.create_if_missing(handle)
    before = deltalake.DeltaTable(handle.uri)
    delta.append(arrow(sail_lake, "trusted/order_items", item("o1", 1, "10.00")), handle)
    after = deltalake.DeltaTable(handle.uri)
    assert after.schema() == before.schema()
    assert after.protocol() == before.protocol()
    statistics = pa.table(after.get_add_actions(flatten=True)).column_names
    assert "min.order_id" in statistics
    assert not {"min.price", "min._extracted_at"} & set(statistics)  # Sail would read rounded values from the log


def test_the_metrics_of_a_commit_are_its_rows_files_and_bytes(sail_lake):
    handle = sail_lake.table("raw/sellers")
    rows = arrow(sail_lake, "raw/sellers", seller("s1"), seller("s2"), seller("s3", _landing_date="2018-05-11"))
    commit = delta.append(rows, handle)
    assert (commit.version_before, commit.version_after) == (0, 1)
    assert (commit.rows, commit.files.added, commit.files.removed) == (RowCounts(inserted=3), 2, 0)
    sizes = pa.table(deltalake.DeltaTable(handle.uri).get_add_actions(flatten=True)).column("size_bytes").to_pylist()
    assert commit.files.bytes_added == sum(sizes)
    day = sail_lake.table("raw/sellers", Window.from_day(MAY_11))
    commit = delta.replace(arrow(sail_lake, "raw/sellers", seller("s4", _landing_date="2018-05-11")), day)
    assert (commit.rows, commit.files.added, commit.files.removed) == (RowCounts(inserted=1), 1, 1)
    assert [row["seller_id"] for row in sail_lake.read("raw/sellers")] == ["s1", "s2", "s4"]


def test_no_rows_are_no_commit_but_empty_a_window_that_has_some(sail_lake):
    handle = sail_lake.table("raw/sellers", Window.from_day(DAY))
    none = arrow(sail_lake, "raw/sellers", seller("s1")).slice(0, 0)
    for write in (delta.append, delta.replace):
        commit = write(none, handle)
        assert (commit.version_before, commit.version_after) == (0, 0)
    sail_lake.rows("raw/sellers", seller("s1"), seller("s2", _landing_date="2018-05-11"))
    assert delta.replace(none, handle).version_after == 2
    assert [row["seller_id"] for row in sail_lake.read("raw/sellers")] == ["s2"]


def test_rows_of_composite_keys_are_replaced(sail_lake):
    handle = sail_lake.table("trusted/order_items")
    sail_lake.rows("trusted/order_items", *(item(f"o{n}", number, "1.00") for n in range(3) for number in (1, 2)))
    changes = arrow(
        sail_lake, "trusted/order_items", item("o0", 2, "2.00"), item("o2", 1, "3.00"), item("o9", 1, "4.00")
    )
    commit = delta.merge(sail_lake.spark, changes, handle, RowCounts(inserted=1, updated=2))
    assert commit.rows == RowCounts(inserted=1, updated=2, copied=4)
    assert by_engine(sail_lake, "trusted/order_items", "order_id", "order_item_id", "price") == [
        ("o0", "1", "1.00"),
        ("o0", "2", "2.00"),
        ("o1", "1", "1.00"),
        ("o1", "2", "1.00"),
        ("o2", "1", "3.00"),
        ("o2", "2", "1.00"),
        ("o9", "1", "4.00"),
    ]


def test_any_characters_of_a_key_are_found(sail_lake):
    ids = ["a'b", "a\\b", "{}%_", 'say "x"', "--", "\u200bé漢"]
    sail_lake.rows("trusted/sellers", *(seller(name, "before") for name in (*ids, "other")))
    changes = arrow(sail_lake, "trusted/sellers", *(seller(name, "after") for name in ids))
    delta.merge(sail_lake.spark, changes, sail_lake.table("trusted/sellers"), RowCounts(updated=len(ids)))
    cities = {row["seller_id"]: row["seller_city"] for row in sail_lake.read("trusted/sellers")}
    assert cities == {**dict.fromkeys(ids, "after"), "other": "before"}


@pytest.mark.parametrize("limit", ["_MAX_REPLACED_KEYS", "_MAX_ALTERNATIVES"])
def test_the_engine_merges_more_keys_than_delta_rs_plans_quickly(sail_lake, monkeypatch, limit):
    monkeypatch.setattr(arrow_writes, limit, 1)
    sail_lake.rows("trusted/order_items", *(item("o1", number, "1.00") for number in (1, 2, 3)))
    changes = arrow(sail_lake, "trusted/order_items", item("o1", 1, "2.00"), item("o2", 2, "3.00"))
    handle = sail_lake.table("trusted/order_items")
    delta.merge(sail_lake.spark, changes, handle, RowCounts(inserted=1, updated=1))
    assert "delta-rs" not in deltalake.DeltaTable(handle.uri).history(1)[0]["engineInfo"]
    prices = [row["price"] for row in sail_lake.read("trusted/order_items")]
    assert prices == ["2.00", "1.00", "1.00", "3.00"]


def test_rows_are_written_beside_those_that_a_deletion_vector_removes(sail_lake):
    sail_lake.rows("trusted/sellers", *(seller(f"s{n}") for n in range(4)))
    handle = sail_lake.table("trusted/sellers")
    log = deltalake.DeltaTable(handle.uri)
    log.alter.add_feature(deltalake.TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)
    log.alter.set_table_properties({"delta.enableDeletionVectors": "true"})
    delta.sql(sail_lake.spark, f"DELETE FROM delta.`{handle.uri}` WHERE seller_id = 's0'").collect()
    delta.append(arrow(sail_lake, "trusted/sellers", seller("s8")), handle)
    changes = arrow(sail_lake, "trusted/sellers", seller("s1", "rio"), seller("s9"))
    delta.merge(sail_lake.spark, changes, handle, RowCounts(inserted=1, updated=1))
    cities = [("s1", "rio"), *((f"s{n}", "None") for n in (2, 3, 8, 9))]
    assert by_engine(sail_lake, "trusted/sellers", "seller_id", "seller_city") == cities


def test_rows_that_do_not_fit_the_declaration_are_refused(sail_lake):
    handle = sail_lake.table("trusted/sellers")
    rows = arrow(sail_lake, "trusted/sellers", seller("s1"))
    with pytest.raises(StepError, match="trusted/sellers: the step's rows lack the columns seller_city"):
        delta.append(rows.drop_columns("seller_city"), handle)
    with pytest.raises(StepError, match="have undeclared columns more"):
        delta.replace(rows.append_column("more", pa.array([1])), handle)
    position = rows.column_names.index("_hash")
    with pytest.raises(StepError, match="trusted/sellers: 1 rows have no value in the NOT NULL column _hash"):
        delta.append(rows.set_column(position, "_hash", pa.nulls(1, pa.int64())), handle)
    assert delta.create_if_missing(handle) == 0


def test_rows_are_written_to_s3(sail_lake, bucket):
    handle = TableHandle("trusted/sellers", f"{bucket}/lake/trusted/sellers")
    rows = arrow(sail_lake, "trusted/sellers", seller("s1", "rio"), seller("s2", "rio"))
    delta.append(rows, handle)
    delta.merge(sail_lake.spark, rows.slice(0, 1), handle, RowCounts(updated=1))
    delta.replace(rows.slice(1, 1), handle)
    assert delta.row_count(handle) == 1
    assert delta.create_if_missing(handle) == 3
