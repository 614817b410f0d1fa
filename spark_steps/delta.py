"""Read and write Delta tables: the DML of all steps, the same on every engine.

Rows come as a DataFrame, which the engine writes, or as an Arrow table, which delta-rs writes from this process. The
latter is meant for rows that a step has collected: it takes milliseconds, and no query of the engine. Metrics of a
commit come from the Delta log, not from a query over the data.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from spark_steps import arrow_writes
from spark_steps.arrow_writes import CommitMetrics, check_columns
from spark_steps.declarations import TableSpec
from spark_steps.delta_log import (
    OpenTable,
    Table,
    create_if_missing,
    data_files,
    has_deletion_vectors,
    open_table,
    row_count,
    rows_by_day,
    rows_deleted_by_vectors,
    unsupported_features,
)
from spark_steps.protocol import FileCounts, RowCounts, StepError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = [
    "DELETED",
    "MAX_COLLECTED_ROWS",
    "CommitMetrics",
    "OpenTable",
    "Table",
    "align_to_schema",
    "append",
    "create_if_missing",
    "data_files",
    "empty_commit",
    "has_deletion_vectors",
    "merge",
    "open_table",
    "read",
    "relation",
    "replace",
    "row_count",
    "rows_by_day",
    "rows_deleted_by_vectors",
    "sql",
    "sql_literal",
    "unsupported_features",
    "with_relations",
]

MAX_COLLECTED_ROWS = 50_000
"""Steps collect no more rows than these into their process. With more, the transfer costs more than it saves."""

DELETED = "_deleted"
"""A column that `merge` accepts in addition to the declared ones: true for rows to delete."""

# Writes, merges and deletes have different names for the same metric of a commit.
_ROW_METRICS = {
    "inserted": ("numTargetRowsInserted", "numOutputRows"),
    "updated": ("numTargetRowsUpdated",),
    "deleted": ("numTargetRowsDeleted",),
    "copied": ("numTargetRowsCopied",),
}
_FILE_METRICS = {
    "added": ("numTargetFilesAdded", "numAddedFiles", "numFiles"),
    "removed": ("numTargetFilesRemoved", "numRemovedFiles"),
    "bytes_added": ("numTargetBytesAdded", "numAddedBytes", "numOutputBytes"),
    "bytes_removed": ("numTargetBytesRemoved", "numRemovedBytes"),
}


def sql(spark: "SparkSession", text: str) -> "DataFrame":
    """`spark.sql` with a complete type."""
    return spark.sql(text)  # pyright: ignore[reportUnknownMemberType] - of an argument that is not used


def with_relations(query: str, relations: Mapping[str, str]) -> str:
    """SQL of a query that refers to relations by name, each given as SQL.

    The names are those of common table expressions. Views would belong to the whole session, so steps that run at the
    same time would replace each other's; and Spark executes a command for each view.
    """
    used = [f"{name} AS (\n{text}\n)" for name, text in relations.items() if re.search(rf"\b{name}\b", query)]
    return f"WITH {', '.join(used)} SELECT * FROM (\n{query}\n)" if used else query


def empty_commit(table: Table) -> CommitMetrics:
    """Metrics of a step without changes: no commit, but the table exists afterwards."""
    version = create_if_missing(table)
    return CommitMetrics(version_before=version, version_after=version)


def read(spark: "SparkSession", table: Table) -> "DataFrame":
    """The table's rows, as `relation` selects them."""
    return sql(spark, relation(table))


def relation(table: Table) -> str:
    """SQL of the table's current rows, restricted to its window if it has one.

    It is pinned to the version current at the call, so re-evaluation and concurrent commits cannot change the rows. If
    the Delta log lists no files, it is an empty literal relation, and the engine opens no table.
    """
    opened = open_table(table)
    window = opened.handle.window
    if not data_files(opened.handle, opened.log).num_rows:
        columns = (f"CAST(NULL AS {column.type}) AS {column.name}" for column in opened.declaration.columns)
        return f"SELECT {', '.join(columns)} WHERE false"
    where = f" WHERE {window.predicate()}" if window else ""
    return f"SELECT * FROM delta.`{opened.handle.uri}` VERSION AS OF {opened.version}{where}"


