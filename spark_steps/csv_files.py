"""CSV files to raw rows, the same on every engine: Arrow's reader within `mapInArrow`, which keeps unparsable rows.

The CSV dialect is RFC 4180 in UTF-8, with or without a byte order mark, line ends LF or CRLF.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv

from spark_steps import filesystems
from spark_steps.protocol import LandedFile, StepError

_BLOCK_BYTES = 16 << 20
"""A row of more than two blocks cannot be read; only a quote that is never closed makes such a row."""
REMEDY = "remove it from the delivery and the landzone, and deliver it again corrected"
"""The end of each message about a file that cannot be loaded."""


def reader(table_id: str, columns: tuple[str, ...], run_id: str) -> Callable[[Any], Iterator[pa.RecordBatch]]:
    """A function for `mapInArrow`: from batches of landed files (see `file_rows`) to batches of raw rows.

    Args:
        table_id: the raw table, for messages.
        columns: the columns that a file must have, under their source names.
        run_id: the run that appends the rows.

    Returns:
        The function. It raises StepError if a file cannot be read, is not CSV in UTF-8, or lacks a column.
    """

    def read_files(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for fields in batch.to_pylist():
                yield from _read_file(table_id, columns, run_id, LandedFile(**fields))

    return read_files


def file_rows(files: tuple[LandedFile, ...]) -> pa.Table:
    """The landed files as a table, for `reader`."""
    schema = pa.schema(
        {
            "uri": pa.string(),
            "name": pa.string(),
            "file_id": pa.string(),
            "landing_date": pa.date32(),
            "extracted_at": pa.timestamp("us", "UTC"),
            "received_at": pa.timestamp("us", "UTC"),
        }
    )
    return pa.Table.from_pylist([{name: getattr(f, name) for name in schema.names} for f in files], schema=schema)


def row_schema(columns: tuple[str, ...]) -> pa.Schema:
    """The schema of the batches that `reader` yields: the source columns and the lineage of raw."""
    return pa.schema(
        {
            **dict.fromkeys(columns, pa.string()),
            "_landing_date": pa.date32(),
            "_file_id": pa.string(),
            "_file_name": pa.string(),
            "_row": pa.int64(),
            "_extracted_at": pa.timestamp("us", "UTC"),
            "_run_id": pa.string(),
            "_extra": pa.string(),
            "_reject": pa.string(),
            "_text": pa.string(),
            "_received_at": pa.timestamp("us", "UTC"),
        }
    )


def _read_file(table_id: str, columns: tuple[str, ...], run_id: str, file: LandedFile) -> Iterator[pa.RecordBatch]:
    """One file's rows in file order, followed by the rows that could not be parsed."""
    where = f"{table_id}: {file.name} of {file.landing_date}"
    try:
        header = _header(where, file.uri, columns)
    except OSError as error:
        raise StepError(f"{where} cannot be read: {error}") from error
    rejects: dict[int, pyarrow.csv.InvalidRow] = {}

    def keep(row: pyarrow.csv.InvalidRow) -> Literal["skip"]:
        rejects[row.number - 2] = row  # the reader numbers records from 1, the header being the first
        return "skip"

    end, last_value = 0, None
    try:
        with _open(file.uri) as stream, _arrow_reader(stream, header, keep) as batches:
            for batch in batches:
                positions = _positions(end, batch.num_rows, rejects)
                end = positions[-1] + 1 if positions else end
                yield _raw_batch(batch, positions, columns, file, run_id)
                last_value = batch.column(batch.num_columns - 1)[-1].as_py() if batch.num_rows else None
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):  # a header without a line end: no rows
            return
        raise StepError(f"{where} {_describe(str(error))}; {REMEDY}") from error
    # Arrow closes an open quote at the end of the file, and reads all rows after it as one value.
    if last_value and "\n" in last_value and not _ends_with_quote(file.uri):
        raise StepError(f"{where} ends within a quote that is never closed; {REMEDY}")
    if rejects:
        yield _reject_batch(rejects, columns, file, run_id)


