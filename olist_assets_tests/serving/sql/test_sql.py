"""SQL over the lake: layers as schemas, one version of each table a session, and nothing but reading."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import deltalake
import duckdb
import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets.errors import OlistError
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import StepRecord
from olist_assets.lake.table_versions import DeltaLog
from olist_assets.serving.sql.results import rows
from olist_assets.serving.sql.session import Session, connect, nearest
from olist_assets_tests.lakes import TestLake
from spark_steps import delta

PAYMENTS = "refined.aggregate_payments_per_month"
COUNT = f"select count(*) from {PAYMENTS}"
STARTED = datetime(2018, 5, 10, 3, tzinfo=UTC)


def payment(month: str, kind: str, value: str) -> dict[str, object]:
    return {
        "order_month": month,
        "payment_type": kind,
        "payment_value": value,
        "payments": 1,
        "orders": 1,
        "average_installments": 1.5,
    }


def three_payments(lake: TestLake) -> str:
    """Write three payments in two months; returns the lake's root."""
    lake.rows(
        "refined/aggregate_payments_per_month",
        payment("2018-01", "boleto", "10.50"),
        payment("2018-01", "voucher", "0.00"),
        payment("2018-02", "boleto", "3.25") | {"average_installments": None},
    )
    return str(lake.root)


@pytest.fixture
def payments(sail_lake):
    """The root of a lake with three payments in two months."""
    return three_payments(sail_lake)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """The root of such a lake that tests only read."""
    return three_payments(TestLake(tmp_path_factory.mktemp("unchanged") / "lake", SailEngine()))


@pytest.fixture
def session(unchanged):
    """A session over that lake."""
    with connect(unchanged) as session:
        yield session


def one(session: Session, sql: str, **parameters: object) -> object:
    """The only value of a result."""
    [[value]] = rows(session.query(sql, parameters))
    return value


def test_the_three_lines_of_the_documentation(unchanged):
    lake = connect(unchanged)
    found = lake.query(f"select payment_type from {PAYMENTS} where payment_value = $value", {"value": "3.25"}).df()
    assert found.to_dict("records") == [{"payment_type": "boleto"}]
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
def test_a_table_is_found_however_it_is_named(session, statement):
    assert one(session, statement) == 3


def test_describe_summarize_and_explain_answer(session):
    described = rows(session.query("describe aggregate_payments_per_month"))
    assert [(name, kind) for name, kind, *_ in described][:2] == [
        ("order_month", "VARCHAR"),
        ("payment_type", "VARCHAR"),
    ]
    summary = session.query(f"summarize select payment_value from {PAYMENTS}")
    assert [str(value) for value in rows(summary.select("column_name", "min", "max"))[0]] == [
        "payment_value",
        "0.00",
        "10.50",
    ]
    for how in ("explain", "-- why?\nEXPLAIN ANALYZE"):
        [[_, plan]] = rows(session.query(f"{how} {COUNT}"))
        assert "AGGREGATE" in plan


# --- Versions ------------------------------------------------------------------------------------------------------


def test_a_session_reads_one_version_of_each_table_whatever_is_written_meanwhile(sail_lake, payments):
    with connect(payments) as old, connect(payments) as unasked:
        assert one(old, COUNT) == 3
        sail_lake.rows("refined/aggregate_payments_per_month", payment("2018-03", "boleto", "1.00"))
        sail_lake.rows("trusted/sellers", {"seller_id": "s1"})
        assert one(old, COUNT) == 3
        assert one(unasked, COUNT) == 3  # pinned when it starts, not when the table is first asked for
        assert old.versions == {"refined/aggregate_payments_per_month": 1}
        with pytest.raises(OlistError, match=r"^trusted\.sellers has not been written yet; run `olist run`$"):
            old.query("select * from trusted.sellers")
    with connect(payments) as new:
        assert one(new, COUNT) == 4
        assert new.versions == {"refined/aggregate_payments_per_month": 2, "trusted/sellers": 1}


