"""Tables are created as declared; each write is one commit with its metrics."""

import json
import shutil
from datetime import date
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest

from spark_steps import delta
from spark_steps.delta import CommitMetrics
from spark_steps.protocol import FileCounts, RowCounts, StepError, Window
from spark_steps.tables import TABLES

MAY_10, MAY_11, MAY_12 = date(2018, 5, 10), date(2018, 5, 11), date(2018, 5, 12)

_LINEAGE = {
    "_landing_date": "2018-05-10",
    "_extracted_at": "2018-05-10 03:00:00",
    "_file_id": "0000000000000001",
    "_file_name": "f.csv",
    "_run_id": "test",
    "_row": "0",
    "_hash": "0",
}


def rows_of(lake, table_id, *rows):
    """A frame with the table's columns, as text; those left out are null or lineage defaults."""
    full = [_LINEAGE | row for row in rows]
    columns = TABLES[table_id].column_names
    return lake.spark.createDataFrame(pa.table({c: pa.array([r.get(c) for r in full], pa.string()) for c in columns}))


def seller(seller_id, day=MAY_10, **more):
    return {"seller_id": seller_id, "_landing_date": str(day)} | more


def order(order_id, month="2018-05", **more):
    purchased = f"{month}-01 10:00:00"
    return {
        "order_id": order_id,
        "customer_id": "c",
        "order_purchase_timestamp": purchased,
        "order_month": month,
    } | more


def orders(lake):
    return [tuple(r.values()) for r in lake.read("trusted/orders", "order_id", "order_status", "order_month")]


def sellers(lake):
    return [tuple(r.values()) for r in lake.read("raw/sellers", "_landing_date", "seller_id")]


def log_of(handle):
    return deltalake.DeltaTable(handle.uri)


def size_of(handle, version):
    """Bytes and files of a version, on disk."""
    files = deltalake.DeltaTable(handle.uri, version=version).file_uris()
    return sum(Path(file).stat().st_size for file in files), len(files)


# --- Creating ------------------------------------------------------------------------------------------------------


def test_a_table_is_created_from_its_declaration(lake):
    handle = lake.table("trusted/order_items")
    assert delta.create_if_missing(handle) == 0
    fields = log_of(handle).schema().fields
    assert [(f.name, f.type.type, f.nullable, f.metadata) for f in fields] == [
        ("order_id", "string", False, {"comment": "the order"}),
        ("order_item_id", "integer", False, {"comment": "position in the order, from 1"}),
        ("product_id", "string", False, {"comment": "the product"}),
        ("seller_id", "string", True, {"comment": "the seller"}),
        ("shipping_limit_date", "timestamp", True, {"comment": "latest time to hand the item to the carrier (UTC)"}),
        ("price", "decimal(12,2)", False, {"comment": "price of the item in BRL"}),
        ("freight_value", "decimal(12,2)", False, {"comment": "freight of the item in BRL"}),
        ("_landing_date", "date", False, {"comment": "day of the delivery (UTC)"}),
        ("_extracted_at", "timestamp", False, {"comment": "when the source wrote the file (UTC)"}),
        ("_file_id", "string", False, {"comment": "first 16 hex digits of the file's SHA-256"}),
        ("_row", "long", False, {"comment": "position in the file, from 0"}),
        ("_hash", "long", False, {"comment": "hash of the non-key values"}),
        ("_received_at", "timestamp", True, {"comment": "when the delivery received the file (UTC)"}),
    ]


@pytest.mark.parametrize(
    ("table_id", "partition", "grain"),
    [
        ("raw/sellers", ["_landing_date"], "a row of a delivered file: a seller, as it landed"),
        ("trusted/orders", ["order_month"], "an order, in its newest state"),
        ("trusted/sellers", [], "a seller, in its newest state"),
        ("quarantine/sellers", ["_landing_date"], "a raw row that is not accepted as a seller"),
    ],
)
def test_a_table_has_its_name_grain_partition_and_the_protocol_of_all_readers(lake, table_id, partition, grain):
    handle = lake.table(table_id)
    delta.create_if_missing(handle)
    found = log_of(handle)
    assert (found.metadata().name, found.metadata().description) == (table_id, grain)
    assert found.metadata().partition_columns == partition
    assert (found.protocol().min_reader_version, found.protocol().min_writer_version) == (1, 2)
    assert not found.protocol().reader_features
    assert not found.protocol().writer_features


