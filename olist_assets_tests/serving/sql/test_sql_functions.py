"""The functions that SQL may call: those of DuckDB itself that only compute, and none of an extension."""

from importlib.resources import files

import duckdb
import pytest

from olist_assets.errors import QueryError
from olist_assets.serving.sql import connect, statements

EXCLUDED = {
    # settings, variables, the session and the database
    "current_connection_id", "current_query", "current_query_id", "current_schemas", "current_setting",
    "current_transaction_id", "getvariable", "in_search_path", "stats", "txid_current", "get_block_size",
    "col_description", "format_pg_type", "format_type", "map_to_pg_oid", "obj_description", "shobj_description",
    # SQL text: what it names is bound, so plans show settings and files
    "json_deserialize_sql", "json_serialize_plan", "json_serialize_sql",
    # effects beyond the answer
    "currval", "error", "nextval", "setseed", "sleep_ms", "write_log",
}  # fmt: skip
PREFIXES = ("__internal_", "has_", "inet_", "pg_")
HARMLESS = {"pg_size_pretty", "pg_typeof"}


def names(connection, types="('scalar', 'aggregate', 'macro')"):
    rows = connection.sql(f"SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN {types}")
    return {name for (name,) in rows.fetchall()}


def test_every_function_of_duckdb_is_either_allowed_or_excluded_by_name():
    with duckdb.connect() as plain:
        known = names(plain)
    excluded = EXCLUDED | {name for name in known if name.startswith(PREFIXES) and name not in HARMLESS}
    assert statements._allowed_functions() == known - excluded | {"unnest"}  # noqa: SLF001 - the list itself
    assert known >= EXCLUDED


@pytest.mark.parametrize("extension", ["delta", "httpfs", "aws"])
def test_no_function_that_an_extension_adds_is_allowed(extension):
    folder = files(f"duckdb_extension_{extension}") / "extensions" / f"v{duckdb.__version__}"
    with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as connection:
        before = names(connection, "('scalar', 'aggregate', 'macro', 'table', 'table_macro', 'pragma')")
        connection.load_extension(str(folder / f"{extension}.duckdb_extension"))
        added = names(connection, "('scalar', 'aggregate', 'macro', 'table', 'table_macro', 'pragma')") - before
    if extension == "delta":
        assert "write_blob" in added  # it writes any local file, whatever DuckDB's settings say
    assert added & (statements._allowed_functions() | statements._ALLOWED_TABLE_FUNCTIONS) == set()  # noqa: SLF001


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with connect(str(tmp_path_factory.mktemp("lake"))) as session:
        yield session


@pytest.mark.parametrize(
    "call",
    [
        "write_blob('{path}', 'hello'::blob)",
        "WRITE_BLOB('{path}', 'hello'::blob)",
        "\"write_blob\"('{path}', 'hello'::blob)",
        "system.main.write_blob('{path}', 'hello'::blob)",
        "('{path}').write_blob('hello'::blob)",
        "list_transform(['{path}'], lambda p: write_blob(p, 'hello'::blob))",
        "json_serialize_plan('select current_setting(''s3_secret_access_key'')', optimize := true)",
        "json_serialize_plan('copy (select 1) to ''{path}''')",
        "getvariable('secret')",
        "pg_sleep(10)",
        "nextval('numbers')",
        "a_function_of_a_later_release()",
    ],
)
@pytest.mark.parametrize(
    "statement",
    [
        "select {call}",
        "explain analyze select {call}",
        "with t as (select {call} as x) select 1",
        "select 1 order by {call}",
        "select count(*) filter ({call} is null) from range(3)",
        "select sum(1) over (partition by {call})",
        "select 1 where exists (select {call})",
        "select case when true then {call} end",
        "describe select {call}",
        "summarize select {call}",
    ],
)
def test_a_function_that_is_not_allowed_is_refused_wherever_it_is_called(session, tmp_path, statement, call):
    path = tmp_path / "written"
    with pytest.raises(QueryError, match=r"\(\) is refused: only the lake's tables can be read here"):
        session.query(statement.format(call=call.format(path=path))).fetchall()
    assert not path.exists()


def test_a_misspelled_function_is_refused_with_the_similar_names(session):
    with pytest.raises(QueryError, match=r"^date_trnc\(\) is refused: .*; did you mean date_trunc"):
        session.query("select date_trnc('month', now())")


ANSWERS = {
    "select count(*), sum(x), median(x), quantile_cont(x, 0.5), arg_max(x, -x) from range(4) t(x)": (4, 6, 1.5, 1.5, 0),
    "select row_number() over (order by x desc), lag(x) over (order by x) from range(1) t(x)": (1, None),
    "select [x * 2 for x in [1, 2] if x > 1], {'a': 1}.a, list_sum([1, 2]), unnest([7])": ([4], 1, 3, 7),
    "select 'a' like 'A', 'a' ilike 'A', 'ab' ^@ 'a', 'x' || 'y', split_part('a-b', '-', 2)": (0, 1, 1, "xy", "b"),
    "select extract(month from date '2018-05-10'), date '2018-05-10' - date '2018-05-01'": (5, 9),
    "select 7 // 2, 7 % 2, 2 ** 3, -7 + abs(-1), round(2.5), ~1, 3 & 1, xor(1, 3)": (3, 1, 8.0, -6, 3, -2, 1, 2),
    "select coalesce(null, 1), nullif(1, 1), ifnull(null, 2), if(true, 1, 2), try_cast('x' as int)": (
        1,
        None,
        2,
        1,
        None,
    ),
    """select '{"a": [1]}'::json ->> '$.a[0]', json_extract('{"a": 1}', '$.a')::int""": ("1", 1),
    "select grouping(a), a from (values (1)) t(a) group by rollup(a) order by all limit 1": (0, 1),
    "select current_date is null, now() > '2018-05-10', random() < 1": (False, True, True),
    "select * from (pivot (select 'a' k, 1 v) on k in ('a') using sum(v))": (1,),
    "select strftime(date '2018-05-10', '%Y-%m'), date_trunc('month', date '2018-05-10') = '2018-05-01'": (
        "2018-05",
        True,
    ),
}


@pytest.mark.parametrize(("sql", "answer"), ANSWERS.items())
def test_functions_that_only_compute_are_answered(session, sql, answer):
    assert session.query(sql).fetchall()[0] == answer