@pytest.fixture
def history(sail_lake):
    """Of a table that was created at 3:00, and appended to at 4:00 and 5:00, the handle."""
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
    ("time", "version", "found"),
    [
        ("2018-05-10T03:00:00Z", 0, []),
        ("2018-05-10T03:59:59.999Z", 0, []),
        ("2018-05-10T04:00:00", 1, ["s1"]),
        ("2018-05-10T06:59:00+02:00", 1, ["s1"]),
        ("2018-05-10T07:00:00+02:00", 2, ["s1", "s2"]),
        ("2118-01-01", 2, ["s1", "s2"]),
    ],
)
def test_a_lake_is_read_as_it_was_at_a_time(sail_lake, history, time, version, found):
    with connect(str(sail_lake.root), as_of=datetime.fromisoformat(time)) as session:
        assert session.versions == {history.id: version}
        assert [seller for [seller] in rows(session.query("select seller_id from trusted.sellers order by 1"))] == found


@pytest.mark.usefixtures("history")
def test_before_a_table_existed_its_name_and_the_time_are_told(sail_lake):
    with connect(str(sail_lake.root), as_of=datetime(2018, 5, 10, 2, 59, 59, tzinfo=UTC)) as session:
        assert session.versions == {}
        with pytest.raises(OlistError) as raised:
            session.query("select * from trusted.sellers")
    assert str(raised.value) == (
        "trusted.sellers did not exist at 2018-05-10 02:59:59 UTC: it was created at 2018-05-10 03:00:00 UTC"
    )


def test_a_history_that_was_cleaned_up_is_told_in_one_line(sail_lake, history):
    table = deltalake.DeltaTable(history.uri)
    table.create_checkpoint()
    log = Path(history.uri) / "_delta_log"
    (log / f"{0:020}.json").unlink()
    root = str(sail_lake.root)
    with connect(root, as_of=STARTED) as session, pytest.raises(OlistError) as raised:
        session.query("select * from trusted.sellers")
    assert str(raised.value) == (
        "trusted.sellers at 2018-05-10 03:00:00 UTC is not known any more: the oldest version left, 1, "
        "is of 2018-05-10 04:00:00 UTC"
    )
    with connect(root, as_of=STARTED + timedelta(hours=1)) as session, pytest.raises(OlistError) as raised:
        session.query("select * from trusted.sellers")
    assert "trusted.sellers cannot be read at version 1: " in str(raised.value)
    assert str(raised.value).endswith("; its history may have been cleaned up")
    with connect(root) as session:
        assert one(session, "select count(*) from trusted.sellers") == 2


def test_files_that_were_vacuumed_are_told_in_one_line(sail_lake, payments):
    deltalake.DeltaTable(f"{payments}/refined/aggregate_payments_per_month").delete()
    for file in Path(f"{payments}/refined/aggregate_payments_per_month").glob("*.parquet"):
        file.unlink()
    sail_lake.rows("refined/aggregate_payments_per_month", payment("2018-03", "boleto", "1.00"))
    with connect(payments) as session:
        assert one(session, f"select order_month from {PAYMENTS}") == "2018-03"
    before = DeltaLog(session._store, "refined/aggregate_payments_per_month").committed_at(1)  # noqa: SLF001 - as it reads it
    with connect(payments, as_of=before) as session, pytest.raises(OlistError) as raised:
        one(session, f"select max(order_month) from {PAYMENTS}")
    assert "files of this version are gone: start anew, or ask as of a later time" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_commit_without_a_time_is_as_old_as_its_file(sail_lake, history):
    commit = Path(f"{history.uri}/_delta_log/{2:020}.json")
    commit.write_text("\n".join(line for line in commit.read_text().splitlines() if "commitInfo" not in line))
    with connect(str(sail_lake.root), as_of=datetime(2018, 5, 11, tzinfo=UTC)) as session:
        assert session.versions == {history.id: 1}


