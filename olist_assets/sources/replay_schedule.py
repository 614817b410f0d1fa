"""The schedule of a replay: which rows of a dump are delivered on which day, computed by DuckDB.

- An order is delivered on its purchase day, and again on each later day on which it was approved, handed to the
  carrier or delivered, as it was known by the end of that day: later times are blank, and its status is `created`,
  `approved`, `shipped` or `delivered`. On the day of its last time it is delivered as the dump has it.
- Customers, items and payments are delivered on the purchase day of their order; products and sellers on the first
  day on which one of their items is; reviews on their answer day; geolocation and the translation on the first
  day, which is that of the earliest purchase.

All rows of the dump are delivered, and those of one key in the dump's order, so that the newest row of each key is
the dump's last one. Irregular rows follow these rules:

- A time that cannot be read counts as missing. A review without an answer time is delivered on its creation day.
- Rows without a day, or with one before the first, are delivered on the first day: orders without any time, rows
  whose order is not in the dump, products that never sell, and rows that cannot be parsed, as their text.
- An order that is in the dump twice, or that trusted might not accept, has no history: each of its rows is
  delivered once, on the day of its last time.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from olist_assets.errors import DeliveryError
from olist_assets.lake.files import FILE_STEMS
from olist_assets.settings.general import FIRST_LANDING_DATE
from spark_steps import csv_files
from spark_steps.columns import ORDER_STATUSES
from spark_steps.expressions import WHITE_SPACE
from spark_steps.protocol import LandedFile, StepError
from spark_steps.tables import TABLES

_MEMORY = "512MB"
"""DuckDB's memory limit; larger data it sorts on disk."""

_PIECE_ROWS = 20_000
"""The number of rows of a table that are in Python's memory at the same time."""

_OFFSET = r"Z|UTC|[+-](0\d|1[0-4])(:?[0-5]\d)?"
_TIME = rf"(19|20|21)\d\d-\d\d-\d\d([ T]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{{1,6}})?)?( ?({_OFFSET}))?)?"
"""The times that the trusted step can read."""

_MACROS = rf"""
    CREATE MACRO clean(text) AS trim(text, '{WHITE_SPACE}');
    CREATE MACRO is_blank(text) AS coalesce(clean(text), '') = '';
    CREATE MACRO offset_part(text, n) AS regexp_extract(text, ':.*([+-])(\d\d):?(\d\d)?$', n);
    CREATE MACRO offset_minutes(text) AS
        coalesce(try_cast(offset_part(text, 1) || offset_part(text, 2) AS INTEGER) * 60, 0)
        + coalesce(try_cast(offset_part(text, 1) || offset_part(text, 3) AS INTEGER), 0);
    CREATE MACRO to_utc(text) AS
        try_cast(regexp_extract(text, '^.{{10}}([ T][\d:.]+)?') AS TIMESTAMP) - to_minutes(offset_minutes(text));
    CREATE MACRO to_day(text) AS
        CAST(CASE WHEN regexp_full_match(clean(text), '{_TIME}') THEN to_utc(clean(text)) END AS DATE);
    CREATE MACRO is_blank_or_time(text) AS is_blank(text) OR to_day(text) IS NOT NULL;
"""

_ORDER_TIMES = f"""
    CREATE TABLE order_times AS
    SELECT _row, order_id, customer_id, placed, approved, shipped, delivered,
      max(greatest(placed, approved, shipped, delivered)) OVER (PARTITION BY clean(order_id) ORDER BY _row) AS last,
      is_sound AND count(*) OVER (PARTITION BY clean(order_id)) = 1 AS has_history
    FROM (
      SELECT _row, order_id, customer_id,
        greatest(first_day(), to_day(order_purchase_timestamp)) AS placed,
        to_day(order_approved_at) AS approved,
        to_day(order_delivered_carrier_date) AS shipped,
        to_day(order_delivered_customer_date) AS delivered,
        NOT is_blank(order_id) AND NOT is_blank(customer_id)
          AND coalesce(order_status, '') IN {ORDER_STATUSES}
          AND to_day(order_purchase_timestamp) IS NOT NULL
          AND is_blank_or_time(order_approved_at)
          AND is_blank_or_time(order_delivered_carrier_date)
          AND is_blank_or_time(order_delivered_customer_date)
          AND is_blank_or_time(order_estimated_delivery_date) AS is_sound
      FROM orders
    );
    CREATE VIEW days_by_order AS SELECT clean(order_id) AS id, min(placed) AS _day FROM order_times GROUP BY id;
    CREATE VIEW days_by_customer AS SELECT clean(customer_id) AS id, min(placed) AS _day FROM order_times GROUP BY id;
"""
"""The days of each order: when it was placed, of its states, and the last of them.

An order has a history if trusted accepts it: if trusted rejects its last state, it must not accept earlier ones.
"""