@pytest.mark.parametrize("table_id", list(TABLES))
def test_every_declared_table_can_be_created_with_its_columns_in_order(lake, table_id):
    handle = lake.table(table_id)
    assert delta.create_if_missing(handle) == 0
    assert [f.name for f in log_of(handle).schema().fields] == list(TABLES[table_id].column_names)
    assert [f.nullable for f in log_of(handle).schema().fields] == [not c.required for c in TABLES[table_id].columns]


def test_an_existing_table_is_not_changed(lake):
    lake.rows("raw/sellers", {"seller_id": "s1"})
    assert delta.create_if_missing(lake.table("raw/sellers")) == 1
    assert sellers(lake) == [("2018-05-10", "s1")]


def test_writing_keeps_types_nullability_comments_and_protocol(lake):
    handle = lake.table("trusted/orders")
    delta.create_if_missing(handle)
    before = log_of(handle)
    delta.append(rows_of(lake, "trusted/orders", order("o1")), handle)
    merged = rows_of(lake, "trusted/orders", order("o1"), order("o2"))
    delta.merge(lake.spark, merged, handle, RowCounts(inserted=1, updated=1), partitions=["2018-05"])
    delta.replace(rows_of(lake, "trusted/orders", order("o3")), handle)
    after = log_of(handle)
    assert after.version() == 3
    assert after.schema() == before.schema()
    assert after.metadata().partition_columns == ["order_month"]
    assert (after.protocol().min_reader_version, after.protocol().min_writer_version) == (1, 2)


# --- Appending -----------------------------------------------------------------------------------------------------


def test_appending_reports_rows_files_and_bytes(lake):
    handle = lake.table("raw/sellers")
    commit = delta.append(rows_of(lake, "raw/sellers", seller("s1"), seller("s2"), seller("s3", MAY_11)), handle)
    size, files = size_of(handle, 1)
    assert commit == CommitMetrics(
        version_before=0,
        version_after=1,
        rows=RowCounts(inserted=3),
        files=FileCounts(added=files, bytes_added=size),
    )
    assert sellers(lake) == [("2018-05-10", "s1"), ("2018-05-10", "s2"), ("2018-05-11", "s3")]


def test_appending_no_rows_commits_nothing(lake):
    handle = lake.table("raw/sellers")
    lake.rows("raw/sellers", seller("s1"))
    none = rows_of(lake, "raw/sellers", seller("s2")).where("seller_id IS NULL")
    assert delta.append(none, handle) == CommitMetrics(version_before=1, version_after=1)


def test_an_empty_commit_has_zero_metrics_and_creates_the_table(lake):
    handle = lake.table("raw/sellers")
    assert delta.empty_commit(handle) == CommitMetrics(version_before=0, version_after=0)
    assert deltalake.DeltaTable.is_deltatable(handle.uri)


# --- Replacing -----------------------------------------------------------------------------------------------------


@pytest.mark.spark
def test_replacing_a_window_leaves_the_other_days_alone(lake):
    lake.rows(
        "raw/sellers", seller("s9", date(2018, 5, 9)), seller("s10"), seller("s11", MAY_11), seller("s12", MAY_12)
    )
    handle = lake.table("raw/sellers", Window(MAY_10, MAY_12))
    commit = delta.replace(rows_of(lake, "raw/sellers", seller("new 10"), seller("new 10 too")), handle)
    assert sellers(lake) == [
        ("2018-05-09", "s9"),
        ("2018-05-10", "new 10"),
        ("2018-05-10", "new 10 too"),
        ("2018-05-12", "s12"),
    ]
    assert (commit.version_before, commit.version_after, commit.rows.inserted, commit.files.removed) == (1, 2, 2, 2)