def test_control_steps_is_a_table_of_the_step_runs_that_stays_as_it_is_within_a_session(payments):
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
def test_a_parameter_is_a_value_whatever_it_holds(session, condition, value, count):
    assert one(session, f"{COUNT} where {condition}", x=value) == count
    assert one(session, "select $x::varchar", x=value) == (None if value is None else str(value))
    assert one(session, COUNT) == 3


@pytest.mark.parametrize(
    ("statement", "parameters", "error"),
    [
        ("select $a, $b, $c", {"b": 1}, "the statement wants a value for $a, $c"),
        ("select $a", {"a": 1, "b": 1, "c": 1}, "the statement has no $b, $c"),
        ("select 1", {"a": 1}, "the statement has no $a"),
        ("select ?", {}, "write parameters as $name, not ? or $1"),
        (f"{COUNT} where payments = $a", {"a": "one"}, "Conversion Error: Could not convert string 'one' to INT64"),
    ],
)
def test_a_parameter_that_does_not_fit_is_told_in_one_line(session, statement, parameters, error):
    with pytest.raises(OlistError) as raised:
        rows(session.query(statement, parameters))
    assert str(raised.value) == error


# --- Mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (
            "select * from refined.aggregate_payment_per_month",
            "no table refined.aggregate_payment_per_month; did you mean refined.aggregate_payments_per_month?",
        ),
        ("select * from xyzzy", "no table xyzzy; see `olist status`"),
        ("select * from trusted.orders", "trusted.orders has not been written yet; run `olist run`"),
        ("select * from control.steps", "control.steps is empty: nothing has run on this lake yet; run `olist run`"),
        (
            f"select month from {PAYMENTS}",
            'Binder Error: Referenced column "month" not found in FROM clause; did you mean order_month?',
        ),
        (
            f"select p.payment_valeu from {PAYMENTS} p",
            'Binder Error: Values list "p" does not have a column named "payment_valeu"; did you mean payment_value?',
        ),
        (
            f"select 1 from {PAYMENTS} group by sum(payments)",
            "Binder Error: GROUP BY clause cannot contain aggregates!",
        ),
        ("selec 1", 'Parser Error: syntax error at or near "selec"'),
        ("select 1; select 2", "one statement at a time, not 2"),
        ("", "one statement at a time, not 0"),
        (
            f"pivot {PAYMENTS} on payment_type using sum(orders)",
            "one statement at a time, not 2; name the values of a PIVOT: PIVOT … ON … IN ('…', '…')",
        ),
        ("show tables", "SHOW lists nothing here: see `olist status`, or `describe refined.fact_orders`"),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_line(session, statement, error):
    with pytest.raises(OlistError) as raised:
        rows(session.query(statement))
    assert str(raised.value) == error
    assert one(session, COUNT) == 3  # the session goes on


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("fact_order", ["refined.fact_orders"]),
        ("fct_payments", ["refined.fact_payments"]),
        ("orders", ["trusted.orders", "raw.orders", "quarantine.orders"]),
        ("gold.sellers", ["raw.sellers", "trusted.sellers"]),
        ("refined.orders", ["refined.fact_orders"]),
        ("control.step", ["control.steps"]),
        ("steps", ["control.steps"]),
        ("xyzzy", []),
    ],
)
def test_the_nearest_tables_of_a_name(name, near):
    assert nearest(name) == near


def test_a_lake_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OlistError) as raised:
        connect(f"{tmp_path}/none")
    assert str(raised.value) == f"there is no lake at {tmp_path}/none yet; run `olist deliver` and `olist run`"


# --- Nothing but reading the lake's tables -------------------------------------------------------------------------

