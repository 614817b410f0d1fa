"""Results of SQL as text and files: CSV, JSON, Markdown, Parquet, and rows for a table on a screen."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import duckdb
from rich.markup import escape
from rich.table import Table

from olist_assets.errors import OlistError
from olist_assets.serving.sql.session import to_query_error

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

T = TypeVar("T")


def rows(result: duckdb.DuckDBPyRelation) -> list[tuple]:
    """All rows of a result."""
    return _fetched(result.fetchall)


def to_csv(result: duckdb.DuckDBPyRelation) -> str:
    """The result as CSV with a header, null as an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows(rows(result))
    return text.getvalue()


def to_json(result: duckdb.DuckDBPyRelation) -> str:
    """The result as a JSON array of objects; decimals, dates and times as text."""
    if twice := [name for name, times in Counter(result.columns).items() if times > 1]:
        raise OlistError(f"an object of JSON can't hold two columns named {twice[0]}: give one another name, by AS")
    records = [dict(zip(result.columns, row, strict=True)) for row in rows(result)]
    return json.dumps(records, default=str, ensure_ascii=False, indent=1) + "\n"


def to_markdown(result: duckdb.DuckDBPyRelation) -> str:
    """The result as a Markdown table, numbers to the right, null as an empty cell."""
    marks = ["--:" if is_number(kind) else "---" for kind in result.types]
    lines = [map(_markdown, result.columns), marks, *(map(_markdown, row) for row in rows(result))]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_parquet(result: duckdb.DuckDBPyRelation, stream: BinaryIO) -> None:
    """The result as a Parquet file, written to a stream."""
    import pyarrow.parquet  # noqa: PLC0415 - costs 0.3 s, and is for this format only

    pyarrow.parquet.write_table(_fetched(result.to_arrow_table), stream)


def to_table(columns: Sequence[str], kinds: Sequence["DuckDBPyType"], values: Iterable[Iterable[str]]) -> Table:
    """Texts as a table on a screen, numbers to the right."""
    grid = Table(box=None, pad_edge=False)
    for name, kind in zip(columns, kinds, strict=True):
        grid.add_column(escape(name), justify="right" if is_number(kind) else "left", no_wrap=True)
    for row in values:
        grid.add_row(*map(escape, row))
    return grid


def first_rows(result: duckdb.DuckDBPyRelation, limit: int) -> list[tuple]:
    """The first rows of a result, which may have more."""
    return _fetched(lambda: result.fetchmany(limit))


def text(value: object) -> str:
    """A value as a table shows it; null is empty."""
    return "" if value is None else str(value)


def is_number(kind: "DuckDBPyType") -> bool:
    """Whether values of a type are numbers."""
    return kind.id in {
        "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint",
        "uhugeint", "float", "double", "decimal",
    }  # fmt: skip


def _markdown(value: object) -> str:
    return " ".join(text(value).replace("\\", "\\\\").replace("|", "\\|").split())


def _fetched(fetch: Callable[[], T]) -> T:
    try:
        return fetch()
    except duckdb.Error as error:
        raise to_query_error(error) from error
    except RuntimeError as error:  # what DuckDB makes of Ctrl-C
        if "interrupted" not in str(error).lower():
            raise
        raise KeyboardInterrupt from None
