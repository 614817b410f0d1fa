"""Sessions: layers as schemas, one version of each table, parameters."""

import json
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import deltalake
import duckdb
import pytest

from olist_assets.errors import QueryError
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import StepRecord
from olist_assets.lake.table_versions import DeltaLog
from olist_assets.serving.sql.interruption import run_interruptible
from olist_assets.serving.sql.results import rows
from olist_assets.serving.sql.session import Session, connect
from olist_assets_tests.serving.sql.payment_lakes import COUNT, PAYMENTS, STARTED, one, payment
from spark_steps import delta


def test_the_documented_example_works(unchanged):
    lake = connect(unchanged)
    answer = lake.query(f"select payment_type from {PAYMENTS} where payment_value = $value", {"value": "3.25"}).df()
    assert answer.to_dict("records") == [{"payment_type": "boleto"}]
    lake.close()


def test_layers_are_schemas(session):
    query = f"select order_month, sum(payment_value), max(average_installments) from {PAYMENTS} group by 1 order by 1"
    assert [str(row) for row in rows(session.query(query))] == [
        "('2018-01', Decimal('10.50'), 1.5)",
        "('2018-02', Decimal('3.25'), None)",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "with m as (select * from refined.aggregate_payments_per_month) select count(*) from m",
        'select count(*) from "refined"."aggregate_payments_per_month" p',
        "select (select count(*) from refined.aggregate_payments_per_month)",
        "SELECT count(*) FROM Refined.Aggregate_Payments_Per_Month",
        "select count(*) from aggregate_payments_per_month",
        "with recursive n as (select 1 i union all select i + 1 from n where i < 3) select count(*) from n",
        "with a as (select 3 v), b as (select v from a) select v from b",
        "select count(*) from range(3)",
        "select count(*) from (pivot aggregate_payments_per_month on payment_type in ('boleto') using sum(orders))",
    ],
)
def test_tables_are_found_in_every_form_of_a_name(session, statement):
    assert one(session, statement) == 3


def test_describe_summarize_and_explain_answer(session):
    described = rows(session.query("describe aggregate_payments_per_month"))
    assert [(name, type_) for name, type_, *_ in described][:2] == [
        ("order_month", "VARCHAR"),
        ("payment_type", "VARCHAR"),
    ]
    summary = session.query(f"summarize select payment_value from {PAYMENTS}")
    assert [str(value) for value in rows(summary.select("column_name", "min", "max"))[0]] == [
        "payment_value",
        "0.00",
        "10.50",
    ]
    for prefix in ("explain", "-- why?\nEXPLAIN ANALYZE"):
        [[_, plan]] = rows(session.query(f"{prefix} {COUNT}"))
        assert "AGGREGATE" in plan


def test_ctrl_c_ends_a_query_and_the_session_goes_on(session):
    endless = "select count(*) from range(100_000_000_000)"
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_interruptible(session, lambda: rows(session.query(endless)))
    assert one(session, "select 42") == 42
    assert time.monotonic() - started < 10


def test_a_session_that_cannot_start_leaves_no_connection(unchanged, monkeypatch):
    opened = []

    def fail(session: Session) -> None:
        opened.append(session._connection)  # noqa: SLF001 - the connection that must be closed
        raise duckdb.IOException("IO Error: no such extension")

    monkeypatch.setattr(Session, "_prepare", fail)
    with pytest.raises(QueryError, match=r"^no such extension$"):
        connect(unchanged)
    with pytest.raises(duckdb.ConnectionException):
        opened[0].execute("select 1")


# --- Versions ------------------------------------------------------------------------------------------------------