ATTEMPTS = {
    "drop table refined.orders": "the lake is read-only here: DROP is refused",
    "insert into refined.aggregate_payments_per_month values (1)": "INSERT is refused",
    "create table t as select 1": "CREATE is refused",
    "copy (select 1) to '{lake}/stolen.csv'": "COPY is refused",
    "explain analyze copy (select 1) to '{lake}/stolen.csv'": "the lake is read-only here",
    "explain (analyze) copy (select 1) to '{lake}/stolen.csv'": "the lake is read-only here",
    "/* explain */ explain analyze copy (select 1) to '{lake}/stolen.csv'": "the lake is read-only here",
    "explain analyze insert into refined.aggregate_payments_per_month values (1)": "the lake is read-only here",
    "export database '{lake}/stolen'": "EXPORT is refused",
    "attach '{lake}/other.db'": "ATTACH is refused",
    "install httpfs": "LOAD is refused",
    "load httpfs": "LOAD is refused",
    "set enable_external_access = true": "SET is refused",
    "reset lock_configuration": "SET is refused",
    "call pragma_version()": "CALL is refused",
    "pragma database_list": "the lake is read-only here",
    "prepare p as select 1": "PREPARE is refused",
    "create secret (type s3)": "is refused",
    "select * from read_text('/etc/hostname')": "read_text() is refused",
    "select * from read_csv('{lake}/../secret.csv')": "read_csv() is refused",
    "select * from glob('/etc/*')": "glob() is refused",
    "select * from delta_scan('{lake}/refined/aggregate_payments_per_month')": "delta_scan() is refused",
    "select * from '/etc/hostname'": "no table /etc/hostname",
    'select * from "{lake}/../secret.csv"': "no table ",
    "select * from secrets_of_the_caller": "no table secrets_of_the_caller",
    "select * from query('select 1')": "query() is refused",
    "select * from query_table('pg_settings')": "query_table() is refused",
    "select * from json_execute_serialized_sql('')": "json_execute_serialized_sql() is refused",
    "select * from duckdb_secrets()": "duckdb_secrets() is refused",
    "select * from DUCKDB_Settings()": "duckdb_settings() is refused",
    "select * from system.main.duckdb_settings()": "duckdb_settings() is refused",
    "select * from which_secret('s3://x', 's3')": "which_secret() is refused",
    "from pg_settings": "no table pg_settings",
    "from pg_catalog.pg_settings": "no table pg_catalog.pg_settings",
    "from system.pg_catalog.pg_settings": "no table system.pg_catalog.pg_settings",
    "from information_schema.tables": "no table information_schema.tables",
    "with pg_settings as (from pg_settings) from pg_settings": "no table pg_settings",
    "select * from (with pg_settings as (select 1) select 1), pg_settings": "no table pg_settings",
    "with recursive pg_settings as (select name from pg_settings union all select name from pg_settings) "
    "from pg_settings": "no table pg_settings",
    "select exists (from pg_settings)": "no table pg_settings",
    "describe pg_settings": "no table pg_settings",
    "select current_setting('s3_secret_access_key')": "current_setting() is refused",
    "select system.main.CURRENT_setting('temp_directory')": "current_setting() is refused",
    "select max(current_setting('temp_directory')) over ()": "current_setting() is refused",
    "select list_transform(['temp_directory'], x -> current_setting(x))": "current_setting() is refused",
    "explain select current_setting('temp_directory')": "current_setting() is refused",
    "select getenv('HOME')": "getenv() is refused",
    "select write_log('x')": "write_log() is refused",
}


@pytest.mark.parametrize("statement", ATTEMPTS)
def test_nothing_but_the_lakes_tables_can_be_read_and_nothing_written(session, unchanged, statement):
    Path(unchanged, "../secret.csv").write_text("a\n1\n")
    secrets_of_the_caller = session.query("select 1 a").df()
    before = sorted(Path(unchanged).rglob("*"))
    for _ in range(2):  # in the second query of a session as in the first
        with pytest.raises(OlistError) as raised:
            rows(session.query(statement.format(lake=unchanged)))
        assert ATTEMPTS[statement] in str(raised.value)
        assert one(session, COUNT) == 3
    assert sorted(Path(unchanged).rglob("*")) == before
    assert len(secrets_of_the_caller) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_text('/etc/hostname')",
        "select * from read_text('{lake}/../secret.csv')",
        "select * from glob('/etc/*')",
        "copy (select 1) to '{lake}/../stolen.csv'",
        "attach '{lake}/../other.db'",
        "load '{lake}/../secret.csv'",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "set lock_configuration = false",
        "select * from secrets_of_the_caller",
    ],
)
def test_duckdb_itself_is_locked_to_the_lake_behind_what_statements_are_let_through(session, unchanged, statement):
    secrets_of_the_caller = session.query("select 1 a").df()
    Path(unchanged, "../secret.csv").write_text("a\n1\n")
    one(session, COUNT)
    with pytest.raises(duckdb.Error):
        session._connection.execute(statement.format(lake=unchanged)).fetchall()  # noqa: SLF001 - past the check
    assert len(secrets_of_the_caller) == 1
    assert not Path(unchanged, "../stolen.csv").exists()