def _header(where: str, uri: str, columns: tuple[str, ...]) -> list[str]:
    """The file's column names.

    Raises:
        StepError: there is no header, it is not UTF-8, or a column is missing or repeated.
    """
    with _open(uri) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:  # type: ignore[arg-type]
        try:
            header = next((record for record in csv.reader(text) if record), None)
        except csv.Error as error:
            raise StepError(f"{where} has a quote in its header that is never closed; {REMEDY}") from error
        except UnicodeDecodeError as error:
            raise StepError(f"{where} is not UTF-8; {REMEDY}") from error
    if not header:
        raise StepError(f"{where} is empty: it has no header; {REMEDY}")
    missing = [name for name in columns if name not in header]
    if missing:
        raise StepError(f"{where} lacks the column {', '.join(missing)}; {REMEDY}")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise StepError(f"{where} has the column {', '.join(twice)} twice; {REMEDY}")
    return header


def _open(uri: str) -> pa.NativeFile:
    filesystem, path = filesystems.resolve(uri)
    return filesystem.open_input_stream(path)


def _ends_with_quote(uri: str) -> bool:
    filesystem, path = filesystems.resolve(uri)
    with filesystem.open_input_file(path) as file:
        file.seek(max(0, file.size() - 3))  # a quote and a line end
        return file.read().rstrip(b"\r\n").endswith(b'"')


def _arrow_reader(
    stream: pa.NativeFile, header: list[str], keep: Callable[[pyarrow.csv.InvalidRow], Literal["skip"]]
) -> pyarrow.csv.CSVStreamingReader:
    return pyarrow.csv.open_csv(
        stream,
        # One thread: otherwise the reader does not number the rows that it cannot parse.
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )


def _positions(start: int, rows: int, rejects: dict[int, Any]) -> list[int]:
    """The positions of the next rows from `start` on, without those of rejects."""
    if not rejects:
        return list(range(start, start + rows))
    return [p for p in range(start, start + rows + len(rejects)) if p not in rejects][:rows]


def _raw_batch(
    batch: pa.RecordBatch, positions: list[int], columns: tuple[str, ...], file: LandedFile, run_id: str
) -> pa.RecordBatch:
    unknown = [name for name in batch.schema.names if name not in columns]
    values: dict[str, Any] = {name: batch.column(name) for name in columns}
    values["_extra"] = _extra(batch.select(unknown)) if unknown else None
    return _with_lineage(values, positions, columns, file, run_id)


def _reject_batch(
    rejects: dict[int, pyarrow.csv.InvalidRow], columns: tuple[str, ...], file: LandedFile, run_id: str
) -> pa.RecordBatch:
    values = {
        "_reject": [f"expected {r.expected_columns} columns, got {r.actual_columns}" for r in rejects.values()],
        "_text": [r.text for r in rejects.values()],
    }
    return _with_lineage(values, list(rejects), columns, file, run_id)


def _with_lineage(
    values: dict[str, Any], positions: list[int], columns: tuple[str, ...], file: LandedFile, run_id: str
) -> pa.RecordBatch:
    """A batch of raw rows: `values` by column; null for columns without values."""
    rows = len(positions)
    lineage = {
        "_landing_date": file.landing_date,
        "_file_id": file.file_id,
        "_file_name": file.name,
        "_extracted_at": file.extracted_at,
        "_run_id": run_id,
        "_received_at": file.received_at,
    }
    schema = row_schema(columns)
    arrays: list[pa.Array] = []
    for column in schema:
        if column.name == "_row":
            arrays.append(pa.array(positions, column.type))
        elif column.name in lineage:
            arrays.append(pa.repeat(pa.scalar(lineage[column.name], column.type), rows))
        elif (column_values := values.get(column.name)) is None:
            arrays.append(pa.nulls(rows, column.type))
        else:
            arrays.append(
                column_values if isinstance(column_values, pa.Array) else pa.array(column_values, column.type)
            )
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _extra(batch: pa.RecordBatch) -> list[str | None]:
    """Each row's values in undeclared columns, as JSON; null if there are none."""
    rows = ({name: value for name, value in row.items() if value is not None} for row in batch.to_pylist())
    return [json.dumps(row, ensure_ascii=False) if row else None for row in rows]


def _describe(arrow_message: str) -> str:
    """Arrow's message in terms of the delivered file."""
    if "straddling" in arrow_message:
        return f"has a row of over {_BLOCK_BYTES >> 20} MiB: a quote that is never closed"
    # A row of the wrong width reaches `keep` unless its text cannot be decoded.
    if "UTF8" in arrow_message or "Expected" in arrow_message:
        return "is not UTF-8"
    return f"cannot be read as CSV: {arrow_message.splitlines()[0]}"
