"""Whether two lakes hold the same tables: every row, every column, in the same types."""

from pathlib import Path

import deltalake
import duckdb

from spark_steps.declarations import TableSpec

_PRECISION = 1e-9
"""By how much two doubles may differ and still be equal, as a share of the greater: sums depend on their order."""


def differences(table: TableSpec, left: Path, right: Path, *, without: frozenset[str] = frozenset()) -> list[str]:
    """What differs between a table of two lakes, a line each; nothing if they are equal.

    Args:
        table: the table; its rows are compared by its key.
        left: the root of a lake.
        right: the root of the other.
        without: columns that are not compared.
    """
    with duckdb.connect() as duck:
        for name, lake in (("l", left), ("r", right)):
            duck.register(name, deltalake.DeltaTable(lake / table.id).to_pyarrow_dataset())
        types, others = (_types(duck, name) for name in ("l", "r"))
        if types != others:
            return [f"{table.id}: columns {types} and {others}"]
        return [f"{table.id}: {line}" for line in _different_rows(duck, table, types, without)]


def _types(duck: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    return {column: type_ for column, type_, *_ in duck.execute(f"DESCRIBE {name}").fetchall()}


def _different_rows(
    duck: duckdb.DuckDBPyConnection, table: TableSpec, types: dict[str, str], without: frozenset[str]
) -> list[str]:
    """Counts of rows that only one side has, of keys that are there twice, and of values that differ."""
    compared = {column: type_ for column, type_ in types.items() if column not in without}
    same_key = " AND ".join(f"l.{column} IS NOT DISTINCT FROM r.{column}" for column in table.key)
    differ = [f"l._there AND r._there AND {_differ(column, type_)}" for column, type_ in compared.items()]
    counts = ["l._there IS NULL", "r._there IS NULL", *differ]
    [(rows, only_right, only_left, *of_columns)] = duck.execute(f"""
        SELECT count(*), {", ".join(f"count(*) FILTER ({condition})" for condition in counts)}
        FROM (SELECT *, true AS _there FROM l) l FULL JOIN (SELECT *, true AS _there FROM r) r ON {same_key}
    """).fetchall()
    [(left_rows, right_rows)] = duck.execute("SELECT (SELECT count(*) FROM l), (SELECT count(*) FROM r)").fetchall()
    pairs = rows - only_left - only_right
    found = {
        "rows only in the first": only_left,
        "rows only in the second": only_right,
        "rows too many for their keys": pairs - min(left_rows - only_left, right_rows - only_right),
        **{f"rows with another {column}": count for column, count in zip(compared, of_columns, strict=True)},
    }
    return [f"{count:,} {what}" for what, count in found.items() if count]


def _differ(column: str, type_: str) -> str:
    """SQL that is true where two values differ."""
    left, right = f"l.{column}", f"r.{column}"
    if type_ != "DOUBLE":
        return f"{left} IS DISTINCT FROM {right}"
    near = f"abs({left} - {right}) <= {_PRECISION} * greatest(abs({left}), abs({right}))"
    return f"NOT coalesce({near}, {left} IS NULL AND {right} IS NULL)"
