"""The difference between two lakes: rows and values of a table that are in one but not in the other."""

from pathlib import Path

import deltalake
import duckdb
from pyarrow import fs

from spark_steps.declarations import TableSpec

_RELATIVE_TOLERANCE = 1e-9
"""Doubles that differ by at most this share of the greater one are equal: a sum depends on the order of its terms."""


def differences(table: TableSpec, left: Path, right: Path, *, without: frozenset[str] = frozenset()) -> list[str]:
    """Compare a table of two lakes: types, rows by their key, and values column by column.

    Args:
        table: the declaration of the table.
        left: the root of the first lake, a folder.
        right: the root of the second lake, a folder.
        without: columns whose values are not compared; if one is in the key, rows are compared by the rest of the key.

    Returns:
        One line per kind of difference, with a count; empty if the tables are equal.

    Raises:
        deltalake.exceptions.TableNotFoundError: a lake does not have the table.
    """
    with duckdb.connect() as duck:
        for name, lake in (("l", left), ("r", right)):
            # deltalake's own file system is a Python object: a thread that still has it at exit aborts the process.
            folder = fs.SubTreeFileSystem(str(lake / table.id), fs.LocalFileSystem())
            duck.register(name, deltalake.DeltaTable(lake / table.id).to_pyarrow_dataset(filesystem=folder))
        left_types, right_types = (_column_types(duck, name) for name in ("l", "r"))
        if left_types != right_types:
            return [f"{table.id}: columns {left_types} and {right_types}"]
        compared = {column: type_ for column, type_ in left_types.items() if column not in without}
        return [f"{table.id}: {line}" for line in _compare_rows(duck, table, compared)]


def _column_types(duck: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    return {column: type_ for column, type_, *_ in duck.execute(f"DESCRIBE {name}").fetchall()}


def _compare_rows(duck: duckdb.DuckDBPyConnection, table: TableSpec, columns: dict[str, str]) -> list[str]:
    """Count rows of one side only, rows with a key that occurs more than once, and values that differ."""
    key = [column for column in table.key if column in columns]
    same_key = " AND ".join(f"l.{column} IS NOT DISTINCT FROM r.{column}" for column in key)
    unequal = [f"l._exists AND r._exists AND {_unequal(column, type_)}" for column, type_ in columns.items()]
    conditions = ["l._exists IS NULL", "r._exists IS NULL", *unequal]
    [(rows, only_right, only_left, *unequal_values)] = duck.execute(f"""
        SELECT count(*), {", ".join(f"count(*) FILTER ({condition})" for condition in conditions)}
        FROM (SELECT *, true AS _exists FROM l) l FULL JOIN (SELECT *, true AS _exists FROM r) r ON {same_key}
    """).fetchall()
    [(left_rows, right_rows)] = duck.execute("SELECT (SELECT count(*) FROM l), (SELECT count(*) FROM r)").fetchall()
    pairs = rows - only_left - only_right
    counts = {
        "rows only in the first": only_left,
        "rows only in the second": only_right,
        "rows with a duplicate key": pairs - min(left_rows - only_left, right_rows - only_right),
        **{f"rows with another {column}": count for column, count in zip(columns, unequal_values, strict=True)},
    }
    return [f"{count:,} {difference}" for difference, count in counts.items() if count]


def _unequal(column: str, type_: str) -> str:
    """SQL that is true where the values of a column differ."""
    left, right = f"l.{column}", f"r.{column}"
    if type_ != "DOUBLE":
        return f"{left} IS DISTINCT FROM {right}"
    close = f"abs({left} - {right}) <= {_RELATIVE_TOLERANCE} * greatest(abs({left}), abs({right}))"
    return f"NOT coalesce({close}, {left} IS NULL AND {right} IS NULL)"
