"""All readers of the lake's tables; each returns rows as plain Python values."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import deltalake
import duckdb
import pyarrow as pa
from pyspark.sql import SparkSession

Rows = list[dict[str, Any]]


def by_spark(spark: SparkSession, uri: str) -> pa.Table:
    """The table as Spark, or Sail, reads it."""
    return spark.read.format("delta").load(uri).toArrow()


def by_delta_rs(uri: str) -> pa.Table:
    """The table as delta-rs reads it."""
    return deltalake.DeltaTable(uri).to_pyarrow_table()


def by_duckdb(uri: str) -> pa.Table:
    """The table as DuckDB reads it."""
    connection = duckdb.connect()
    extension = files("duckdb_extension_delta") / "extensions" / f"v{duckdb.__version__}" / "delta.duckdb_extension"
    connection.load_extension(str(extension))
    connection.execute("SET TimeZone = 'UTC'")
    return connection.execute("SELECT * FROM delta_scan(?)", [uri]).to_arrow_table()


READERS: dict[str, Callable[[str], pa.Table]] = {"delta-rs": by_delta_rs, "duckdb": by_duckdb}
"""The readers that need no engine."""


def rows_of(table: pa.Table, key: tuple[str, ...] = ("id",)) -> Rows:
    """The rows in the order of their key, times in UTC."""
    rows = [{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()]
    return sorted(rows, key=lambda row: [(row[name] is not None, row[name]) for name in key])


def types_of(table: pa.Table) -> dict[str, str]:
    """The columns' types as Arrow names them, without differences in the width of offsets and in the name of UTC."""
    return {field.name: _type(field.type) for field in table.schema}


def _type(of: pa.DataType) -> str:
    if pa.types.is_large_string(of) or pa.types.is_string_view(of):
        return "string"
    return "timestamp[us, tz=UTC]" if pa.types.is_timestamp(of) and of.tz else str(of)


def _plain(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