def test_a_session_reads_one_version_of_each_table_during_writes(sail_lake, payments):
    with connect(payments) as old, connect(payments) as unused:
        assert one(old, COUNT) == 3
        sail_lake.rows("refined/aggregate_payments_per_month", payment("2018-03", "boleto", "1.00"))
        sail_lake.rows("trusted/sellers", {"seller_id": "s1"})
        assert one(old, COUNT) == 3
        assert one(unused, COUNT) == 3  # the version is resolved at the start, not at the first query
        assert old.versions == {"refined/aggregate_payments_per_month": 1}
        with pytest.raises(QueryError, match=r"^trusted\.sellers has not been written yet; run `olist run`$"):
            old.query("select * from trusted.sellers")
    with connect(payments) as new:
        assert one(new, COUNT) == 4
        assert new.versions == {"refined/aggregate_payments_per_month": 2, "trusted/sellers": 1}


@pytest.fixture
def history(sail_lake):
    """The handle of a table that was created at 3:00 and appended to at 4:00 and 5:00."""
    handle = sail_lake.table("trusted/sellers")
    delta.create_if_missing(handle)
    for seller in ("s1", "s2"):
        sail_lake.rows("trusted/sellers", {"seller_id": seller})
    for version in range(3):
        commit = Path(f"{handle.uri}/_delta_log/{version:020}.json")
        lines = [json.loads(line) for line in commit.read_text().splitlines()]
        for line in lines:
            if "commitInfo" in line:
                line["commitInfo"]["timestamp"] = int((STARTED + timedelta(hours=version)).timestamp() * 1000)
        commit.write_text("\n".join(map(json.dumps, lines)))
    return handle


@pytest.mark.parametrize(
    ("time", "version", "sellers"),
    [
        ("2018-05-10T03:00:00Z", 0, []),
        ("2018-05-10T03:59:59.999Z", 0, []),
        ("2018-05-10T04:00:00", 1, ["s1"]),
        ("2018-05-10T06:59:00+02:00", 1, ["s1"]),
        ("2018-05-10T07:00:00+02:00", 2, ["s1", "s2"]),
        ("2118-01-01", 2, ["s1", "s2"]),
    ],
)
def test_as_of_reads_the_versions_of_that_time(sail_lake, history, time, version, sellers):
    with connect(str(sail_lake.root), as_of=datetime.fromisoformat(time)) as session:
        assert session.versions == {history.id: version}
        answer = rows(session.query("select seller_id from trusted.sellers order by 1"))
        assert [seller for [seller] in answer] == sellers


@pytest.mark.usefixtures("history")
def test_before_a_table_existed_the_error_has_its_name_and_the_times(sail_lake):
    with connect(str(sail_lake.root), as_of=datetime(2018, 5, 10, 2, 59, 59, tzinfo=UTC)) as session:
        assert session.versions == {}
        with pytest.raises(QueryError) as raised:
            session.query("select * from trusted.sellers")
    assert str(raised.value) == (
        "trusted.sellers did not exist at 2018-05-10 02:59:59 UTC: it was created at 2018-05-10 03:00:00 UTC"
    )


def test_a_history_that_was_cleaned_up_is_a_one_line_error(sail_lake, history):
    table = deltalake.DeltaTable(history.uri)
    table.create_checkpoint()
    log = Path(history.uri) / "_delta_log"
    (log / f"{0:020}.json").unlink()
    root = str(sail_lake.root)
    with connect(root, as_of=STARTED) as session, pytest.raises(QueryError) as raised:
        session.query("select * from trusted.sellers")
    assert str(raised.value) == (
        "trusted.sellers at 2018-05-10 03:00:00 UTC is no longer available: its oldest version, 1, "
        "is of 2018-05-10 04:00:00 UTC"
    )
    with connect(root, as_of=STARTED + timedelta(hours=1)) as session, pytest.raises(QueryError) as raised:
        session.query("select * from trusted.sellers")
    assert "trusted.sellers cannot be read at version 1: " in str(raised.value)
    assert str(raised.value).endswith("; its history may have been cleaned up")
    with connect(root) as session:
        assert one(session, "select count(*) from trusted.sellers") == 2