def append(rows: "DataFrame | pa.Table", table: Table) -> CommitMetrics:
    """Add rows in one commit; none if there are no rows.

    Raises:
        StepError: the rows do not have the declared columns, a required value is missing in an Arrow table, or the
            engine wrote no commit.
    """
    opened = open_table(table)
    if isinstance(rows, pa.Table):
        return arrow_writes.write(rows, opened, mode="append") if _has_rows(rows) else empty_commit(opened)
    return _write(rows, opened, mode="append")


def replace(rows: "DataFrame | pa.Table", table: Table) -> CommitMetrics:
    """Replace all rows of the table's window, or of the table if it has none, in one commit.

    Raises:
        StepError: as `append` does.
    """
    opened = open_table(table)
    window = opened.handle.window
    if isinstance(rows, pa.Table):
        if not _has_rows(rows) and not data_files(opened.handle, opened.log).num_rows:
            return empty_commit(opened)
        return arrow_writes.write(rows, opened, mode="overwrite", predicate=window.predicate() if window else None)
    return _write(rows, opened, mode="overwrite", options={"replaceWhere": window.predicate()} if window else None)


def merge(
    spark: "SparkSession",
    rows: "DataFrame | pa.Table",
    table: Table,
    counts: RowCounts,
    *,
    partitions: Sequence[str] = (),
) -> CommitMetrics:
    """Insert, update and delete rows by key, in one commit.

    Rows are appended if none is updated or deleted. Otherwise an Arrow table replaces the rows of its keys. If that is
    not possible, and for a DataFrame, the engine merges them: into a table without partitions by a MERGE, into a
    partitioned one by rewriting the affected partitions, because Sail takes seconds to plan a MERGE of many columns,
    which would rewrite nearly all files of these partitions anyway.

    Args:
        spark: the session.
        rows: one row per key, with `DELETED` as an additional column if some are to be deleted.
        table: the table.
        counts: how many rows are inserted, updated and deleted; the caller has compared them with the table. Nothing
            is done if all are zero.
        partitions: all partitions that rows are in or move from; other partitions are not read.

    Raises:
        StepError: as `append` does.
    """
    opened = open_table(table)
    if counts == RowCounts():
        return empty_commit(opened)
    only_inserts = counts == RowCounts(inserted=counts.inserted)
    if isinstance(rows, pa.Table):
        added = _without_deleted(rows)
        if only_inserts:
            return append(added, opened)
        if predicate := arrow_writes.keys_predicate(rows, opened, partitions):
            commit = arrow_writes.write(added, opened, mode="overwrite", predicate=predicate)
            return _with_counts(commit, counts)
        rows = spark.createDataFrame(rows)
    if only_inserts:
        return append(rows.drop(DELETED), opened)
    marks = tuple(name for name in rows.columns if name == DELETED)
    view = f"changes_of_{opened.handle.id.replace('/', '_')}"  # a table has one writer, so the name is unique
    align_to_schema(rows, opened.declaration, *marks).createOrReplaceTempView(view)
    try:
        if opened.declaration.partition is None:
            return _merge_by_statement(spark, view, opened, has_deletes=bool(marks))
        commit = _rewrite_partitions(spark, view, opened, partitions, has_deletes=bool(marks))
        return _with_counts(commit, counts)
    finally:
        spark.catalog.dropTempView(view)


def _merge_by_statement(spark: "SparkSession", source: str, table: OpenTable, *, has_deletes: bool) -> CommitMetrics:
    names, version_before = table.declaration.column_names, table.version
    statement = f"""
        MERGE INTO delta.`{table.handle.uri}` t USING {source} s ON {_same_key(table.declaration)}
        {f"WHEN MATCHED AND s.{DELETED} THEN DELETE" if has_deletes else ""}
        WHEN MATCHED THEN UPDATE SET {", ".join(f"{name} = s.{name}" for name in names)}
        WHEN NOT MATCHED THEN INSERT ({", ".join(names)}) VALUES ({", ".join(f"s.{name}" for name in names)})
    """
    table.before_commit()
    sql(spark, statement).collect()
    return _read_commit(table, version_before)