def test_replacing_a_window_with_no_rows_empties_it(lake):
    lake.rows("raw/sellers", seller("s10"), seller("s11", MAY_11))
    handle = lake.table("raw/sellers", Window.from_day(MAY_10))
    none = rows_of(lake, "raw/sellers", seller("x")).where("seller_id IS NULL")
    commit = delta.replace(none, handle)
    assert sellers(lake) == [("2018-05-11", "s11")]
    assert (commit.version_before, commit.version_after, commit.rows.inserted, commit.files.removed) == (1, 2, 0, 1)
    assert delta.replace(none, handle) == CommitMetrics(version_before=2, version_after=2)


def test_replacing_without_a_window_replaces_the_whole_table(lake):
    lake.rows("raw/sellers", seller("s10"), seller("s11", MAY_11))
    handle = lake.table("raw/sellers")
    removed, _ = size_of(handle, 1)
    commit = delta.replace(rows_of(lake, "raw/sellers", seller("s12", MAY_12)), handle)
    added, _ = size_of(handle, 2)
    assert sellers(lake) == [("2018-05-12", "s12")]
    assert commit == CommitMetrics(
        version_before=1,
        version_after=2,
        rows=RowCounts(inserted=1),
        files=FileCounts(added=1, removed=2, bytes_added=added, bytes_removed=removed),
    )


# --- Merging -------------------------------------------------------------------------------------------------------


@pytest.mark.spark
def test_merging_updates_rows_with_a_known_key_and_inserts_the_others(lake):
    handle = lake.table("trusted/orders")
    lake.rows("trusted/orders", order("o1", order_status="created"), order("o2", order_status="created"))
    changes = rows_of(lake, "trusted/orders", order("o2", order_status="shipped"), order("o3", order_status="created"))
    commit = delta.merge(lake.spark, changes, handle, RowCounts(inserted=1, updated=1), partitions=["2018-05"])
    assert orders(lake) == [
        ("o1", "created", "2018-05"),
        ("o2", "shipped", "2018-05"),
        ("o3", "created", "2018-05"),
    ]
    assert (commit.version_before, commit.version_after) == (1, 2)
    assert (commit.rows.inserted, commit.rows.updated, commit.rows.deleted) == (1, 1, 0)
    assert commit.files.added > 0
    assert commit.files.removed == 1
    assert commit.files.bytes_removed == size_of(handle, 1)[0]


def test_merging_null_over_a_value_leaves_null(lake):
    lake.rows("trusted/orders", order("o1", order_status="created"))
    changes = rows_of(lake, "trusted/orders", order("o1"))
    delta.merge(lake.spark, changes, lake.table("trusted/orders"), RowCounts(updated=1), partitions=["2018-05"])
    assert orders(lake) == [("o1", None, "2018-05")]


def test_merging_moves_a_row_to_its_new_partition(lake):
    handle = lake.table("trusted/orders")
    lake.rows("trusted/orders", order("o1"), order("o2"))
    changes = rows_of(lake, "trusted/orders", order("o1", "2018-06"))
    commit = delta.merge(lake.spark, changes, handle, RowCounts(updated=1), partitions=["2018-05", "2018-06"])
    assert orders(lake) == [("o1", None, "2018-06"), ("o2", None, "2018-05")]
    assert (commit.rows.inserted, commit.rows.updated) == (0, 1)


def test_merging_by_two_key_columns_matches_on_both(lake):
    def item(position, price):
        return {
            "order_id": "o1",
            "order_item_id": position,
            "product_id": "p",
            "price": price,
            "freight_value": "0.00",
        }

    lake.rows("trusted/order_items", item("1", "10.00"), item("2", "20.00"))
    changes = rows_of(lake, "trusted/order_items", item("2", "21.00"), item("3", "30.00"))
    commit = delta.merge(lake.spark, changes, lake.table("trusted/order_items"), RowCounts(inserted=1, updated=1))
    assert lake.read("trusted/order_items", "order_id", "order_item_id", "price") == [
        {"order_id": "o1", "order_item_id": 1, "price": "10.00"},
        {"order_id": "o1", "order_item_id": 2, "price": "21.00"},
        {"order_id": "o1", "order_item_id": 3, "price": "30.00"},
    ]
    assert (commit.rows.inserted, commit.rows.updated) == (1, 1)


