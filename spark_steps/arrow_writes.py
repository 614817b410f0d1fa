"""Writes of collected rows by delta-rs, in this process: they take milliseconds, and no query of the engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import deltalake
import pyarrow as pa

from spark_steps.declarations import TableSpec
from spark_steps.delta_log import OpenTable, data_files, has_deletion_vectors
from spark_steps.protocol import FileCounts, RowCounts, StepError

_MAX_REPLACED_KEYS, _MAX_ALTERNATIVES = 2_000, 50
"""Limits of the predicate by which delta-rs replaces rows."""

_EXACT_KEYS = ("string", "int", "bigint")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitMetrics:
    """What one write did; all zero and equal versions if nothing was committed."""

    version_before: int
    version_after: int
    rows: RowCounts = field(default_factory=RowCounts)
    files: FileCounts = field(default_factory=FileCounts)


def check_columns(names: Sequence[str], table: TableSpec, *more: str) -> None:
    """Check that these are the declared columns, followed by `more`, in any order.

    Raises:
        StepError: a declared column is missing, or a column is not declared.
    """
    missing = sorted(set(table.column_names) - set(names))
    unknown = sorted(set(names) - {*table.column_names, *more})
    if missing or unknown:
        problems = [
            *([f"lack the columns {', '.join(missing)}"] if missing else []),
            *([f"have undeclared columns {', '.join(unknown)}"] if unknown else []),
        ]
        raise StepError(f"{table.id}: the step's rows {' and '.join(problems)}")


def write(
    rows: pa.Table, table: OpenTable, *, mode: Literal["append", "overwrite"], predicate: str | None = None
) -> CommitMetrics:
    """Write rows in one commit.

    Args:
        rows: the rows, with the declared columns.
        table: the table.
        mode: `append` or `overwrite`.
        predicate: SQL of the rows to overwrite, if not all are; the new rows meet it too.

    Raises:
        StepError: the rows do not have the declared columns, or a required value is missing.
    """
    version_before, before = table.version, _file_sizes(table)
    rows = _align(rows, table)
    table.before_commit()
    if mode == "append":
        deltalake.write_deltalake(table.log, rows, mode=mode)
    else:
        deltalake.write_deltalake(table.log, rows, mode=mode, predicate=predicate)
    after = _file_sizes(table)
    added, removed = after.keys() - before.keys(), before.keys() - after.keys()
    return CommitMetrics(
        version_before=version_before,
        version_after=table.version,
        rows=RowCounts(inserted=sum(after[path][0] for path in added)),
        files=FileCounts(
            added=len(added),
            removed=len(removed),
            bytes_added=sum(after[path][1] for path in added),
            bytes_removed=sum(before[path][1] for path in removed),
        ),
    )


def _file_sizes(table: OpenTable) -> dict[str, tuple[int, int]]:
    """Rows and bytes of each data file, by its path."""
    files = data_files(table.within(None).handle, table.log)
    columns = (files.column(name).to_pylist() for name in ("path", "num_records", "size_bytes"))
    return {path: (rows, size) for path, rows, size in zip(*columns, strict=True)}


def _align(rows: pa.Table, table: OpenTable) -> pa.Table:
    """The rows with exactly the declared columns, in their order and types.

    Raises:
        StepError: a declared column is missing, a column is not declared, or a required value is missing.
    """
    declaration = table.declaration
    check_columns(rows.column_names, declaration)
    for column in declaration.columns:
        if column.required and (missing := rows.column(column.name).null_count):
            raise StepError(f"{declaration.id}: {missing:,} rows have no value in the NOT NULL column {column.name}")
    types = {field.name: field for field in pa.schema(table.log.schema().to_arrow())}
    return rows.select(declaration.column_names).cast(pa.schema([types[name] for name in declaration.column_names]))


def keys_predicate(rows: pa.Table, table: OpenTable, partitions: Sequence[str]) -> str | None:
    """SQL of the rows that have the keys of these rows; None if delta-rs cannot replace them, or if it is too long.

    delta-rs plans a long disjunction slowly. Of a composite key, the column with the fewest values is enumerated.
    """
    declaration = table.declaration
    keys = {name: rows.column(name).to_pylist() for name in declaration.key}
    types = {column.name: column.type for column in declaration.columns}
    are_exact = all(types[name] in _EXACT_KEYS for name in keys)
    if rows.num_rows > _MAX_REPLACED_KEYS or not are_exact or has_deletion_vectors(table.log):
        return None
    first, *others = sorted(keys, key=lambda name: len(set(keys[name])), reverse=True)
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for value, *rest in zip(keys[first], *(keys[name] for name in others), strict=True):
        groups.setdefault(tuple(rest), []).append(value)
    if len(groups) > _MAX_ALTERNATIVES:
        return None
    alternatives = [
        " AND ".join(
            [_is_in(first, values), *(_is_in(name, [value]) for name, value in zip(others, rest, strict=True))]
        )
        for rest, values in groups.items()
    ]
    predicate = " OR ".join(f"({alternative})" for alternative in alternatives)
    return f"{_is_in(declaration.partition, partitions)} AND ({predicate})" if declaration.partition else predicate


def _is_in(column: str, values: Sequence[Any]) -> str:
    """SQL that is true for these values of a column, in the dialect of delta-rs, where a backslash is no escape."""
    literals = ["'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value) for value in values]
    return f"{column} IN ({', '.join(literals)})"
