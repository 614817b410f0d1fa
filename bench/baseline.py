"""The baseline: Arrow, DuckDB and delta-rs write the same Delta tables from a dump, by overwriting them.

The baseline has no deliveries, no history and no orchestration, and shares only the declarations with the product.
Its rows equal the product's in every column: keys and hashes, positions in the files, rows in quarantine.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
from deltalake import write_deltalake

from bench import baseline_queries
from spark_steps.declarations import Column, Layer, TableSpec, Text
from spark_steps.expressions import WHITE_SPACE
from spark_steps.tables import TABLES, tables_in

_RUN_ID = "baseline"
_WRITERS = 2
"""Tables that are written at a time, beside the next one's query."""
_BATCH_ROWS = 50_000
_BLANK = f"'{WHITE_SPACE}'"
_DERIVED = {"order_month": "strftime(order_purchase_timestamp, '%Y-%m')"}
_ARROW_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "decimal(12,2)": pa.decimal128(12, 2),
    "decimal(18,2)": pa.decimal128(18, 2),
}


@dataclass(frozen=True)
class Delivery:
    """The delivery that the rows of a dump come from.

    Attributes:
        folder: contains one file per source, whose name begins with the source's file stem.
        landing_date: the day of the delivery.
        extracted_at: when the source wrote the files (UTC).
    """

    folder: Path
    landing_date: date
    extracted_at: datetime

    def file(self, source: str) -> Path:
        """The file of a source."""
        stem = TABLES[f"raw/{source}"].file_stem
        [path] = self.folder.glob(f"{stem}*.csv")
        return path


def build(delivery: Delivery, lake: Path) -> dict[str, float]:
    """Write all tables of the lineage below `lake`, and return the seconds that each layer took.

    A file must be plain CSV with just the columns of the contract: a row that cannot be parsed ends the run.
    """
    with duckdb.connect() as duck:
        duck.execute("SET enable_progress_bar = false")
        for schema in Layer:
            duck.execute(f"CREATE SCHEMA {schema}")
        for macro in baseline_queries.MACROS:
            duck.execute(macro)
        baseline = _Baseline(duck, delivery, lake)
        return {
            "raw": _seconds(baseline.raw),
            "trusted": _seconds(baseline.trusted),
            "refined": _seconds(baseline.refined),
        }


def _seconds(layer: Callable[[], None]) -> float:
    started = time.perf_counter()
    layer()
    return round(time.perf_counter() - started, 3)