_ITEM_DAYS = """
    CREATE VIEW item_days AS
    SELECT product_id, seller_id, coalesce(_day, first_day()) AS _day
    FROM order_items JOIN order_items_days USING (_row);
    CREATE VIEW days_by_product AS SELECT clean(product_id) AS id, min(_day) AS _day FROM item_days GROUP BY id;
    CREATE VIEW days_by_seller AS SELECT clean(seller_id) AS id, min(_day) AS _day FROM item_days GROUP BY id;
"""

_ROW_DAYS = {
    "orders": """
        SELECT _row, last, approved, shipped, delivered,
          unnest(CASE
            WHEN has_history THEN list_distinct(
              [placed, greatest(placed, approved), greatest(placed, shipped), greatest(placed, delivered)])
            ELSE [last]
          END) AS _day
        FROM order_times""",
    "customers": "SELECT _row, _day FROM customers LEFT JOIN days_by_customer ON id = clean(customer_id)",
    "order_items": "SELECT _row, _day FROM order_items LEFT JOIN days_by_order ON id = clean(order_id)",
    "order_payments": "SELECT _row, _day FROM order_payments LEFT JOIN days_by_order ON id = clean(order_id)",
    "order_reviews": """
        SELECT _row, max(coalesce(to_day(review_answer_timestamp), to_day(review_creation_date), first_day()))
          OVER (PARTITION BY clean(review_id), clean(order_id) ORDER BY _row) AS _day
        FROM order_reviews""",
    "products": "SELECT _row, _day FROM products LEFT JOIN days_by_product ON id = clean(product_id)",
    "sellers": "SELECT _row, _day FROM sellers LEFT JOIN days_by_seller ON id = clean(seller_id)",
    "geolocation": "SELECT _row, CAST(NULL AS DATE) AS _day FROM geolocation",
    "product_category_translation": "SELECT _row, CAST(NULL AS DATE) AS _day FROM product_category_translation",
}
"""The days on which each row of a table is delivered, as SQL; null is the first day."""

_KNOWN_ON_DAY = {
    "order_status": """
        CASE WHEN _day = last THEN order_status
          WHEN delivered <= _day THEN 'delivered'
          WHEN shipped <= _day THEN 'shipped'
          WHEN approved <= _day THEN 'approved'
          ELSE 'created' END""",
    "order_approved_at": "CASE WHEN _day = last OR approved <= _day THEN order_approved_at END",
    "order_delivered_carrier_date": "CASE WHEN _day = last OR shipped <= _day THEN order_delivered_carrier_date END",
    "order_delivered_customer_date": """
        CASE WHEN _day = last OR delivered <= _day THEN order_delivered_customer_date END""",
}
"""The columns of an order that change, as they were known by the end of `_day`, as SQL."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a table that are delivered on a day: columns `_day`, `_row` and `_text`, then the file's columns."""

    day: date
    table: str
    rows: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Schedule:
    """A dump in DuckDB, with the days on which its rows are delivered.

    Attributes:
        database: has a table of rows and a table of days, `<table>_days`, per file.
        headers: the column names of each table's file.
    """

    database: duckdb.DuckDBPyConnection
    headers: Mapping[str, list[str]]

    def newest_day(self, table: str, window: str) -> date | None:
        """The newest day of a table's rows in a window, a condition on `_day`; None without rows."""
        [(day,)] = self.database.execute(f"SELECT max(_day) FROM {table}_days WHERE {window}").fetchall()
        return day

    def pieces(self, table: str, window: str) -> Iterator[Piece]:
        """A table's rows in a window, a condition on `_day`; by day and, within a day, in the dump's order."""
        columns = _column_names(table)
        known = _KNOWN_ON_DAY if table == "orders" else {}
        values = [known.get(name, name) if name in columns else _extra_value(name) for name in self.headers[table]]
        rows = self.database.cursor().execute(f"""
            SELECT * FROM (
              SELECT greatest(first_day(), CASE WHEN _text IS NULL THEN _day END) AS _day, _row, _text,
                {", ".join(values)}
              FROM {table} JOIN {table}_days USING (_row)
            ) WHERE {window} ORDER BY _day, _row
        """)
        for batch in rows.to_arrow_reader(_PIECE_ROWS):
            days = batch.column(0).to_numpy(zero_copy_only=False)
            bounds = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1), len(days)]
            for start, end in pairwise(bounds):
                yield Piece(days[start].item(), table, batch.slice(start, end - start))