def test_merging_no_rows_commits_nothing(lake):
    lake.rows("trusted/orders", order("o1"))
    none = rows_of(lake, "trusted/orders", order("o1", order_status="shipped")).where("order_id IS NULL")
    commit = delta.merge(lake.spark, none, lake.table("trusted/orders"), RowCounts(), partitions=["2018-05"])
    assert commit == CommitMetrics(version_before=1, version_after=1)
    assert orders(lake) == [("o1", None, "2018-05")]


def test_merging_a_partition_whose_name_needs_quoting(lake):
    lake.rows("trusted/orders", order("o1", order_month="o'month\\"))
    changes = rows_of(lake, "trusted/orders", order("o1", order_month="o'month\\", order_status="shipped"))
    delta.merge(lake.spark, changes, lake.table("trusted/orders"), RowCounts(updated=1), partitions=["o'month\\"])
    assert orders(lake) == [("o1", "shipped", "o'month\\")]


# --- Tables of an earlier release ----------------------------------------------------------------------------------


def test_a_table_without_a_new_column_gets_it_and_its_rows_stay(lake):
    create_without(lake, "_received_at")
    delta.append(
        rows_of(lake, "raw/sellers", seller("s2", _received_at="2018-05-10 04:00:00")), lake.table("raw/sellers")
    )
    assert lake.read("raw/sellers", "seller_id", "_received_at") == [
        {"seller_id": "s1", "_received_at": None},
        {"seller_id": "s2", "_received_at": "2018-05-10 04:00:00"},
    ]


def test_a_table_without_a_new_required_column_is_refused(lake):
    create_without(lake, "_run_id")
    with pytest.raises(StepError) as refused:
        delta.append(rows_of(lake, "raw/sellers", seller("s2")), lake.table("raw/sellers"))
    assert str(refused.value) == (
        "raw/sellers: the table was written without the column _run_id: recompute it with `olist rebuild raw/sellers`"
    )


def create_without(lake, column):
    """Write a table of sellers with one row that lacks a column."""
    lake.rows("raw/sellers", seller("s1"))
    handle = lake.table("raw/sellers")
    rows = log_of(handle).to_pyarrow_table().drop_columns([column])
    shutil.rmtree(handle.uri)
    deltalake.write_deltalake(handle.uri, rows, partition_by=["_landing_date"])


# --- What is refused -----------------------------------------------------------------------------------------------


def test_rows_with_a_missing_and_an_undeclared_column_are_refused(lake):
    rows = rows_of(lake, "raw/sellers", seller("s1")).withColumnRenamed("seller_city", "city").drop("_text")
    with pytest.raises(StepError) as refused:
        delta.append(rows, lake.table("raw/sellers"))
    assert str(refused.value) == (
        "raw/sellers: the step's rows lack the columns _text, seller_city and have undeclared columns city"
    )
    assert lake.read("raw/sellers") == []


def test_rows_with_a_missing_column_are_refused(lake):
    rows = rows_of(lake, "raw/sellers", seller("s1")).drop("_text")
    with pytest.raises(StepError) as refused:
        delta.align_to_schema(rows, TABLES["raw/sellers"])
    assert str(refused.value) == "raw/sellers: the step's rows lack the columns _text"


def test_rows_with_an_undeclared_column_are_refused(lake):
    rows = rows_of(lake, "raw/sellers", seller("s1")).selectExpr("*", "seller_city AS city")
    with pytest.raises(StepError) as refused:
        delta.align_to_schema(rows, TABLES["raw/sellers"])
    assert str(refused.value) == "raw/sellers: the step's rows have undeclared columns city"


