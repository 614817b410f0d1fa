"""SQL over the lake: DuckDB reads the Delta tables, offline and read-only. Layers are schemas."""

import csv
import io
import json
import os
import re
from collections.abc import Callable
from difflib import get_close_matches
from importlib.resources import files
from typing import BinaryIO, TypeVar

import duckdb
import pyarrow.parquet

from olist_assets.aws import S3, reason_of
from olist_assets.errors import OlistError
from spark_steps.tables import TABLES

CONTROL_STEPS = "control.steps"
T = TypeVar("T")
_NOT_THERE = ("Path does not exist", "No files in log segment", "No files found")
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_NAMES = {table_id.replace("/", "."): table_id for table_id in TABLES}


def query(lake: str, sql: str) -> duckdb.DuckDBPyRelation:
    """The result of one reading statement over the lake's tables, such as `refined.fact_orders` or `control.steps`.

    Raises:
        OlistError: it is not one reading statement, a table is not known or not written yet, or DuckDB refuses it.
    """
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    _load(connection, "delta")
    connection.execute("SET TimeZone = 'UTC'")
    try:
        if lake.startswith(S3):
            _reach_s3(connection)
        _check_reading(connection, sql)
        for name in _tables_in(connection, sql):
            _create_view(connection, lake, name)
        # From here on nothing but the lake can be read, and nothing can be written.
        connection.execute(f"SET allowed_directories = [{_literal(lake)}]")
        connection.execute("SET enable_external_access = false")
        return connection.sql(sql)
    except duckdb.Error as error:
        raise _one_line(error) from error


def _load(connection: duckdb.DuckDBPyConnection, extension: str) -> None:
    folder = files(f"duckdb_extension_{extension}") / "extensions" / f"v{duckdb.__version__}"
    connection.load_extension(str(folder / f"{extension}.duckdb_extension"))


def _reach_s3(connection: duckdb.DuckDBPyConnection) -> None:
    """Read S3 with the credentials, region and endpoint of the AWS variables or profile."""
    _load(connection, "httpfs")
    _load(connection, "aws")
    options = {"TYPE": "s3", "PROVIDER": "credential_chain"}
    if region := os.environ.get("AWS_REGION"):
        options["REGION"] = _literal(region)
    if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3"):
        scheme, _, address = endpoint.partition("://")
        options |= {"ENDPOINT": _literal(address), "URL_STYLE": "'path'", "USE_SSL": str(scheme == "https").lower()}
    connection.execute(f"CREATE SECRET ({', '.join(' '.join(option) for option in options.items())})")


def rows(result: duckdb.DuckDBPyRelation) -> list[tuple]:
    """All rows of a result."""
    return _fetched(result.fetchall)


def to_csv(result: duckdb.DuckDBPyRelation) -> str:
    """The result as CSV with a header, null as an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows(rows(result))
    return text.getvalue()


def to_json(result: duckdb.DuckDBPyRelation) -> str:
    """The result as a JSON array of objects; decimals, dates and times as text."""
    records = [dict(zip(result.columns, row, strict=True)) for row in rows(result)]
    return json.dumps(records, default=str, ensure_ascii=False, indent=1) + "\n"


def write_parquet(result: duckdb.DuckDBPyRelation, stream: BinaryIO) -> None:
    """The result as a Parquet file, written to a stream."""
    pyarrow.parquet.write_table(_fetched(result.to_arrow_table), stream)


def _fetched(fetch: Callable[[], T]) -> T:
    try:
        return fetch()
    except duckdb.Error as error:
        raise _one_line(error) from error


def _one_line(error: duckdb.Error) -> OlistError:
    return OlistError(reason_of(error))


def _check_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise OlistError(f"one statement at a time, not {len(statements)}")
    if statements[0].type not in _READING:
        raise OlistError(f"the lake is read-only here: {statements[0].type.name} is refused")


def _tables_in(connection: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    """The tables that a statement names, as layer.table."""
    try:
        mentions = connection.get_table_names(sql, qualified=True)
    except duckdb.Error:  # statements like DESCRIBE, whose tables it does not tell
        return {name for name in (*_NAMES, CONTROL_STEPS) if re.search(rf"\b{re.escape(name)}\b", sql)}
    names = {mention.partition(" AS ")[0].replace('"', "").lower() for mention in mentions}
    return {name for name in names if "." in name}


def _create_view(connection: duckdb.DuckDBPyConnection, lake: str, name: str) -> None:
    schema = name.partition(".")[0]
    if name == CONTROL_STEPS:
        rows = f"read_json({_literal(f'{lake}/control/steps/*/*/*.json')}, union_by_name = true)"
        missing = f"{name} is empty: nothing has run on {lake} yet; run `olist run`"
    elif name not in _NAMES:
        near = get_close_matches(name, [*_NAMES, CONTROL_STEPS], n=3)
        raise OlistError(
            f"no table {name}" + (f"; did you mean {' or '.join(near)}?" if near else "; see `olist status`")
        )
    else:
        rows = f"delta_scan({_literal(f'{lake}/{_NAMES[name]}')})"
        missing = f"{name} has not been written yet; run `olist run`"
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    try:
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {rows}")
    except duckdb.IOException as error:
        if not any(sign in str(error) for sign in _NOT_THERE):
            raise
        raise OlistError(missing) from error


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