@dataclass(frozen=True)
class _Baseline:
    """The layers. Times are naive and in UTC within DuckDB, which is faster."""

    duck: duckdb.DuckDBPyConnection
    delivery: Delivery
    lake: Path

    def raw(self) -> None:
        """Read each file once with Arrow's reader, in a third of DuckDB's time; DuckDB then queries its rows."""
        with self._writing() as write:
            for table in tables_in(Layer.RAW):
                rows = _raw_rows(table, self.delivery)
                self.duck.register(f"raw_{table.name}", rows)
                write(table, rows)

    def trusted(self) -> None:
        """Cast the rows, reject those that violate a rule, and keep the last row of each key."""
        with self._writing() as write:
            for table in tables_in(Layer.TRUSTED):
                validated = f"validated_{table.name}"
                self.duck.execute(f"CREATE TABLE {validated} AS {_validated_query(table)}")
                self.duck.execute(f"CREATE {self._winners(table, validated)}")
                values = _list(c.name for c in table.columns if not c.name.startswith("_"))
                write(
                    table, f"SELECT {values}, _row, {_hash(table)} AS _hash, {self._lineage(table)} FROM {_name(table)}"
                )
                write(TABLES[f"quarantine/{table.name}"], self._rejected(table, validated))

    def refined(self) -> None:
        """Compute the star, each table from those before it."""
        with self._writing() as write:
            for name, query in baseline_queries.refined_queries().items():
                table = TABLES[f"refined/{name}"]
                self.duck.execute(f"CREATE TABLE {_name(table)} AS {query}")
                write(table, f"FROM {_name(table)}")

    @contextmanager
    def _writing(self) -> Iterator[Callable[[TableSpec, Any], None]]:
        """A function that writes a table's rows, an Arrow table or a query, in the background.

        All rows are written at the end of the block.
        """
        writes: list[Future[None]] = []
        with ThreadPoolExecutor(_WRITERS) as pool:
            yield lambda table, rows: writes.append(pool.submit(self._write, table, rows))
        for write in writes:
            write.result()

    def _write(self, table: TableSpec, rows: Any) -> None:
        partition = [table.partition] if table.partition else None
        with self.duck.cursor() as cursor:
            if isinstance(rows, str):
                query = f"SELECT {_list(table.column_names)} FROM ({rows})"
                rows = cursor.execute(query).to_arrow_reader(_BATCH_ROWS).cast(arrow_schema(table))
            write_deltalake(self.lake / table.id, rows, mode="overwrite", partition_by=partition)

    def _winners(self, table: TableSpec, validated: str) -> str:
        """The accepted rows, one per key: a view in the usual case that these are all rows, otherwise a table."""
        self.duck.execute(f"""
            CREATE TABLE winners_{table.name} AS
            SELECT max(_row) AS _row FROM {validated} WHERE _rule IS NULL GROUP BY {_list(table.key)}
        """)
        counts = f"SELECT (SELECT count(*) FROM {validated}) - (SELECT count(*) FROM winners_{table.name})"
        if self.duck.execute(counts).fetchall() == [(0,)]:
            return f"VIEW {_name(table)} AS FROM {validated}"
        return f"TABLE {_name(table)} AS FROM {validated} SEMI JOIN winners_{table.name} USING (_row)"

    def _rejected(self, table: TableSpec, validated: str) -> pa.Table:
        """The rows that violate a rule, in the form of the quarantine."""
        quarantine = TABLES[f"quarantine/{table.name}"]
        texts = _list(f"{c.source_name} := r.{c.source_name}" for c in table.value_columns)
        query = f"""
            SELECT to_json(struct_pack({texts}))::VARCHAR AS record, _rule AS rule, _rule AS reason, _row,
              {self._lineage(quarantine)}
            FROM {validated} JOIN raw_{table.name} r USING (_row) WHERE _rule IS NOT NULL
        """
        rows = self.duck.execute(f"SELECT {_list(quarantine.column_names)} FROM ({query})").to_arrow_table()
        return rows.cast(arrow_schema(quarantine))

    def _lineage(self, table: TableSpec) -> str:
        """SQL for the lineage columns, which are equal in all rows of a source."""
        path = self.delivery.file(table.name)
        return f"""
            DATE '{self.delivery.landing_date}' AS _landing_date, '{path.name}' AS _file_name, '{_RUN_ID}' AS _run_id,
            TIMESTAMP '{self.delivery.extracted_at:%Y-%m-%d %H:%M:%S}' AS _extracted_at, '{_file_id(path)}' AS _file_id,
            TIMESTAMP '{_received_at(path):%Y-%m-%d %H:%M:%S.%f}' AS _received_at
        """


def _raw_rows(table: TableSpec, delivery: Delivery) -> pa.Table:
    """A file's rows in the form of raw."""
    path = delivery.file(table.name)
    names = [column.name for column in table.value_columns]
    rows = pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    ).select(names)
    lineage = {
        "_landing_date": delivery.landing_date,
        "_file_id": _file_id(path),
        "_file_name": path.name,
        "_extracted_at": delivery.extracted_at,
        "_run_id": _RUN_ID,
        "_received_at": _received_at(path),
    }
    for column in table.columns[len(names) :]:
        if column.name == "_row":
            values = pa.array(np.arange(rows.num_rows))
        else:
            values = _repeated(lineage.get(column.name), _ARROW_TYPES[column.type], rows.num_rows)
        rows = rows.append_column(_arrow_field(column).with_type(values.type), values)
    return rows


def _repeated(value: Any, type_: pa.DataType, times: int) -> pa.Array:
    """An array of one value. Text is dictionary-encoded, which is written faster."""
    if value is None or type_ != pa.string():
        return pa.repeat(pa.scalar(value, type_), times)
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), times), pa.array([value], type_))


