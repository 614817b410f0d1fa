"""Results of SQL as CSV, JSON, Markdown, Parquet, and as a table for the terminal."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import duckdb
from rich.markup import escape
from rich.table import Table

from olist_assets.errors import QueryError
from olist_assets.serving.sql.session import to_query_error

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

T = TypeVar("T")

_CHUNK_ROWS = 10_000
"""The number of rows between which Ctrl-C can end a fetch."""


def rows(result: duckdb.DuckDBPyRelation) -> list[tuple]:
    """All rows of a result.

    Raises:
        QueryError: DuckDB cannot compute the result.
        KeyboardInterrupt: the user pressed Ctrl-C.
    """
    return _fetch(lambda: [row for chunk in iter(lambda: result.fetchmany(_CHUNK_ROWS), []) for row in chunk])


def to_csv(result: duckdb.DuckDBPyRelation) -> str:
    """The result as CSV with a header; null is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows(rows(result))
    return text.getvalue()


def to_json(result: duckdb.DuckDBPyRelation) -> str:
    """The result as a JSON array of objects; decimals, dates and times are text.

    Raises:
        QueryError: two columns have the same name, or DuckDB cannot compute the result.
    """
    if duplicates := [name for name, count in Counter(result.columns).items() if count > 1]:
        raise QueryError(f"JSON cannot have two columns named {duplicates[0]}: rename one with AS")
    records = [dict(zip(result.columns, row, strict=True)) for row in rows(result)]
    return json.dumps(records, default=str, ensure_ascii=False, indent=1) + "\n"


def to_markdown(result: duckdb.DuckDBPyRelation) -> str:
    """The result as a Markdown table with numbers aligned right; null is an empty cell."""
    alignments = ["--:" if is_number(type_) else "---" for type_ in result.types]
    lines = [map(_escape_markdown, result.columns), alignments, *(map(_escape_markdown, row) for row in rows(result))]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_parquet(result: duckdb.DuckDBPyRelation, stream: BinaryIO) -> None:
    """Write the result to a stream as a Parquet file."""
    import pyarrow.parquet  # noqa: PLC0415 - takes 0.3 s, and only this format needs it

    pyarrow.parquet.write_table(_fetch(result.to_arrow_table), stream)


def to_table(
    columns: Sequence[str],
    types: Sequence["DuckDBPyType"],
    values: Iterable[Iterable[str]],
    *,
    max_column_width: int | None = None,
) -> Table:
    """A table for the terminal with numbers aligned right; longer texts than `max_column_width` end in an ellipsis."""
    table = Table(box=None, pad_edge=False)
    for name, type_ in zip(columns, types, strict=True):
        justify = "right" if is_number(type_) else "left"
        table.add_column(escape(name), justify=justify, no_wrap=True, max_width=max_column_width)
    for row in values:
        table.add_row(*map(escape, row))
    return table


def first_rows(result: duckdb.DuckDBPyRelation, limit: int) -> list[tuple]:
    """At most `limit` rows of a result, from its start."""
    return _fetch(lambda: result.fetchmany(limit))


def text(value: object) -> str:
    """A value as text; null is empty."""
    return "" if value is None else str(value)


def is_number(type_: "DuckDBPyType") -> bool:
    """Whether the values of a type are numbers."""
    return type_.id in {
        "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint",
        "uhugeint", "float", "double", "decimal",
    }  # fmt: skip


def _escape_markdown(value: object) -> str:
    return " ".join(text(value).replace("\\", "\\\\").replace("|", "\\|").split())


def _fetch(fetch: Callable[[], T]) -> T:
    try:
        return fetch()
    except duckdb.Error as error:
        raise to_query_error(error) from error
    except RuntimeError as error:  # DuckDB's error on Ctrl-C
        if "interrupted" not in str(error).lower():
            raise
        raise KeyboardInterrupt from None
