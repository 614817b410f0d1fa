"""Reading and writing Delta tables: the DML of all steps, the same on every engine.

Tables are created from their declaration, so types, nullability and partitions never depend on who writes first.
What a commit did is read from the Delta log, never asked of the data again.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import deltalake
import deltalake.exceptions
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.schema import Field, PrimitiveType
from deltalake.schema import Schema as DeltaSchema

from spark_steps.declarations import Column, TableSpec
from spark_steps.protocol import StepError, TableHandle

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DELETED = "_deleted"
"""A column that rows may have beside the declared ones where they are merged: true of rows that are to be deleted."""

_DELTA_TYPES = {"int": "integer", "bigint": "long"}

_EXACT_IN_LOG = ("string", "int", "bigint", "date")

# What writes, merges and deletes call the same thing in their commit's metrics.
_METRICS = {
    "rows_inserted": ("numTargetRowsInserted", "numOutputRows"),
    "rows_updated": ("numTargetRowsUpdated",),
    "rows_deleted": ("numTargetRowsDeleted",),
    "rows_copied": ("numTargetRowsCopied",),
    "files_added": ("numTargetFilesAdded", "numAddedFiles", "numFiles"),
    "files_removed": ("numTargetFilesRemoved", "numRemovedFiles"),
    "bytes_added": ("numTargetBytesAdded", "numAddedBytes", "numOutputBytes"),
    "bytes_removed": ("numTargetBytesRemoved", "numRemovedBytes"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitMetrics:
    """What one write did, as the Delta log counts it; all zero if there was nothing to commit.

    `rows_copied` did not change: they were written anew because they stood in a file with others that did.
    """

    version_before: int
    version_after: int
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    rows_copied: int = 0
    files_added: int = 0
    files_removed: int = 0
    bytes_added: int = 0
    bytes_removed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many rows a merge inserts, updates and deletes."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0


def create_if_missing(handle: TableHandle) -> int:
    """Create the table from its declaration if it is not there; return its version."""
    return _open_or_create(handle).version()


def empty_commit(handle: TableHandle) -> CommitMetrics:
    """The commit of a step that finds nothing to write; the table exists afterwards."""
    version = create_if_missing(handle)
    return CommitMetrics(version_before=version, version_after=version)


def read(spark: "SparkSession", handle: TableHandle) -> "DataFrame":
    """The table's rows as they are now: those of the handle's window if it has one.

    However often the rows are evaluated, and whoever writes meanwhile, they are those of one version. Where its log
    tells that there are none, the engine is given no table to open, and plans as for a constant.
    """
    table = _open_or_create(handle)
    if not _files(handle, table).num_rows:
        columns = (f"CAST(NULL AS {column.type}) AS {column.name}" for column in handle.declaration.columns)
        return spark.sql(f"SELECT {', '.join(columns)} WHERE false")
    rows = spark.read.format("delta").option("versionAsOf", table.version()).load(handle.uri)
    return rows.where(handle.window.predicate()) if handle.window else rows


def row_count(handle: TableHandle) -> int:
    """How many rows the table holds in the handle's window, from the Delta log; no data is read."""
    files = _files(handle, _open_or_create(handle))
    return sum(files.column("num_records").to_pylist()) if files.num_rows else 0


def rows_by_day(handle: TableHandle) -> dict[date, int]:
    """How many rows of each landing date the table holds in the handle's window, by day, from the Delta log alone.

    Only of tables that are partitioned by landing date. Days without rows are left out.
    """
    files = _files(handle, _open_or_create(handle))
    if not files.num_rows:
        return {}
    days = files.group_by("partition._landing_date").aggregate([("num_records", "sum")])
    days = days.sort_by("partition._landing_date").to_pydict()
    return dict(zip(days["partition._landing_date"], days["num_records_sum"], strict=True))


def append(rows: "DataFrame", handle: TableHandle) -> CommitMetrics:
    """Add rows in one commit."""
    return _write(rows, handle, mode="append")


def replace(rows: "DataFrame", handle: TableHandle) -> CommitMetrics:
    """Put rows in place of all that the table holds: in the handle's window if it has one. One commit."""
    if handle.window is None:
        return _write(rows, handle, mode="overwrite")
    return _write(rows, handle, mode="overwrite", options={"replaceWhere": handle.window.predicate()})


def merge(
    spark: "SparkSession", rows: "DataFrame", handle: TableHandle, counts: Counts, *, partitions: Sequence[str] = ()
) -> CommitMetrics:
    """Update the rows whose key the table holds and insert the others, in one commit; delete those marked so.

    Where nothing is updated or deleted, the rows are appended. Of a partitioned table the partitions concerned are
    written anew: planning a MERGE takes Sail seconds where columns are many, and hardly a file of such a partition
    would be left alone by it.

    Args:
        spark: the session.
        rows: one row a key, with `DELETED` as a further column where some are to be deleted.
        handle: the table.
        counts: what becomes of the rows, as the caller, who has compared them, knows; nothing is done if all are zero.
        partitions: all values of the partition column that rows are in or come from; only these are looked at.
    """
    if counts == Counts():
        return empty_commit(handle)
    if counts == Counts(inserted=counts.inserted):
        return append(rows.drop(DELETED), handle)
    version_before = create_if_missing(handle)
    table = handle.declaration
    marks = tuple(name for name in rows.columns if name == DELETED)
    align_to_schema(rows, table, *marks).createOrReplaceTempView("merge_source")
    names = table.column_names
    same_key = " AND ".join(f"t.{name} = s.{name}" for name in table.key)
    if table.partition is None:
        spark.sql(f"""
            MERGE INTO delta.`{handle.uri}` t USING merge_source s ON {same_key}
            {f"WHEN MATCHED AND s.{DELETED} THEN DELETE" if marks else ""}
            WHEN MATCHED THEN UPDATE SET {", ".join(f"{name} = s.{name}" for name in names)}
            WHEN NOT MATCHED THEN INSERT ({", ".join(names)}) VALUES ({", ".join(f"s.{name}" for name in names)})
        """).collect()
        return _read_commit(handle, version_before)
    read(spark, TableHandle(handle.id, handle.uri)).createOrReplaceTempView("merge_target")
    concerned = f"{table.partition} IN ({', '.join(sql_literal(value) for value in partitions)})"
    anew = spark.sql(f"""
        SELECT {", ".join(f"t.{name}" for name in names)}
        FROM merge_target t LEFT ANTI JOIN merge_source s ON {same_key} WHERE t.{concerned}
        UNION ALL
        SELECT {", ".join(names)} FROM merge_source {f"WHERE NOT {DELETED}" if marks else ""}
    """)
    commit = _write(anew, handle, mode="overwrite", options={"replaceWhere": concerned})
    return dataclasses.replace(
        commit,
        rows_inserted=counts.inserted,
        rows_updated=counts.updated,
        rows_deleted=counts.deleted,
        rows_copied=commit.rows_inserted - counts.inserted - counts.updated,
    )