# --- S3 ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def on_s3(s3, bucket, sail_lake, payments):
    """The same lake, and its next version, on S3; returns its root."""
    sail_lake.rows("refined/aggregate_payments_per_month", payment("2018-03", "boleto", "1.00"))
    Lake(payments).step_records.write(StepRecord(table="raw/orders", run_id="r1", started_at=STARTED))
    for path in sail_lake.objects("."):
        s3.upload_file(f"{payments}/{path}", bucket.removeprefix("s3://"), f"lake/{path}")
    shutil.rmtree(payments)
    return f"{bucket}/lake"


def test_a_lake_on_s3_is_read_alike(on_s3, s3, bucket):
    name, log = bucket.removeprefix("s3://"), "lake/refined/aggregate_payments_per_month/_delta_log"
    with connect(on_s3) as session:
        assert session.versions == {"refined/aggregate_payments_per_month": 2}
        s3.copy_object(Bucket=name, Key=f"{log}/{3:020}.json", CopySource=f"{name}/{log}/{1:020}.json")
        assert one(session, COUNT) == 4
        assert one(session, f"select sum(payment_value) from {PAYMENTS} where payment_type = $t", t="voucher") == 0
        assert one(session, "select run_id from control.steps") == "r1"
        with pytest.raises(OlistError, match=r"did you mean control\.steps"):
            session.query("select * from control.step")
    with connect(on_s3) as session:
        assert session.versions == {"refined/aggregate_payments_per_month": 3}
    first = DeltaLog(session._store, "refined/aggregate_payments_per_month").committed_at(1)  # noqa: SLF001 - as it reads it
    with connect(on_s3, as_of=first) as session:
        assert one(session, COUNT) == 3


def test_no_credential_can_be_asked_for_on_s3(on_s3, s3):
    s3.put_object(Bucket=on_s3.removeprefix("s3://").removesuffix("/lake"), Key="lake2/x.txt", Body=b"beside the lake")
    with connect(on_s3) as session:
        one(session, COUNT)
        for statement in (
            "select current_setting('s3_secret_access_key')",
            "from duckdb_secrets()",
            "from pg_settings",
        ):
            with pytest.raises(OlistError):
                session.query(statement)
        connection = session._connection  # noqa: SLF001 - past the check of statements
        settings = dict(connection.execute("select name, value from duckdb_settings()").fetchall())
        assert [settings[f"s3_{name}"] for name in ("access_key_id", "secret_access_key", "session_token")] == [""] * 3
        for path in (on_s3.replace("/lake", "/lake2/x.txt"), "/etc/hostname"):
            with pytest.raises(duckdb.PermissionException):
                connection.execute(f"select * from read_text('{path}')")


def test_a_name_that_only_looks_like_a_table_hides_no_file(session):
    kelvin = "\u212a"  # k to Python's lower(), and not to DuckDB
    path = f"{session.root}/refined/dim_date/{{}}.parquet"
    hidden, read = path.format(f"{kelvin}*"), path.format("k*")
    with pytest.raises(OlistError, match="no table"):
        session.query(f'WITH "{hidden}" AS (SELECT 1) SELECT * FROM "{read}"')
