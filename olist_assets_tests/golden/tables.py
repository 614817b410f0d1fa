"""The golden tables: the same rows, written by each engine and committed, so that every later reader is tested on them.

`python -m olist_assets_tests.golden.tables` rewrites them, into folders named after the engines.
"""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
from deltalake.schema import Schema as DeltaSchema
from pyspark.sql import SparkSession

from olist_assets.engines.base import LocalEngine
from olist_assets.engines.local.sail import SailEngine
from olist_assets.engines.local.spark import SparkEngine

FOLDER = Path(__file__).parent

SCHEMA = pa.schema(
    {
        "id": pa.int32(),
        "city": pa.string(),
        "points": pa.int64(),
        "latitude": pa.float64(),
        "price": pa.decimal128(12, 2),
        "is_late": pa.bool_(),
        "day": pa.date32(),
        "bought_at": pa.timestamp("us", "UTC"),
        "month": pa.string(),
    }
)
FULL = {
    "id": 1,
    "city": "são paulo, 'centro'",
    "points": 9_007_199_254_740_993,
    "latitude": -23.55052,
    "price": Decimal("9999999999.99"),
    "is_late": True,
    "day": date(2016, 2, 29),
    "bought_at": datetime(2018, 5, 10, 23, 59, 59, 999_999, tzinfo=UTC),
    "month": "2018-05",
}
SMALL = {
    "id": 2,
    "city": "",
    "points": -1,
    "latitude": 0.1,
    "price": Decimal("0.01"),
    "is_late": False,
    "day": date(1900, 1, 1),
    "bought_at": datetime(1900, 1, 1, tzinfo=UTC),
    "month": "2018 / 06",
}
EMPTY: dict[str, Any] = dict.fromkeys(SCHEMA.names) | {"id": 3}
ROWS = [FULL, SMALL, EMPTY]


def _plain(spark: SparkSession, uri: str) -> list[dict[str, Any]]:
    _frame(spark, ROWS).write.format("delta").mode("append").save(uri)
    return ROWS


def _partitioned(spark: SparkSession, uri: str) -> list[dict[str, Any]]:
    """Partitions of a usual name, of one that paths must encode, and of null."""
    _frame(spark, ROWS).write.format("delta").mode("append").partitionBy("month").save(uri)
    return ROWS


def _evolved(spark: SparkSession, uri: str) -> list[dict[str, Any]]:
    """A column comes later: null in the rows before."""
    _frame(spark, [FULL]).drop("points").write.format("delta").mode("append").save(uri)
    later = _frame(spark, [SMALL, EMPTY]).select(*(name for name in SCHEMA.names if name != "points"), "points")
    later.write.format("delta").mode("append").option("mergeSchema", "true").save(uri)
    return [FULL | {"points": None}, SMALL, EMPTY]


def _checkpointed(spark: SparkSession, uri: str) -> list[dict[str, Any]]:
    """Commits before and after a checkpoint; rows updated, deleted and inserted by MERGE on both sides of it."""
    deltalake.DeltaTable.create(
        uri,
        schema=DeltaSchema.from_arrow(SCHEMA),
        partition_by=["month"],
        configuration={"delta.checkpointInterval": "3"},
    )
    for row in ROWS:
        _frame(spark, [row]).write.format("delta").mode("append").save(uri)
    _frame(spark, [FULL | {"city": "santos"}, FULL | {"id": 4}]).createOrReplaceTempView("changes")
    names = ", ".join(SCHEMA.names)
    spark.sql(f"""
        MERGE INTO delta.`{uri}` t USING changes s ON t.id = s.id
        WHEN MATCHED THEN UPDATE SET city = s.city
        WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({", ".join(f"s.{name}" for name in SCHEMA.names)})
    """).collect()
    spark.sql(f"DELETE FROM delta.`{uri}` WHERE id = 2").collect()
    return [FULL | {"city": "santos"}, EMPTY, FULL | {"id": 4}]


TABLES: dict[str, Callable[[SparkSession, str], list[dict[str, Any]]]] = {
    "plain": _plain,
    "partitioned": _partitioned,
    "evolved": _evolved,
    "checkpointed": _checkpointed,
}
"""The function that writes each table; it returns the table's rows in order of their id."""


def _frame(spark: SparkSession, rows: list[dict[str, Any]]) -> Any:
    return spark.createDataFrame(pa.Table.from_pylist(rows, SCHEMA))


def write(engine: LocalEngine, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Write all tables with an engine into a folder; return the expected rows of each."""
    spark = engine.session(print)
    return {name: make(spark, str(folder / name)) for name, make in TABLES.items()}


def _remove_traces(folder: Path) -> None:
    """Remove traces of this machine: paths in the logs, checksums of Hadoop's file system."""
    for crc in folder.rglob(".*.crc"):
        crc.unlink()
    for commit in folder.rglob("_delta_log/*.json"):
        commit.write_text(commit.read_text().replace(f"file://{FOLDER}/", "file:///golden/"))


if __name__ == "__main__":
    for engine in (SailEngine(), SparkEngine()):
        shutil.rmtree(FOLDER / engine.name, ignore_errors=True)
        write(engine, FOLDER / engine.name)
        _remove_traces(FOLDER / engine.name)