def _rewrite_partitions(
    spark: "SparkSession", source: str, table: OpenTable, partitions: Sequence[str], *, has_deletes: bool
) -> CommitMetrics:
    names = table.declaration.column_names
    affected = f"{table.declaration.partition} IN ({', '.join(sql_literal(value) for value in partitions)})"
    query = f"""
        SELECT {", ".join(f"t.{name}" for name in names)}
        FROM ({relation(table.within(None))}) t LEFT ANTI JOIN {source} s ON {_same_key(table.declaration)}
        WHERE t.{affected}
        UNION ALL
        SELECT {", ".join(names)} FROM {source} {f"WHERE NOT {DELETED}" if has_deletes else ""}
    """
    return _write(sql(spark, query), table, mode="overwrite", options={"replaceWhere": affected})


def _has_rows(rows: pa.Table) -> bool:
    return rows.num_rows > 0


def _without_deleted(rows: pa.Table) -> pa.Table:
    if DELETED not in rows.column_names:
        return rows
    return rows.filter(pc.invert(rows.column(DELETED))).drop_columns(DELETED)


def _with_counts(commit: CommitMetrics, counts: RowCounts) -> CommitMetrics:
    """The metrics of a commit that has rewritten rows, with what it has done in terms of keys."""
    copied = commit.rows.inserted - counts.inserted - counts.updated
    return dataclasses.replace(commit, rows=dataclasses.replace(counts, copied=copied))


def _same_key(table: TableSpec) -> str:
    return " AND ".join(f"t.{name} = s.{name}" for name in table.key)


def align_to_schema(rows: "DataFrame", table: TableSpec, *more: str) -> "DataFrame":
    """The rows with exactly the declared columns, in their order and types, followed by the columns `more`, unchanged.

    Raises:
        StepError: a declared column is missing, or a column is not declared.
    """
    check_columns(rows.columns, table, *more)
    # Sail checks NOT NULL before a filter that is directly below the write, so on rows that the filter removes.
    # An offset of 0 keeps the filter first; Spark optimizes it away.
    declared = (rows[column.name].cast(column.type).alias(column.name) for column in table.columns)
    return rows.offset(0).select(*declared, *more)


def sql_literal(text: str) -> str:
    """The text as a literal of the engines' SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _write(rows: "DataFrame", table: OpenTable, *, mode: str, options: dict[str, str] | None = None) -> CommitMetrics:
    version_before, declaration = table.version, table.declaration
    writer = align_to_schema(rows, declaration).write.format("delta").mode(mode).options(**(options or {}))
    if declaration.partition:
        writer = writer.partitionBy(declaration.partition)
    table.before_commit()
    writer.save(table.handle.uri)
    commit = _read_commit(table, version_before)
    if commit.version_after == commit.version_before and not rows.isEmpty():
        raise StepError(f"{table.handle.id}: the engine wrote no commit to {table.handle.uri}")
    return commit


def _read_commit(table: OpenTable, version_before: int) -> CommitMetrics:
    table.log.update_incremental()
    if table.version == version_before:
        return CommitMetrics(version_before=version_before, version_after=version_before)
    metrics: dict[str, Any] = table.log.history(1)[0].get("operationMetrics") or {}
    return CommitMetrics(
        version_before=version_before,
        version_after=table.version,
        rows=RowCounts(**{name: _first(metrics, names) for name, names in _ROW_METRICS.items()}),
        files=FileCounts(**{name: _first(metrics, names) for name, names in _FILE_METRICS.items()}),
    )


def _first(metrics: dict[str, Any], names: Iterable[str]) -> int:
    return next((int(metrics[name]) for name in names if name in metrics), 0)