def _validated_query(table: TableSpec) -> str:
    """SQL for the source's rows in their types, each with its position and the first rule that it violates."""
    columns = table.value_columns
    rules = " ".join(f"WHEN {violated} THEN '{name}'" for column in columns for name, violated in _rules(column))
    derived = "".join(f"{_DERIVED[c.name]} AS {c.name}, " for c in table.columns if c.derived)
    return f"""
        WITH texts AS (
          SELECT _row, {_list(f"{c.source_name} AS {_text(c)}" for c in columns)} FROM raw_{table.name}
        ),
        typed AS (SELECT *, {_list(f"{_typed(c)} AS {c.name}" for c in columns)} FROM texts)
        SELECT {_list(c.name for c in columns)}, {derived} _row, CASE {rules} END AS _rule FROM typed
    """


def _typed(column: Column) -> str:
    """The column's value from its text; null where the text is blank or cannot be read."""
    text = _text(column)
    if column.type == "string":
        value = f"CASE WHEN {_is_there(text)} THEN {text} END"
        if column.text is Text.ID:
            value = f"CASE WHEN {_is_there(text)} THEN trim({text}, {_BLANK}) END"
        digits = f"regexp_full_match({value}, '[0-9]{{1,5}}')"
        return f"CASE WHEN {digits} THEN lpad({value}, 5, '0') ELSE {value} END" if column.clean else value
    if column.type == "timestamp":
        return f"utc_time({text})"
    return f"TRY_CAST({text} AS {column.type})" + (" + 0.0" if column.type == "double" else "")


def _rules(column: Column) -> Iterator[tuple[str, str]]:
    """The rules that follow from the column: their names and their conditions of violation."""
    name = column.name
    if column.type != "string":
        yield f"{name}_unreadable", f"{name} IS NULL AND {_is_there(_text(column))}"
    if column.required:
        yield f"{name}_missing", f"{name} IS NULL"
    if column.pattern:
        yield f"{name}_malformed", f"NOT regexp_matches({name}, '{column.pattern}')"
    elif column.text is Text.ID and column.type == "string" and not column.accepted:
        yield f"{name}_malformed", rf"regexp_matches({name}, '\p{{Cc}}')"
    if column.accepted:
        yield f"{name}_unknown", f"{name} NOT IN {column.accepted}"
    if column.minimum is not None:
        yield f"{name}_out_of_range", f"{name} < {column.minimum}"
    if column.maximum is not None:
        yield f"{name}_out_of_range", f"{name} > {column.maximum}"


def _is_there(text: str) -> str:
    """SQL that is true if the text is not blank. Usually the first character decides."""
    return f"({text} >= '!' OR trim({text}, {_BLANK}) <> '')"


def _hash(table: TableSpec) -> str:
    """The product's hash of the non-key values, of one text in which null and empty differ."""
    values = [c for c in table.value_columns if c.name not in table.key]
    texts = [f"epoch_us({c.name})::VARCHAR" if c.type == "timestamp" else f"{c.name}::VARCHAR" for c in values]
    marked = [f"coalesce(length({text}) || '=' || {text}, '')" for text in texts]
    return f"hash60(concat_ws('|', '', {_list(marked)}))" if marked else "hash60('')"


def _text(column: Column) -> str:
    return f"text_{column.source_name}"


@cache
def _received_at(path: Path) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=path.stat().st_mtime_ns // 1000)


def _file_id(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def arrow_schema(table: TableSpec) -> pa.Schema:
    """The declared columns as an Arrow schema."""
    return pa.schema([_arrow_field(column) for column in table.columns])


def _arrow_field(column: Column) -> pa.Field:
    return pa.field(column.name, _ARROW_TYPES[column.type], nullable=not column.required)


def _name(table: TableSpec) -> str:
    return f"{table.layer}.{table.name}"


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)


def main() -> None:
    """Build the baseline's lake in this process; print the seconds of each layer as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.baseline", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the nine CSV files")
    parser.add_argument("lake", type=Path, help="folder that the tables are written to")
    parser.add_argument("--day", type=date.fromisoformat, required=True, help="landing date")
    arguments = parser.parse_args()
    midnight = datetime(arguments.day.year, arguments.day.month, arguments.day.day, tzinfo=UTC)
    seconds = build(Delivery(arguments.folder, arguments.day, midnight), arguments.lake)
    sys.stdout.write(json.dumps(seconds) + "\n")


if __name__ == "__main__":
    main()