def test_rows_are_brought_into_the_declared_order_and_types(lake):
    rows = rows_of(lake, "trusted/order_payments", {"payment_value": "58.9"})
    mixed = delta.align_to_schema(rows.select(*reversed(rows.columns)), TABLES["trusted/order_payments"])
    assert mixed.dtypes == [
        ("order_id", "string"),
        ("payment_sequential", "int"),
        ("payment_type", "string"),
        ("payment_installments", "int"),
        ("payment_value", "decimal(12,2)"),
        ("_landing_date", "date"),
        ("_extracted_at", "timestamp"),
        ("_file_id", "string"),
        ("_row", "bigint"),
        ("_hash", "bigint"),
        ("_received_at", "timestamp"),
    ]


@pytest.mark.parametrize("column", ["order_id", "customer_id", "order_purchase_timestamp", "_hash"])
def test_null_in_a_required_column_is_refused_by_every_kind_of_write(lake, column):
    handle = lake.table("trusted/orders")
    lake.rows("trusted/orders", order("o1"))
    rows = rows_of(lake, "trusted/orders", order("o1") | {column: None}, order("o2"))
    writes = (
        delta.append,
        delta.replace,
        lambda r, h: delta.merge(lake.spark, r, h, RowCounts(updated=2), partitions=["2018-05"]),
    )
    for write in writes:
        with pytest.raises(Exception, match=rf"NOT NULL.*{column}"):
            write(rows, handle)
    assert delta.create_if_missing(handle) == 1
    assert orders(lake) == [("o1", None, "2018-05")]


def test_null_in_a_required_column_of_a_filtered_row_is_ignored(lake):
    handle = lake.table("trusted/orders")
    lake.rows("trusted/orders", order("o1"))
    rows = rows_of(lake, "trusted/orders", order(None, order_status="lost"), order("o1", order_status="shipped"))
    kept = rows.where("order_status = 'shipped'")
    delta.merge(lake.spark, kept, handle, RowCounts(updated=1), partitions=["2018-05"])
    assert orders(lake) == [("o1", "shipped", "2018-05")]
    delta.replace(kept, handle)
    assert orders(lake) == [("o1", "shipped", "2018-05")]
    delta.append(kept, handle)
    assert orders(lake) == [("o1", "shipped", "2018-05"), ("o1", "shipped", "2018-05")]


# --- Reading and counting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "ids"),
    [
        (None, ["s10", "s11", "s11 too", "s12"]),
        (Window.from_day(MAY_11), ["s11", "s11 too"]),
        (Window(MAY_10, MAY_12), ["s10", "s11", "s11 too"]),
        (Window(MAY_12, date(2018, 6, 1)), ["s12"]),
        (Window.from_day(date(2018, 5, 13)), []),
        (Window.from_day(date(2018, 5, 9)), []),
    ],
)
def test_the_rows_of_a_window_are_read_and_counted(lake, window, ids):
    lake.rows("raw/sellers", seller("s10"), seller("s11", MAY_11), seller("s12", MAY_12))
    lake.rows("raw/sellers", seller("s11 too", MAY_11))
    handle = lake.table("raw/sellers", window)
    assert sorted(row["seller_id"] for row in delta.read(lake.spark, handle).collect()) == ids
    assert delta.row_count(handle) == len(ids)
    assert sum(delta.rows_by_day(handle).values()) == len(ids)


def test_rows_are_counted_by_landing_date_over_all_files_of_the_window(lake):
    for _ in range(2):
        lake.rows("raw/sellers", *(seller(f"s{n}", day) for n, day in enumerate((MAY_12, MAY_11, MAY_10, MAY_11))))
    handle = lake.table("raw/sellers", Window(MAY_10, MAY_12))
    assert list(delta.rows_by_day(handle).items()) == [(MAY_10, 2), (MAY_11, 4)]


def test_a_table_that_was_never_written_has_no_rows(lake):
    assert delta.row_count(lake.table("raw/sellers")) == 0
    assert delta.row_count(lake.table("raw/orders", Window.from_day(MAY_10))) == 0
    assert delta.rows_by_day(lake.table("raw/sellers")) == {}
    assert delta.read(lake.spark, lake.table("raw/customers")).collect() == []


