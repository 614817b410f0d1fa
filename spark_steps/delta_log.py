"""The Delta log of a table: its creation from the declaration, its protocol, its data files and numbers of rows."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Self

import deltalake
import deltalake.exceptions
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.schema import Field, PrimitiveType
from deltalake.schema import Schema as DeltaSchema

from spark_steps.declarations import Column, TableSpec
from spark_steps.protocol import StepError, TableHandle, Window

_DELTA_TYPES = {"int": "integer", "bigint": "long"}

_SUPPORTED_FEATURES = {"deletionVectors", "vacuumProtocolCheck", "timestampNtz", "variantType"}
"""Reader features that other engines may set: all engines read deletion vectors; the others concern no declared table.
"""

_UNSUPPORTED_FEATURE = re.compile(r"Feature '(\w+)' is not supported|loading a (catalog-managed) table")

_EXACT_IN_LOG = ("string", "int", "bigint", "date")


def accept_commit() -> None:
    """Accept every commit."""


@dataclass(frozen=True, slots=True)
class OpenTable:
    """A table whose log is open. A step opens each table once, because opening costs several requests.

    Attributes:
        handle: the table; its window restricts what is read, counted and replaced.
        log: the log at the newest known version. Writes through this object update it.
        before_commit: called before each commit to the open table; an error of it prevents the commit.
    """

    handle: TableHandle
    log: deltalake.DeltaTable
    before_commit: Callable[[], None] = accept_commit

    @property
    def declaration(self) -> TableSpec:
        """The table's declaration."""
        return self.handle.declaration

    @property
    def version(self) -> int:
        """The newest known version."""
        return self.log.version()

    def within(self, window: Window | None) -> Self:
        """The same open table with another window."""
        return replace(self, handle=replace(self.handle, window=window))


Table = TableHandle | OpenTable
"""A table: functions open a handle, and use an open table as it is."""


def open_table(table: Table) -> OpenTable:
    """The table with its log at the newest version; the table is created if it does not exist.

    Raises:
        StepError: another engine has set a reader feature that the steps do not support, or the table lacks a column
            that must not be null.
    """
    return table if isinstance(table, OpenTable) else OpenTable(table, _open_or_create(table))


def create_if_missing(table: Table) -> int:
    """Create the table from its declaration if it does not exist; return its version."""
    return open_table(table).version


def row_count(table: Table) -> int:
    """The number of rows in the table's window, from the Delta log; no data is read."""
    files = _counted_files(open_table(table))
    return sum(files.column("num_records").to_pylist()) if files.num_rows else 0


def rows_by_day(table: Table) -> dict[date, int]:
    """The number of rows per landing date in the table's window, in order of the days, from the Delta log alone.

    Only for tables that are partitioned by landing date. Days without rows have no entry.
    """
    rows = rows_by_partition(table)
    return {day: count for day, count in sorted(rows.items()) if count}


def rows_by_partition(table: Table) -> dict[Any, int]:
    """The number of rows per value of the partition column in the table's window, from the Delta log alone."""
    opened = open_table(table)
    files = _counted_files(opened)
    if not files.num_rows:
        return {}
    partition = f"partition.{opened.declaration.partition}"
    counts = files.group_by(partition).aggregate([("num_records", "sum")]).to_pydict()
    return dict(zip(counts[partition], counts["num_records_sum"], strict=True))


def data_files(handle: TableHandle, log: deltalake.DeltaTable) -> Any:
    """The data files of the handle's window, one row per file, as a pyarrow table of `get_add_actions`."""
    # pyarrow.table would import pandas, which costs 0.3 s.
    files: Any = pa.RecordBatchReader.from_stream(log.get_add_actions(flatten=True)).read_all()
    if files.num_rows and handle.window:
        day = pc.field("partition._landing_date")
        files = files.filter((day >= pa.scalar(handle.window.start)) & (day < pa.scalar(handle.window.end)))
    return files


def _counted_files(table: OpenTable) -> Any:
    """The files of the table's window with their current numbers of rows, as `num_records`.

    The numbers in the log include rows that a deletion vector removes. The steps write none, but all engines read
    them, and some write them wherever they delete.

    Raises:
        StepError: the log lacks a number of rows.
    """
    files = data_files(table.handle, table.log)
    if not files.num_rows:
        return files
    deleted = rows_deleted_by_vectors(table.log)
    counts = files.column("num_records").to_pylist()
    if None in counts:
        raise StepError(
            f"{table.handle.id}: the log has no number of rows for {counts.count(None):,} files, which another engine "
            "wrote without statistics: let that engine write them with statistics, or load the deliveries into a new "
            "lake"
        )
    counts = [
        count - deleted.get(path, 0) for count, path in zip(counts, files.column("path").to_pylist(), strict=True)
    ]
    return files.set_column(files.column_names.index("num_records"), "num_records", pa.array(counts, pa.int64()))


def rows_deleted_by_vectors(log: deltalake.DeltaTable) -> dict[str, int]:
    """The number of rows that each deletion vector removes, by the path of its data file in the log."""
    if not has_deletion_vectors(log):
        return {}
    root = log.table_uri.rstrip("/") + "/"
    vectors = pa.table(log.deletion_vectors()).to_pydict()
    return {
        uri.removeprefix(root): kept.count(False)
        for uri, kept in zip(vectors["filepath"], vectors["selection_vector"], strict=True)
    }


def has_deletion_vectors(log: deltalake.DeltaTable) -> bool:
    """Whether another engine has allowed deletion vectors in the table."""
    return "deletionVectors" in (log.protocol().reader_features or ())


def unsupported_features(log: deltalake.DeltaTable) -> list[str]:
    """The reader features of a table that the steps do not support, in order."""
    return sorted(set(log.protocol().reader_features or ()) - _SUPPORTED_FEATURES)


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


def _field(column: Column) -> Field:
    delta_type = PrimitiveType(_DELTA_TYPES.get(column.type, column.type))
    metadata = {"comment": column.comment} if column.comment else {}
    return Field(column.name, delta_type, nullable=not column.required, metadata=metadata)
