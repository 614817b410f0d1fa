"""Replaying a dump: one delivery a day by event time, as the shop would have sent them."""

import csv
import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from obstore.store import ObjectStore

from olist_assets.errors import OlistError
from olist_assets.lake.files import FILE_STEMS, FIRST_LANDING_DATE, table_for_file
from olist_assets.lake.storage import has_content, open_store
from olist_assets.sources.deliver import check_landing_date, dump_files, names_in_delivery
from spark_steps import csv_files
from spark_steps.columns import ORDER_STATUSES
from spark_steps.protocol import LandedFile, StepError
from spark_steps.tables import TABLES

_MEMORY = "512MB"
"""What DuckDB may take; what is larger it sorts on disk."""

_PIECE_ROWS = 20_000
"""How many rows of a table are in Python's memory at once."""

_TIME = r"(19|20|21)\d\d-\d\d-\d\d([ T]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?)?"
"""What a time looks like that trusted can read."""

_STATES = {
    "approved": "order_approved_at",
    "shipped": "order_delivered_carrier_date",
    "delivered": "order_delivered_customer_date",
}
"""Of each state that an order goes through after `created` the column that says when."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay has done.

    Attributes:
        days: the landing dates of its deliveries, in order.
        files: how many files it has put into them, those that were there already among them.
        new_files: how many were not there.
        missing: the tables that the dump lacks.
    """

    days: tuple[date, ...]
    files: int
    new_files: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows of a table that are delivered on a day: `_day`, `_row` and `_text`, then the file's columns."""

    day: date
    table: str
    rows: pa.RecordBatch


def replay(
    dump: Path,
    source: str,
    *,
    first: date | None = None,
    last: date | None = None,
    on_day: Callable[[date, int], None] = lambda _day, _new_files: None,
) -> Replayed:
    """Split a dump into deliveries, one a day: each row on the day on which the shop would have sent it.

    - An order comes on its purchase day, and again on each later day on which it was approved, handed to the carrier
      or delivered, as it was known by the end of that day: later times are blank, and its status is `created`,
      `approved`, `shipped` or `delivered`. On the day of its last time it comes as the dump has it.
    - Customers, items and payments come on the purchase day of their order; products and sellers on the first day on
      which one of their items comes; reviews on their answer day; geolocation and the translation on the first day,
      which is that of the earliest purchase.

    All rows of the dump are delivered, and those of one key in the dump's order, so that the newest row of each key is
    the dump's last one. What does not fit is dated like this:

    - A time that cannot be read is none. A review without an answer time comes on the day of its creation.
    - What has no day, or one before the first, comes on the first day: orders without any time, rows whose order the
      dump does not have, products that never sell; and so do rows that cannot be parsed, as their text.
    - An order that the dump has twice, or that trusted might not accept, has no history: each of its rows comes once,
      on the day of its last time.

    A file's name says that it was extracted at the end of the day, so that a later delivery is a newer one. A file
    that a delivery holds already is left as it is: the same replay again changes nothing, and goes on where an earlier
    one was interrupted. What the delivery of a day holds does not depend on `first` and `last`.

    Args:
        dump: a folder with Olist CSV files: at most one a table, and one of orders.
        source: the folder of the deliveries.
        first: the first landing date to deliver; by default the dump's first day.
        last: the last landing date to deliver; by default the dump's last day.
        on_day: called with each landing date, once its delivery is whole, and the number of files that it got.

    Raises:
        OlistError: the dump is not a folder, lacks orders, has two files of a table, or has a file that raw would
            not accept, as one that lacks a column; `first` lies after `last`, or one of them cannot be a landing
            date; the dump goes beyond today; a delivery holds a file of that name with other content.
    """
    _check_range(first, last)
    paths = _paths(dump)
    with TemporaryDirectory(prefix="olist-replay-") as folder, _database(Path(folder)) as database:
        headers = {table: _load(database, table, paths.get(table)) for table in FILE_STEMS}
        _schedule(database, dump)
        window = f"_day BETWEEN DATE'{first or date.min}' AND DATE'{last or date.max}'"
        _check_not_after_today(database, paths, window)
        store = open_store(source, create=True)
        pieces = [_pieces(database, table, header, window) for table, header in headers.items()]
        new_files: dict[date, list[bool]] = {}
        for day, of_day in groupby(heapq.merge(*pieces, key=attrgetter("day", "table")), attrgetter("day")):
            delivery = _Delivery(store, day, names_in_delivery(store, day), Path(folder) / "draft.csv")
            new_files[day] = [
                delivery.put(table, headers[table], rows) for table, rows in groupby(of_day, attrgetter("table"))
            ]
            on_day(day, sum(new_files[day]))
    return Replayed(
        days=tuple(new_files),
        files=sum(map(len, new_files.values())),
        new_files=sum(map(sum, new_files.values())),
        missing=tuple(sorted(FILE_STEMS.keys() - paths.keys())),
    )