def test_rows_that_were_replaced_or_merged_away_are_not_counted(lake):
    handle = lake.table("trusted/orders")
    lake.rows("trusted/orders", order("o1"), order("o2"), order("o3", "2018-06"))
    merged = rows_of(lake, "trusted/orders", order("o1"))
    delta.merge(lake.spark, merged, handle, RowCounts(updated=1), partitions=["2018-05"])
    assert delta.row_count(handle) == 3
    delta.replace(rows_of(lake, "trusted/orders", order("o1")), handle)
    assert delta.row_count(handle) == 1


@pytest.mark.parametrize(
    "text", ["plain", "o'brien", "back\\slash", "\\'", "'; DROP TABLE x; --", "são \U0001f600", ""]
)
def test_a_sql_literal_evaluates_to_its_text(spark, text):
    [row] = spark.sql(f"SELECT {delta.sql_literal(text)} AS text").collect()
    assert row["text"] == text


def test_a_sql_literal_written_out():
    assert delta.sql_literal("a'b\\c") == "'a\\'b\\\\c'"


def test_a_fraction_that_all_rows_of_a_file_share_is_read_back_exactly(lake):
    """Sail takes such a value from the statistics of the log, where its text is not exact."""
    second = 1 / 86400
    point = {"geolocation_zip_code_prefix": "01001", "geolocation_city": "x", "geolocation_state": "SP"}
    lake.rows("trusted/geolocation", point | {"geolocation_lat": second, "geolocation_lng": second})
    table = lake.table("trusted/geolocation")
    delta.append(delta.read(lake.spark, table), table)
    assert [row["geolocation_lat"] for row in delta.read(lake.spark, table).collect()] == [second, second]


def test_a_data_frame_is_pinned_to_the_version_at_the_call(lake):
    table = lake.table("trusted/orders")
    lake.rows("trusted/orders", order("o1"))
    rows = delta.read(lake.spark, table)
    lake.rows("trusted/orders", order("o2"))
    assert [row["order_id"] for row in rows.collect()] == ["o1"]
    assert delta.read(lake.spark, table).count() == 2


# --- Tables that another engine has changed ------------------------------------------------------------------------


def delete_by_vector(lake, table_id, condition):
    """Delete rows as engines do that enable deletion vectors: the data files stay."""
    handle = lake.table(table_id)
    files = log_of(handle).file_uris()
    log = log_of(handle)
    if not log.protocol().reader_features:
        log.alter.add_feature(deltalake.TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)
        log.alter.set_table_properties({"delta.enableDeletionVectors": "true"})
    delta.sql(lake.spark, f"DELETE FROM delta.`{handle.uri}` WHERE {condition}").collect()
    assert set(log_of(handle).file_uris()) <= set(files)


def ids(lake, handle):
    return sorted(row.seller_id for row in delta.read(lake.spark, handle).select("seller_id").collect())


def test_rows_that_a_deletion_vector_removes_are_neither_read_nor_counted(sail_lake):
    sail_lake.rows("raw/sellers", *(seller(f"a{n}") for n in range(4)), *(seller(f"b{n}", MAY_11) for n in range(3)))
    delete_by_vector(sail_lake, "raw/sellers", "seller_id IN ('a0', 'a2', 'b1')")
    handle = sail_lake.table("raw/sellers")
    assert pa.table(log_of(handle).deletion_vectors()).num_rows == 2
    assert delta.row_count(handle) == 4
    assert delta.rows_by_day(handle) == {MAY_10: 2, MAY_11: 2}
    assert delta.row_count(sail_lake.table("raw/sellers", Window.from_day(MAY_11))) == 2
    assert ids(sail_lake, handle) == ["a1", "a3", "b0", "b2"]
    delta.append(rows_of(sail_lake, "raw/sellers", seller("a9")), handle)
    assert delta.rows_by_day(handle) == {MAY_10: 3, MAY_11: 2}
    day = sail_lake.table("raw/sellers", Window.from_day(MAY_10))
    delta.replace(rows_of(sail_lake, "raw/sellers", seller("c0")), day)
    assert delta.rows_by_day(handle) == {MAY_10: 1, MAY_11: 2}
    assert ids(sail_lake, handle) == ["b0", "b2", "c0"]


