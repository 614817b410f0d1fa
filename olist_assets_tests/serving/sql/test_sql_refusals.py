"""Mistakes are one-line errors; statements that do more than read the lake's tables are refused."""

from pathlib import Path

import duckdb
import pytest

from olist_assets.errors import OlistError, QueryError
from olist_assets.serving.sql.results import rows
from olist_assets.serving.sql.session import connect, nearest
from olist_assets_tests.serving.sql.payment_lakes import COUNT, PAYMENTS, one

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
def test_a_refused_query_is_a_one_line_error(session, statement, error):
    with pytest.raises(QueryError) as raised:
        rows(session.query(statement))
    assert str(raised.value) == error
    assert one(session, COUNT) == 3  # the session goes on


@pytest.mark.parametrize(
    ("name", "matches"),
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
def test_nearest_tables_to_a_name(name, matches):
    assert nearest(name) == matches


def test_a_missing_lake_is_a_one_line_error(tmp_path):
    with pytest.raises(OlistError) as raised:
        connect(f"{tmp_path}/none")
    assert str(raised.value) == f"there is no lake at {tmp_path}/none yet; run `olist deliver` and `olist run`"


# --- Only the lake's tables can be read -----------------------------------------------------------------------------

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
    "select * from callers_secrets": "no table callers_secrets",
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
def test_only_the_lakes_tables_can_be_read_and_nothing_written(session, unchanged, statement):
    Path(unchanged, "../secret.csv").write_text("a\n1\n")
    callers_secrets = session.query("select 1 a").df()
    before = sorted(Path(unchanged).rglob("*"))
    for _ in range(2):  # in the second query of a session as in the first
        with pytest.raises(QueryError) as raised:
            rows(session.query(statement.format(lake=unchanged)))
        assert ATTEMPTS[statement] in str(raised.value)
        assert one(session, COUNT) == 3
    assert sorted(Path(unchanged).rglob("*")) == before
    assert len(callers_secrets) == 1


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
        "select * from callers_secrets",
    ],
)
def test_duckdb_itself_is_locked_to_the_lake_behind_the_statement_check(session, unchanged, statement):
    callers_secrets = session.query("select 1 a").df()
    Path(unchanged, "../secret.csv").write_text("a\n1\n")
    one(session, COUNT)
    with pytest.raises(duckdb.Error):
        session._connection.execute(statement.format(lake=unchanged)).fetchall()  # noqa: SLF001 - past the check
    assert len(callers_secrets) == 1
    assert not Path(unchanged, "../stolen.csv").exists()


def test_a_with_query_whose_name_only_looks_alike_hides_no_file(session):
    kelvin = "\u212a"  # k to Python's lower(), and not to DuckDB
    path = f"{session.root}/refined/dim_date/{{}}.parquet"
    hidden, read = path.format(f"{kelvin}*"), path.format("k*")
    with pytest.raises(QueryError, match="no table"):
        session.query(f'WITH "{hidden}" AS (SELECT 1) SELECT * FROM "{read}"')