def align_to_schema(rows: "DataFrame", table: TableSpec, *more: str) -> "DataFrame":
    """The rows with exactly the declared columns, in order, in the declared types, and `more` as they are.

    Raises:
        StepError: a declared column is missing, or there is one that is not declared.
    """
    missing = sorted(set(table.column_names) - set(rows.columns))
    unknown = sorted(set(rows.columns) - {*table.column_names, *more})
    if missing or unknown:
        raise StepError(f"{table.id}: the step's rows lack {missing or 'nothing'} and have {unknown or 'nothing'} more")
    # Sail checks NOT NULL before a filter that stands directly below the write, so on rows that shall not be written.
    # An offset of nothing keeps the filter first; Spark leaves it out.
    declared = (rows[column.name].cast(column.type).alias(column.name) for column in table.columns)
    return rows.offset(0).select(*declared, *more)


def sql_literal(text: str) -> str:
    """The text as a SQL literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _open_or_create(handle: TableHandle) -> deltalake.DeltaTable:
    """The table's log at its newest version; the table is created if it is not there."""
    try:
        return deltalake.DeltaTable(handle.uri)
    except deltalake.exceptions.TableNotFoundError:
        return _create(handle)


def _create(handle: TableHandle) -> deltalake.DeltaTable:
    table = handle.declaration
    try:
        return deltalake.DeltaTable.create(
            handle.uri,
            schema=DeltaSchema([_field(column) for column in table.columns]),
            partition_by=[table.partition] if table.partition else None,
            configuration=_properties(table),
            name=table.id,
            description=table.grain,
            mode="ignore",
        )
    except deltalake.exceptions.CommitFailedError:
        if not deltalake.DeltaTable.is_deltatable(handle.uri):
            raise
        return deltalake.DeltaTable(handle.uri)  # created just now, by a request whose answer was lost or by another


def _properties(table: TableSpec) -> dict[str, str]:
    """Have the log keep no least and greatest values of fractions and timestamps.

    They stand there as text, and where both are equal Sail takes them for the whole file's value: a double comes back
    with another last bit, a great decimal with other cents, a timestamp that Spark wrote without its microseconds.
    """
    exact = [c.name for c in table.columns if c.type in _EXACT_IN_LOG and c.name != table.partition]
    return {} if len(exact) == len(table.columns) else {"delta.dataSkippingStatsColumns": ",".join(exact)}


def _files(handle: TableHandle, table: deltalake.DeltaTable) -> Any:
    """The files of the opened table, a row each, that hold rows of the handle's window."""
    files: Any = pa.table(table.get_add_actions(flatten=True))
    if files.num_rows and handle.window:
        day = pc.field("partition._landing_date")
        files = files.filter((day >= pa.scalar(handle.window.start)) & (day < pa.scalar(handle.window.end)))
    return files


def _write(
    rows: "DataFrame", handle: TableHandle, *, mode: str, options: dict[str, str] | None = None
) -> CommitMetrics:
    version_before = create_if_missing(handle)
    table = handle.declaration
    writer = align_to_schema(rows, table).write.format("delta").mode(mode).options(**(options or {}))
    if table.partition:
        writer = writer.partitionBy(table.partition)
    writer.save(handle.uri)
    commit = _read_commit(handle, version_before)
    if commit.version_after == version_before and not rows.isEmpty():
        raise StepError(f"{table.id}: the engine wrote no commit to {handle.uri}")
    return commit


def _read_commit(handle: TableHandle, version_before: int) -> CommitMetrics:
    table = deltalake.DeltaTable(handle.uri)
    if table.version() == version_before:
        return CommitMetrics(version_before=version_before, version_after=version_before)
    metrics = table.history(1)[0].get("operationMetrics") or {}
    return CommitMetrics(
        version_before=version_before,
        version_after=table.version(),
        **{name: _first(metrics, names) for name, names in _METRICS.items()},
    )


def _first(metrics: dict[str, Any], names: Iterable[str]) -> int:
    return next((int(metrics[name]) for name in names if name in metrics), 0)


def _field(column: Column) -> Field:
    delta_type = PrimitiveType(_DELTA_TYPES.get(column.type, column.type))
    metadata = {"comment": column.comment} if column.comment else {}
    return Field(column.name, delta_type, nullable=not column.required, metadata=metadata)