def _check_range(first: date | None, last: date | None) -> None:
    for day in (first, last):
        if day:
            check_landing_date(day)
    if first and last and first > last:
        raise OlistError(f"the first landing date, {first}, lies after the last one, {last}")


def _paths(dump: Path) -> dict[str, Path]:
    """The dump's file of each table."""
    paths: dict[str, Path] = {}
    for path in dump_files(dump):
        table = table_for_file(path.name) or ""
        if table in paths:
            raise OlistError(f"{dump} has both {paths[table].name} and {path.name}; a replay takes one file a table")
        paths[table] = path
    if "orders" not in paths:
        raise OlistError(f"{dump} has no {FILE_STEMS['orders']}.csv to tell the days of a replay from")
    return paths


# --- From files to tables of texts ----------------------------------------------------------------------------------


def _database(folder: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        folder / "dump.duckdb",
        config={
            "memory_limit": _MEMORY,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )


def _load(database: duckdb.DuckDBPyConnection, table: str, path: Path | None) -> list[str]:
    """Put the rows of a file, as raw reads them, into a table of texts; returns the names of the file's columns.

    Beside the contract's columns the table has `_row`, the position in the file, `_extra`, the JSON of columns that
    the contract does not know, and `_text`, the text of a row that cannot be parsed.
    """
    contract = _contract(table)
    columns = ", ".join((*contract, "_row", "_extra", "_text"))
    types = ", ".join(f"{name} VARCHAR" for name in contract)
    database.execute(f"CREATE TABLE {table} ({types}, _row BIGINT, _extra VARCHAR, _text VARCHAR)")
    if path is None:
        return list(contract)
    for batch in _batches(table, path, contract):
        database.register("batch", pa.Table.from_batches([batch]))
        database.execute(f"INSERT INTO {table} SELECT {columns} FROM batch")
        database.unregister("batch")
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return next(record for record in csv.reader(lines) if record)


def _contract(table: str) -> tuple[str, ...]:
    """The columns that a table's files must have."""
    return tuple(column.name for column in TABLES[f"raw/{table}"].value_columns)


def _batches(table: str, path: Path, contract: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    file = LandedFile(str(path), path.name, "", FIRST_LANDING_DATE, datetime.now(UTC))
    try:
        yield from csv_files.reader(table, contract, "")(iter(csv_files.file_rows((file,)).to_batches()))
    except StepError as error:  # its place and cure are those of a file in the landzone
        fault = str(error).partition(f" of {FIRST_LANDING_DATE} ")[2].partition("; take it out")[0]
        raise OlistError(f"{path} {fault}; mend it and replay again") from error


# --- The days of each row --------------------------------------------------------------------------------------------


def _schedule(database: duckdb.DuckDBPyConnection, dump: Path) -> None:
    """Make a table `<table>_days` of each table, with the days on which its rows are delivered: null is the first."""
    stripped = r"trim(text, E' \t\r\n')"
    time = f"CASE WHEN regexp_full_match({stripped}, '{_TIME}') THEN try_cast({stripped} AS TIMESTAMP) END"
    database.execute(f"CREATE MACRO is_blank(text) AS coalesce({stripped}, '') = ''")
    database.execute(f"CREATE MACRO day_of(text) AS CAST({time} AS DATE)")
    database.execute(f"CREATE MACRO first_day() AS DATE'{_first_day(database, dump)}'")
    database.execute(f"CREATE TABLE order_times AS {_order_times()}")
    of_order = "SELECT {0}, min(placed) AS _day FROM order_times GROUP BY {0}"
    sold = "SELECT {0}, coalesce(_day, first_day()) AS _day FROM order_items JOIN order_items_days USING (_row)"
    of_item = f"SELECT {{0}}, min(_day) AS _day FROM ({sold}) GROUP BY {{0}}"
    schedules = {
        "orders": f"""
            SELECT _row, last, {", ".join(_STATES)}, unnest(CASE
                WHEN has_history THEN list_distinct([placed, {", ".join(f"greatest(placed, {s})" for s in _STATES)}])
                ELSE [last]
              END) AS _day
            FROM order_times""",
        "customers": _with_day_of(of_order, "customer_id", "customers"),
        "order_items": _with_day_of(of_order, "order_id", "order_items"),
        "order_payments": _with_day_of(of_order, "order_id", "order_payments"),
        "order_reviews": """
            SELECT _row, max(coalesce(day_of(review_answer_timestamp), day_of(review_creation_date), first_day()))
              OVER (PARTITION BY review_id, order_id ORDER BY _row) AS _day
            FROM order_reviews""",
        "products": _with_day_of(of_item, "product_id", "products"),
        "sellers": _with_day_of(of_item, "seller_id", "sellers"),
        "geolocation": "SELECT _row, CAST(NULL AS DATE) AS _day FROM geolocation",
        "product_category_translation": "SELECT _row, CAST(NULL AS DATE) AS _day FROM product_category_translation",
    }
    for table, query in schedules.items():
        database.execute(f"CREATE TABLE {table}_days AS {query}")


def _first_day(database: duckdb.DuckDBPyConnection, dump: Path) -> date:
    """The day of the earliest purchase that can have landed."""
    [(day,)] = database.execute(f"""
        SELECT min(day) FROM (SELECT day_of(order_purchase_timestamp) AS day FROM orders)
        WHERE day >= DATE'{FIRST_LANDING_DATE}'
    """).fetchall()
    if day is None:
        raise OlistError(f"{dump} has no order placed since {FIRST_LANDING_DATE} to tell the days of a replay from")
    return day


def _order_times() -> str:
    """SQL of each order's days: when it was placed (on the first day if nothing tells), of its states, and the last.

    An order that has a history is one that trusted accepts: states must not be accepted whose last one is not.
    """
    states, times = ", ".join(_STATES), ", ".join(f"day_of({column}) AS {state}" for state, column in _STATES.items())
    readable = " AND ".join(
        f"(is_blank({column}) OR day_of({column}) IS NOT NULL)"
        for column in (*_STATES.values(), "order_estimated_delivery_date")
    )
    return f"""
        SELECT _row, order_id, customer_id, placed, {states},
          max(greatest(placed, {states})) OVER (PARTITION BY order_id ORDER BY _row) AS last,
          is_sound AND count(*) OVER (PARTITION BY order_id) = 1 AS has_history
        FROM (
          SELECT _row, order_id, customer_id,
            greatest(first_day(), day_of(order_purchase_timestamp)) AS placed, {times},
            NOT is_blank(order_id) AND NOT is_blank(customer_id) AND coalesce(order_status, '') IN {ORDER_STATUSES}
              AND day_of(order_purchase_timestamp) IS NOT NULL AND {readable} AS is_sound
          FROM orders
        )"""


def _with_day_of(days: str, key: str, table: str) -> str:
    """SQL of a table's rows with the day that `days` has for their key."""
    return f"SELECT _row, _day FROM {table} LEFT JOIN ({days.format(key)}) USING ({key})"


def _check_not_after_today(database: duckdb.DuckDBPyConnection, paths: dict[str, Path], window: str) -> None:
    today = datetime.now(UTC).date()
    for table, path in paths.items():
        [(newest,)] = database.execute(f"SELECT max(_day) FROM {table}_days WHERE {window}").fetchall()
        if newest and newest > today:
            raise OlistError(f"{path} goes up to {newest}, which has not come yet; end the replay with --to {today}")


# --- From tables to files -------------------------------------------------------------------------------------------


def _pieces(database: duckdb.DuckDBPyConnection, table: str, header: list[str], window: str) -> Iterator[_Piece]:
    """A table's rows in the order of their days and, within a day, of the dump."""
    contract, as_known = _contract(table), _as_known if table == "orders" else str
    values = [as_known(name) if name in contract else _extra(name) for name in header]
    rows = database.cursor().execute(f"""
        SELECT * FROM (
          SELECT greatest(first_day(), CASE WHEN _text IS NULL THEN _day END) AS _day, _row, _text, {", ".join(values)}
          FROM {table} JOIN {table}_days USING (_row)
        ) WHERE {window} ORDER BY _day, _row
    """)
    for batch in rows.to_arrow_reader(_PIECE_ROWS):
        days = batch.column(0).to_numpy(zero_copy_only=False)
        bounds = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1), len(days)]
        for start, end in pairwise(bounds):
            yield _Piece(days[start].item(), table, batch.slice(start, end - start))


