"""Read and write Delta tables: the DML of all steps, the same on every engine.

Tables are created from their declaration, so types, nullability and partitions do not depend on the first writer.
Metrics of a commit come from the Delta log, not from a query over the data.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import deltalake
import deltalake.exceptions
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.schema import Field, PrimitiveType
from deltalake.schema import Schema as DeltaSchema

from spark_steps.declarations import Column, TableSpec
from spark_steps.protocol import FileCounts, RowCounts, StepError, TableHandle

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DELETED = "_deleted"
"""A column that `merge` accepts in addition to the declared ones: true for rows to delete."""

_DELTA_TYPES = {"int": "integer", "bigint": "long"}

_SUPPORTED_FEATURES = {"deletionVectors", "vacuumProtocolCheck", "timestampNtz", "variantType"}
"""Reader features that other engines may set: all engines read deletion vectors; the others concern no declared table.
"""

_UNSUPPORTED_FEATURE = re.compile(r"Feature '(\w+)' is not supported|loading a (catalog-managed) table")

_EXACT_IN_LOG = ("string", "int", "bigint", "date")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitMetrics:
    """What one write did, as the Delta log counts it; all zero and equal versions if nothing was committed."""

    version_before: int
    version_after: int
    rows: RowCounts = field(default_factory=RowCounts)
    files: FileCounts = field(default_factory=FileCounts)


def sql(spark: "SparkSession", text: str, frames: "Mapping[str, DataFrame] | None" = None) -> "DataFrame":
    """The result of a query, which refers to DataFrames by name.

    The names are those of common table expressions, so steps that run at the same time on one session cannot see each
    other's. A view would belong to the whole session.
    """
    used = {name: rows for name, rows in (frames or {}).items() if re.search(rf"\b{name}\b", text)}
    if used:
        names = ", ".join(f"{name} AS (SELECT * FROM {{{name}}})" for name in used)
        query = text.replace("{", "{{").replace("}", "}}")
        text = f"WITH {names} SELECT * FROM (\n{query}\n)"
    return spark.sql(text, **used)  # pyright: ignore[reportUnknownMemberType] - of an argument that is not used


def create_if_missing(handle: TableHandle) -> int:
    """Create the table from its declaration if it does not exist; return its version."""
    return _open_or_create(handle).version()


def empty_commit(handle: TableHandle) -> CommitMetrics:
    """Metrics of a step without changes: no commit, but the table exists afterwards."""
    version = create_if_missing(handle)
    return CommitMetrics(version_before=version, version_after=version)


def read(spark: "SparkSession", handle: TableHandle) -> "DataFrame":
    """The table's current rows, restricted to the handle's window if it has one.

    The DataFrame is pinned to the version current at the call, so re-evaluation and concurrent commits cannot change
    it. If the Delta log lists no files, an empty literal relation is returned and the engine opens no table.
    """
    table = _open_or_create(handle)
    if not data_files(handle, table).num_rows:
        columns = (f"CAST(NULL AS {column.type}) AS {column.name}" for column in handle.declaration.columns)
        return sql(spark, f"SELECT {', '.join(columns)} WHERE false")
    rows = spark.read.format("delta").option("versionAsOf", table.version()).load(handle.uri)
    return rows.where(handle.window.predicate()) if handle.window else rows


def row_count(handle: TableHandle) -> int:
    """The number of rows in the handle's window, from the Delta log; no data is read."""
    files = _counted_files(handle, _open_or_create(handle))
    return sum(files.column("num_records").to_pylist()) if files.num_rows else 0


def rows_by_day(handle: TableHandle) -> dict[date, int]:
    """The number of rows per landing date in the handle's window, in order of the days, from the Delta log alone.

    Only for tables that are partitioned by landing date. Days without rows have no entry.
    """
    files = _counted_files(handle, _open_or_create(handle))
    if not files.num_rows:
        return {}
    days = files.group_by("partition._landing_date").aggregate([("num_records", "sum")])
    days = days.sort_by("partition._landing_date").to_pydict()
    rows = dict(zip(days["partition._landing_date"], days["num_records_sum"], strict=True))
    return {day: count for day, count in rows.items() if count}


def append(rows: "DataFrame", handle: TableHandle) -> CommitMetrics:
    """Add rows in one commit.

    Raises:
        StepError: the rows do not have the declared columns, or the engine wrote no commit.
    """
    return _write(rows, handle, mode="append")


def replace(rows: "DataFrame", handle: TableHandle) -> CommitMetrics:
    """Replace all rows of the handle's window, or of the table if it has none, in one commit.

    Raises:
        StepError: the rows do not have the declared columns, or the engine wrote no commit.
    """
    if handle.window is None:
        return _write(rows, handle, mode="overwrite")
    return _write(rows, handle, mode="overwrite", options={"replaceWhere": handle.window.predicate()})