def test_vacuumed_files_are_a_one_line_error(sail_lake, payments):
    deltalake.DeltaTable(f"{payments}/refined/aggregate_payments_per_month").delete()
    for file in Path(f"{payments}/refined/aggregate_payments_per_month").glob("*.parquet"):
        file.unlink()
    sail_lake.rows("refined/aggregate_payments_per_month", payment("2018-03", "boleto", "1.00"))
    with connect(payments) as session:
        assert one(session, f"select order_month from {PAYMENTS}") == "2018-03"
    before = DeltaLog(session._store, "refined/aggregate_payments_per_month").committed_at(1)  # noqa: SLF001 - the store that it reads
    with connect(payments, as_of=before) as session, pytest.raises(QueryError) as raised:
        one(session, f"select max(order_month) from {PAYMENTS}")
    assert "files of this version have been deleted: start a new session, or query a later time" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_commit_without_a_time_has_the_time_of_its_file(sail_lake, history):
    commit = Path(f"{history.uri}/_delta_log/{2:020}.json")
    commit.write_text("\n".join(line for line in commit.read_text().splitlines() if "commitInfo" not in line))
    with connect(str(sail_lake.root), as_of=datetime(2018, 5, 11, tzinfo=UTC)) as session:
        assert session.versions == {history.id: 1}


def test_control_steps_does_not_change_within_a_session(payments):
    lake = Lake(payments)

    def record(table: str, minute: int) -> None:
        started = STARTED + timedelta(minutes=minute)
        lake.step_records.write(StepRecord(table=table, run_id=f"r{minute}", started_at=started, rows_inserted=minute))

    record("raw/orders", 3)
    record("trusted/orders", 4)
    query = 'select "table", rows_inserted from control.steps order by 1'
    with connect(payments) as session:
        assert rows(session.query(query)) == [("raw/orders", 3), ("trusted/orders", 4)]
        record("raw/sellers", 5)
        assert rows(session.query(query)) == [("raw/orders", 3), ("trusted/orders", 4)]
    with connect(payments, as_of=STARTED + timedelta(minutes=3)) as session:
        assert rows(session.query(query)) == [("raw/orders", 3)]


# --- Parameters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "value", "count"),
    [
        ("payment_type = $x", "boleto", 2),
        ("payment_value > $x", "3", 2),
        ("payment_value > $x", 3, 2),
        ("average_installments is not distinct from $x", None, 1),
        ("payment_type in ($x)", "boleto' or '1'='1", 0),
        ("payment_type = $x", "'; drop view refined.aggregate_payments_per_month; --", 0),
        ("payment_type = $x", 'boleto" or true --', 0),
        ("payment_type like $x", "boleto\\", 0),
        ("payment_type = $x", "(select payment_type from aggregate_payments_per_month limit 1)", 0),
        ("payment_type = $x", "$x", 0),
    ],
)
def test_a_parameter_is_always_one_value(session, condition, value, count):
    assert one(session, f"{COUNT} where {condition}", x=value) == count
    assert one(session, "select $x::varchar", x=value) == (None if value is None else str(value))
    assert one(session, COUNT) == 3


@pytest.mark.parametrize(
    ("statement", "parameters", "error"),
    [
        ("select $a, $b, $c", {"b": 1}, "the statement needs a value for $a, $c"),
        ("select $a", {"a": 1, "b": 1, "c": 1}, "the statement has no $b, $c"),
        ("select 1", {"a": 1}, "the statement has no $a"),
        ("select ?", {}, "write parameters as $name, not ? or $1"),
        (f"{COUNT} where payments = $a", {"a": "one"}, "Conversion Error: Could not convert string 'one' to INT64"),
    ],
)
def test_an_unfit_parameter_is_a_one_line_error(session, statement, parameters, error):
    with pytest.raises(QueryError) as raised:
        rows(session.query(statement, parameters))
    assert str(raised.value) == error