def _as_known(column: str) -> str:
    """SQL of an order's value, as it was known by the end of `_day`."""
    if column == "order_status":
        reached = " ".join(f"WHEN {state} <= _day THEN '{state}'" for state in reversed(_STATES))
        return f"CASE WHEN _day = last THEN order_status {reached} ELSE 'created' END"
    for state, time in _STATES.items():
        if column == time:
            return f"CASE WHEN _day = last OR {state} <= _day THEN {column} END"
    return column


def _extra(column: str) -> str:
    """SQL of a column that the contract does not know."""
    pointer = column.replace("~", "~0").replace("/", "~1").replace("'", "''")
    return f"json_extract_string(_extra, '/{pointer}')"


@dataclass(frozen=True, slots=True)
class _Delivery:
    """The delivery of a day, which holds files of these names; a file is written as `draft` before it is put there."""

    store: ObjectStore
    day: date
    held: set[str]
    draft: Path

    def put(self, table: str, header: list[str], pieces: Iterable[_Piece]) -> bool:
        """Put a table's rows there; returns whether they were not there already."""
        _write_csv(self.draft, header, (piece.rows for piece in pieces))
        name = f"{FILE_STEMS[table]}_{self.day:%Y%m%d}T235959Z.csv"
        if name not in self.held:
            self.store.put(f"{self.day}/{name}", self.draft)
            return True
        if has_content(self.store, f"{self.day}/{name}", self.draft):
            return False
        raise OlistError(
            f"the delivery of {self.day} holds {name} with other content; a dump that has changed can be "
            "delivered whole, by `olist deliver`, or replayed into an empty OLIST_SOURCE"
        )


def _write_csv(path: Path, header: list[str], batches: Iterable[pa.RecordBatch]) -> None:
    """Write rows to a file, at its end those that could not be parsed, as they were."""
    schema = pa.schema([(name, pa.string()) for name in header])
    unparsed: list[str] = []
    with pyarrow.csv.CSVWriter(str(path), schema) as writer:
        for batch in batches:
            texts = batch.column(2)
            unparsed += texts.drop_null().to_pylist()
            parsed = batch if texts.null_count == len(texts) else batch.filter(pc.call_function("is_null", [texts]))
            writer.write_batch(pa.RecordBatch.from_arrays(parsed.columns[3:], schema=schema))
    if unparsed:
        with path.open("a", encoding="utf-8", newline="") as file:
            file.writelines(f"{text}\n" for text in unparsed)