def merge(
    spark: "SparkSession", rows: "DataFrame", handle: TableHandle, counts: RowCounts, *, partitions: Sequence[str] = ()
) -> CommitMetrics:
    """Insert, update and delete rows by key, in one commit.

    Rows are appended if none is updated or deleted. Otherwise a table without partitions gets a MERGE. In a partitioned
    table the affected partitions are rewritten: Sail takes seconds to plan a MERGE of many columns, which would rewrite
    nearly all files of these partitions anyway.

    Args:
        spark: the session.
        rows: one row per key, with `DELETED` as an additional column if some are to be deleted.
        handle: the table.
        counts: how many rows are inserted, updated and deleted; the caller has compared them with the table. Nothing
            is done if all are zero.
        partitions: all partitions that rows are in or move from; other partitions are not read.

    Raises:
        StepError: the rows do not have the declared columns, or the engine wrote no commit.
    """
    if counts == RowCounts():
        return empty_commit(handle)
    if counts == RowCounts(inserted=counts.inserted):
        return append(rows.drop(DELETED), handle)
    version_before = create_if_missing(handle)
    table = handle.declaration
    marks = tuple(name for name in rows.columns if name == DELETED)
    source = align_to_schema(rows, table, *marks)
    if table.partition is None:
        view = f"merge_source_of_{table.layer}_{table.name}"  # MERGE reads no DataFrame; a table has one writer
        source.createOrReplaceTempView(view)
        sql(spark, _merge_statement(handle, view, has_deletes=bool(marks))).collect()
        spark.catalog.dropTempView(view)
        return _read_commit(handle, version_before)
    target = read(spark, TableHandle(handle.id, handle.uri))
    affected = f"{table.partition} IN ({', '.join(sql_literal(value) for value in partitions)})"
    names = table.column_names
    query = f"""
        SELECT {", ".join(f"t.{name}" for name in names)}
        FROM target t LEFT ANTI JOIN source s ON {_same_key(table)} WHERE t.{affected}
        UNION ALL
        SELECT {", ".join(names)} FROM source {f"WHERE NOT {DELETED}" if marks else ""}
    """
    merged = sql(spark, query, {"target": target, "source": source})
    commit = _write(merged, handle, mode="overwrite", options={"replaceWhere": affected})
    copied = commit.rows.inserted - counts.inserted - counts.updated
    return dataclasses.replace(commit, rows=dataclasses.replace(counts, copied=copied))


def _merge_statement(handle: TableHandle, source: str, *, has_deletes: bool) -> str:
    names = handle.declaration.column_names
    return f"""
        MERGE INTO delta.`{handle.uri}` t USING {source} s ON {_same_key(handle.declaration)}
        {f"WHEN MATCHED AND s.{DELETED} THEN DELETE" if has_deletes else ""}
        WHEN MATCHED THEN UPDATE SET {", ".join(f"{name} = s.{name}" for name in names)}
        WHEN NOT MATCHED THEN INSERT ({", ".join(names)}) VALUES ({", ".join(f"s.{name}" for name in names)})
    """


def _same_key(table: TableSpec) -> str:
    return " AND ".join(f"t.{name} = s.{name}" for name in table.key)


def align_to_schema(rows: "DataFrame", table: TableSpec, *more: str) -> "DataFrame":
    """The rows with exactly the declared columns, in their order and types, followed by the columns `more`, unchanged.

    Raises:
        StepError: a declared column is missing, or a column is not declared.
    """
    missing = sorted(set(table.column_names) - set(rows.columns))
    unknown = sorted(set(rows.columns) - {*table.column_names, *more})
    if missing or unknown:
        problems = [
            *([f"lack the columns {', '.join(missing)}"] if missing else []),
            *([f"have undeclared columns {', '.join(unknown)}"] if unknown else []),
        ]
        raise StepError(f"{table.id}: the step's rows {' and '.join(problems)}")
    # Sail checks NOT NULL before a filter that is directly below the write, so on rows that the filter removes.
    # An offset of 0 keeps the filter first; Spark optimizes it away.
    declared = (rows[column.name].cast(column.type).alias(column.name) for column in table.columns)
    return rows.offset(0).select(*declared, *more)