@contextmanager
def schedule(dump: Path, paths: Mapping[str, Path], folder: Path) -> Iterator[Schedule]:
    """Load a dump into DuckDB and compute the days of its rows.

    Args:
        dump: the dump's folder.
        paths: the dump's file of each table; tables may be missing.
        folder: a temporary folder for the database.

    Raises:
        DeliveryError: raw would not accept a file, or the dump has no order since the first landing date.
    """
    with _connect(folder) as database:
        headers = {table: _load(database, table, paths.get(table)) for table in FILE_STEMS}
        database.execute(_MACROS)
        database.execute(f"CREATE MACRO first_day() AS DATE'{_first_day(database, dump)}'")
        database.execute(_ORDER_TIMES)
        for table, query in _ROW_DAYS.items():
            database.execute(f"CREATE TABLE {table}_days AS {query}")
            if table == "order_items":
                database.execute(_ITEM_DAYS)
        yield Schedule(database, headers)


def _connect(folder: Path) -> duckdb.DuckDBPyConnection:
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
    """Load the rows of a file into a table of texts, as raw reads them; returns the column names of the file.

    Besides the required columns, the table has `_row`, the position in the file, `_extra`, further columns of the file
    as JSON, and `_text`, the text of a row that cannot be parsed. Without a file the table is empty.
    """
    names = _column_names(table)
    types = ", ".join(f"{name} VARCHAR" for name in names)
    database.execute(f"CREATE TABLE {table} ({types}, _row BIGINT, _extra VARCHAR, _text VARCHAR)")
    if path is None:
        return list(names)
    columns = ", ".join((*names, "_row", "_extra", "_text"))
    for batch in _read_batches(table, path):
        database.register("batch", pa.Table.from_batches([batch]))
        database.execute(f"INSERT INTO {table} SELECT {columns} FROM batch")
        database.unregister("batch")
    with path.open("rb") as stream:
        return csv_files.check_header(str(path), stream, names).names


def _column_names(table: str) -> tuple[str, ...]:
    """The columns that a table's files must have."""
    return tuple(column.name for column in TABLES[f"raw/{table}"].value_columns)


def _read_batches(table: str, path: Path) -> Iterator[pa.RecordBatch]:
    now = datetime.now(UTC)
    # The reader needs no size.
    file = LandedFile(str(path), path.name, "", FIRST_LANDING_DATE, extracted_at=now, received_at=now, size=0)
    try:
        read = csv_files.reader(table, TABLES[f"raw/{table}"].value_columns, "")
        yield from read(iter(csv_files.file_rows((file,)).to_batches()))
    except StepError as error:  # the message names a file of the landzone and its cure
        fault = str(error).partition(f" of {FIRST_LANDING_DATE}")[2].removesuffix(f"; {csv_files.REMEDY}")
        raise DeliveryError(f"{path}{fault}; fix it and replay again") from error


def _first_day(database: duckdb.DuckDBPyConnection, dump: Path) -> date:
    """The day of the earliest purchase since the first landing date."""
    [(day,)] = database.execute(f"""
        SELECT min(day) FROM (SELECT to_day(order_purchase_timestamp) AS day FROM orders)
        WHERE day >= DATE'{FIRST_LANDING_DATE}'
    """).fetchall()
    if day is None:
        raise DeliveryError(
            f"{dump} has no order placed since {FIRST_LANDING_DATE} to derive the days of a replay from"
        )
    return day


def _extra_value(column: str) -> str:
    """SQL of a column of the file that the table does not require."""
    pointer = column.replace("~", "~0").replace("/", "~1").replace("'", "''")
    return f"json_extract_string(_extra, '/{pointer}')"