def test_a_day_whose_rows_are_all_deleted_has_no_entry(sail_lake):
    sail_lake.rows("raw/sellers", seller("a"), seller("b", MAY_11), seller("c", MAY_11))
    delete_by_vector(sail_lake, "raw/sellers", "seller_id = 'b'")
    delete_by_vector(sail_lake, "raw/sellers", "seller_id = 'c'")
    assert delta.rows_by_day(sail_lake.table("raw/sellers")) == {MAY_10: 1}


def test_paths_of_partitions_that_are_encoded_are_matched_to_their_vectors(sail_lake):
    sail_lake.rows("trusted/orders", *(order(f"o{n}") | {"order_month": "2018 / 05"} for n in "123"))
    delete_by_vector(sail_lake, "trusted/orders", "order_id = 'o1'")
    assert delta.row_count(sail_lake.table("trusted/orders")) == 2


def test_a_table_without_partitions_is_merged_after_a_deletion_vector(sail_lake):
    sail_lake.rows("trusted/sellers", *(seller(f"s{n}") for n in range(5)))
    delete_by_vector(sail_lake, "trusted/sellers", "seller_id = 's0'")
    handle = sail_lake.table("trusted/sellers")
    changed = rows_of(sail_lake, "trusted/sellers", seller("s1", seller_city="rio"), seller("s9"))
    commit = delta.merge(sail_lake.spark, changed, handle, RowCounts(inserted=1, updated=1))
    assert (commit.rows.inserted, commit.rows.updated) == (1, 1)
    assert delta.row_count(handle) == 5
    assert ids(sail_lake, handle) == ["s1", "s2", "s3", "s4", "s9"]


def test_all_rows_are_accounted_for_after_a_deletion_vector(sail_lake):
    sail_lake.load(
        "sellers", "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns1,1,a,SP\ns2,1,a,SP\ns3,1,a,SP\n"
    )
    delete_by_vector(sail_lake, "raw/sellers", "seller_id = 's2'")
    result = sail_lake.run("trusted/sellers")
    assert {check.name: check.failed_rows for check in result.checks}["rows_accounted_for"] == 0
    assert result.rows.read == 2


@pytest.mark.parametrize(
    "feature", ["columnMapping", "typeWidening", "v2Checkpoint", "catalogManaged", "aFeatureOfALaterRelease"]
)
def test_a_reader_feature_that_is_not_supported_is_named_with_the_cure(sail_lake, feature):
    sail_lake.rows("raw/sellers", seller("s1"))
    handle = sail_lake.table("raw/sellers")
    features = {"readerFeatures": [feature], "writerFeatures": [feature]}
    protocol = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}}
    Path(handle.uri, "_delta_log", f"{2:020}.json").write_text(json.dumps(protocol) + "\n")
    name = "catalog-managed" if feature == "catalogManaged" else feature
    for use in (delta.row_count, delta.create_if_missing, lambda handle: delta.read(sail_lake.spark, handle)):
        with pytest.raises(StepError) as error:
            use(handle)
        assert str(error.value).startswith(f"raw/sellers: another engine has set the reader feature {name}, which")
        assert "DROP FEATURE" in str(error.value)


def test_files_without_statistics_are_named_with_the_cure(sail_lake):
    sail_lake.rows("raw/sellers", seller("s1"))
    handle = sail_lake.table("raw/sellers")
    commit = Path(handle.uri, "_delta_log", f"{1:020}.json")
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    for action in actions:
        action.get("add", {}).pop("stats", None)
    commit.write_text("".join(json.dumps(action) + "\n" for action in actions))
    assert ids(sail_lake, handle) == ["s1"]
    with pytest.raises(StepError, match="raw/sellers: the log has no number of rows for 1 files"):
        delta.row_count(handle)