def sql_literal(text: str) -> str:
    """The text as a SQL literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _open_or_create(handle: TableHandle) -> deltalake.DeltaTable:
    """The table's log at its newest version; the table is created if it does not exist.

    Raises:
        StepError: another engine has set a reader feature that the steps do not support, or the table lacks a column
            that must not be null.
    """
    try:
        table = deltalake.DeltaTable(handle.uri)
    except deltalake.exceptions.TableNotFoundError:
        return _create(handle)
    except deltalake.exceptions.DeltaError as error:
        if feature := _UNSUPPORTED_FEATURE.search(str(error)):
            raise _unsupported(handle, next(filter(None, feature.groups()))) from error
        raise
    if features := unsupported_features(table):
        raise _unsupported(handle, ", ".join(features))
    return _add_missing_columns(handle, table)


def unsupported_features(table: deltalake.DeltaTable) -> list[str]:
    """The reader features of a table that the steps do not support, in order."""
    return sorted(set(table.protocol().reader_features or ()) - _SUPPORTED_FEATURES)


def _unsupported(handle: TableHandle, features: str) -> StepError:
    return StepError(
        f"{handle.id}: another engine has set the reader feature {features}, which the steps do not support: remove it "
        "with the engine that set it (ALTER TABLE ... DROP FEATURE), or load the deliveries into a new lake"
    )


def _add_missing_columns(handle: TableHandle, table: deltalake.DeltaTable) -> deltalake.DeltaTable:
    """Add declared columns that the table, written by an earlier release, does not have; they are null in its rows.

    Raises:
        StepError: one of them must not be null. Sail would write the table without it, and report no error.
    """
    existing = {field.name for field in table.schema().fields}
    missing = [column for column in handle.declaration.columns if column.name not in existing]
    if required := [column.name for column in missing if column.required]:
        raise StepError(
            f"{handle.id}: the table was written without the column {', '.join(required)}: recompute it with "
            f"`olist rebuild {handle.id}`"
        )
    if missing:
        table.alter.add_columns([_field(column) for column in missing])
        table.update_incremental()
    return table


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
        return deltalake.DeltaTable(handle.uri)  # created meanwhile, by a lost request or by another process


KEEP_LOG = {"delta.enableExpiredLogCleanup": "false"}
"""No engine removes commits by itself: data files that only they refer to would remain for ever."""


def _properties(table: TableSpec) -> dict[str, str]:
    """Table properties; they keep minimum and maximum values of fractions and timestamps out of the log.

    The log has them as text, and if both are equal Sail takes them for the value of all rows in the file: a double
    changes in its last bit, a large decimal in its cents, and a timestamp written by Spark loses its microseconds.
    """
    exact = [c.name for c in table.columns if c.type in _EXACT_IN_LOG and c.name != table.partition]
    return KEEP_LOG | ({} if len(exact) == len(table.columns) else {"delta.dataSkippingStatsColumns": ",".join(exact)})


def data_files(handle: TableHandle, table: deltalake.DeltaTable) -> Any:
    """The data files of the handle's window, one row per file, as a pyarrow table of `get_add_actions`."""
    # pyarrow.table would import pandas, which costs 0.3 s.
    files: Any = pa.RecordBatchReader.from_stream(table.get_add_actions(flatten=True)).read_all()
    if files.num_rows and handle.window:
        day = pc.field("partition._landing_date")
        files = files.filter((day >= pa.scalar(handle.window.start)) & (day < pa.scalar(handle.window.end)))
    return files


def _counted_files(handle: TableHandle, table: deltalake.DeltaTable) -> Any:
    """The files of the handle's window with their current numbers of rows, as `num_records`.

    The numbers in the log include rows that a deletion vector removes. The steps write none, but all engines read
    them, and some write them wherever they delete.

    Raises:
        StepError: the log lacks a number of rows.
    """
    files = data_files(handle, table)
    if not files.num_rows:
        return files
    deleted = rows_deleted_by_vectors(table)
    counts = files.column("num_records").to_pylist()
    if None in counts:
        raise StepError(
            f"{handle.id}: the log has no number of rows for {counts.count(None):,} files, which another engine wrote "
            "without statistics: let that engine write them with statistics, or load the deliveries into a new lake"
        )
    counts = [
        count - deleted.get(path, 0) for count, path in zip(counts, files.column("path").to_pylist(), strict=True)
    ]
    return files.set_column(files.column_names.index("num_records"), "num_records", pa.array(counts, pa.int64()))


def rows_deleted_by_vectors(table: deltalake.DeltaTable) -> dict[str, int]:
    """The number of rows that each deletion vector removes, by the path of its data file in the log."""
    if "deletionVectors" not in (table.protocol().reader_features or ()):
        return {}
    root = table.table_uri.rstrip("/") + "/"
    vectors = pa.table(table.deletion_vectors()).to_pydict()
    return {
        uri.removeprefix(root): kept.count(False)
        for uri, kept in zip(vectors["filepath"], vectors["selection_vector"], strict=True)
    }


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
    metrics: dict[str, Any] = table.history(1)[0].get("operationMetrics") or {}
    return CommitMetrics(
        version_before=version_before,
        version_after=table.version(),
        rows=RowCounts(**{name: _first(metrics, names) for name, names in _ROW_METRICS.items()}),
        files=FileCounts(**{name: _first(metrics, names) for name, names in _FILE_METRICS.items()}),
    )


def _first(metrics: dict[str, Any], names: Iterable[str]) -> int:
    return next((int(metrics[name]) for name in names if name in metrics), 0)


def _field(column: Column) -> Field:
    delta_type = PrimitiveType(_DELTA_TYPES.get(column.type, column.type))
    metadata = {"comment": column.comment} if column.comment else {}
    return Field(column.name, delta_type, nullable=not column.required, metadata=metadata)
