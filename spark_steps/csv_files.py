"""CSV files to raw rows, the same on every engine: Arrow's reader within `mapInArrow`, which keeps unparsable rows.

The CSV dialect is RFC 4180 in UTF-8, with or without a byte order mark, line ends LF or CRLF.
"""

import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from spark_steps import csv_quotes, filesystems
from spark_steps.declarations import Column, Text
from spark_steps.protocol import LandedFile, StepError

_BLOCK_BYTES = 16 << 20
"""A row of more than two blocks cannot be read."""
_TAIL_BYTES = 64 << 10
REMEDY = "replace it in the delivery by a corrected file, or remove it there and from the landing zone"
"""The end of each message about a file that cannot be loaded."""
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
"""The line that spreadsheet programs write and read before a header."""
_OTHER_SEPARATORS = ";\t|"
_HEADER_POSITION = -1
_LF, _CR = b"\n\r"


class Header(NamedTuple):
    """The header of a file.

    Attributes:
        names: the columns: the declared ones and others; without a name or repeated ones are named by their position.
        lines_before: the number of lines before the header, if one of them names the separator; otherwise 0.
    """

    names: list[str]
    lines_before: int


def reader(table_id: str, columns: tuple[Column, ...], run_id: str) -> Callable[[Any], Iterator[pa.RecordBatch]]:
    """A function for `mapInArrow`: from batches of landed files (see `file_rows`) to batches of raw rows.

    Args:
        table_id: the raw table, for messages.
        columns: the columns that a file must have, under their source names.
        run_id: the run that appends the rows.

    Returns:
        The function. It raises StepError if a file cannot be read, is not CSV in UTF-8, lacks a column, or has a quote
        that is never closed.
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
            "size": pa.int64(),
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


def _read_file(table_id: str, columns: tuple[Column, ...], run_id: str, file: LandedFile) -> Iterator[pa.RecordBatch]:
    """One file's rows in file order, followed by the rows that could not be parsed."""
    where = f"{table_id}: {file.name} of {file.landing_date}"
    names = tuple(c.name for c in columns)
    try:
        with _open(file.uri) as stream:
            header = check_header(where, stream, names)
    except OSError as error:
        raise StepError(f"{where} cannot be read: {error}") from error
    short = {header.names.index(c.name): c.text for c in columns if c.text is not Text.FREE}
    rejects: dict[int, pyarrow.csv.InvalidRow] = {}
    try:
        are_doubtful = yield from _read_rows(header, names, short, run_id, file, rejects)
    except pa.ArrowInvalid as error:
        _check_quotes(where, file.uri, len(header.names), short)
        raise StepError(f"{where} {_describe(str(error))}; {REMEDY}") from error
    if are_doubtful or any(len(row.text.splitlines()) > 1 for row in rejects.values()):
        _check_quotes(where, file.uri, len(header.names), short)
    if rejects:
        yield _reject_batch(rejects, names, file, run_id)


def _read_rows(
    header: Header,
    columns: tuple[str, ...],
    short: Collection[int],
    run_id: str,
    file: LandedFile,
    rejects: dict[int, pyarrow.csv.InvalidRow],
) -> Generator[pa.RecordBatch, None, bool]:
    """One file's parsed rows in file order; the others are added to `rejects`, by position.

    Returns:
        Whether a quote may be open: quotes are misplaced, or a value of the columns at `short` has line breaks.
    """

    def keep(row: pyarrow.csv.InvalidRow) -> Literal["skip"]:
        rejects[row.number - header.lines_before - 2] = row  # the reader numbers records from 1
        return "skip"

    end, has_line_breaks = _HEADER_POSITION, False
    with _open(file.uri) as stream:
        # An open quote puts line breaks into a value or a reject, except in the last line. Free text may have them too.
        checked = csv_quotes.CheckedStream(stream) if len(short) < len(header.names) else None
        with _arrow_reader(checked or stream, header, keep) as batches:
            for batch in batches:
                positions = _positions(end, batch.num_rows, rejects)
                end = positions[-1] + 1 if positions else end
                has_line_breaks |= any(_has_line_breaks(batch.column(n)) for n in short)
                yield _raw_batch(batch, positions, columns, file, run_id)
        if checked:
            return has_line_breaks or not checked.has_regular_quotes()
    return has_line_breaks or _last_line(file.uri).count(b'"') % 2 == 1


def check_header(where: str, stream: IO[bytes] | pa.NativeFile, columns: Sequence[str]) -> Header:
    """Read a file's header from the beginning of its stream, which stays open.

    Args:
        where: the file, for messages.
        stream: the file's bytes, without compression.
        columns: the columns that the file must have, under their source names.

    Raises:
        StepError: there is no header, it is not CSV in UTF-8, or a column is missing or repeated.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")  # type: ignore[arg-type]
    try:
        record, line, lines_before = _first_record(where, text)
    except UnicodeDecodeError as error:
        raise StepError(f"{where} is not UTF-8; {REMEDY}") from error
    finally:
        text.detach()
    names: list[str] = []
    for position, name in enumerate((name.strip() for name in record), 1):
        is_repeated = name in names and name not in columns
        names.append(f"column {position}" if not name or is_repeated else name)
    missing = [name for name in columns if name not in names]
    if missing and any(len(name.splitlines()) > 1 for name in names):
        raise _open_quote(where, line)
    if missing:
        _check_separator(where, record, columns)
        raise StepError(f"{where} lacks the column {', '.join(missing)}; {REMEDY}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise StepError(f"{where} has the column {', '.join(twice)} twice; {REMEDY}")
    return Header(names, lines_before)


def _first_record(where: str, text: io.TextIOWrapper) -> tuple[list[str], int, int]:
    """The header as it is, the number of its line, and the number of lines up to one that names the separator."""
    lines = ((number, line) for number, line in enumerate(text, 1) if line.strip("\r\n"))
    number, first = next(lines, (1, ""))
    lines_before = 0
    if mark := _SEPARATOR_LINE.fullmatch(first.strip()):
        if mark[1] != ",":
            raise _wrong_separator(where, mark[1])
        lines_before = number
        number, first = next(lines, (1, ""))
    try:
        header = next(csv.reader(itertools.chain([first], (line for _, line in lines))), list[str]())
    except csv.Error as error:
        raise _open_quote(where, number) from error
    if not header:
        raise StepError(f"{where} is empty: it has no header; {REMEDY}")
    return header, number, lines_before


def _check_separator(where: str, header: list[str], columns: Sequence[str]) -> None:
    """Refuse a header whose columns have another separator."""
    for separator in _OTHER_SEPARATORS:
        names = next(csv.reader([",".join(header)], delimiter=separator), list[str]())
        if len(names) > len(header) and {name.strip() for name in names} & {*columns}:
            raise _wrong_separator(where, separator)


def _check_quotes(where: str, uri: str, width: int, short: Mapping[int, Text]) -> None:
    """Refuse a file with a quote that is never closed."""
    with (
        _open(uri) as stream,
        io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="") as text,  # type: ignore[arg-type]
    ):
        line = csv_quotes.find_open_quote(text, width, short)
    if line:
        raise _open_quote(where, line)


def _open_quote(where: str, line: int) -> StepError:
    return StepError(f"{where}: the quote in line {line} is never closed; {REMEDY}")


def _wrong_separator(where: str, separator: str) -> StepError:
    name = "tabs" if separator == "\t" else ascii(separator)
    return StepError(f"{where} is separated by {name}; deliver it with commas; {REMEDY}")


def _last_line(uri: str) -> bytes:
    """The last line of a file that is not empty, or its end."""
    filesystem, path = filesystems.resolve(uri)
    with filesystem.open_input_file(path) as file:
        file.seek(max(0, file.size() - _TAIL_BYTES))
        lines = file.read().rstrip(b"\r\n").splitlines()
    return lines[-1] if lines else b""


def _has_line_breaks(values: pa.Array) -> bool:
    codes = np.frombuffer(values.buffers()[2] or b"", np.uint8)
    if codes.min(initial=255) > _CR:  # the usual case, in a fifth of the time
        return False
    return bool(((codes == _LF) | (codes == _CR)).any())


def _open(uri: str) -> pa.NativeFile:
    filesystem, path = filesystems.resolve(uri)
    return filesystem.open_input_stream(path)


def _arrow_reader(
    stream: csv_quotes.CheckedStream | pa.NativeFile,
    header: Header,
    keep: Callable[[pyarrow.csv.InvalidRow], Literal["skip"]],
) -> pyarrow.csv.CSVStreamingReader:
    """A reader of all records as texts; the header is the first one."""
    return pyarrow.csv.open_csv(
        stream,
        # One thread: otherwise the reader does not number the rows that it cannot parse.
        read_options=pyarrow.csv.ReadOptions(
            use_threads=False,
            block_size=_BLOCK_BYTES,
            column_names=header.names,
            skip_rows=header.lines_before,
        ),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(header.names, pa.string()), strings_can_be_null=True, null_values=[""]
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
    if positions[:1] == [_HEADER_POSITION]:
        batch, positions = batch.slice(1), positions[1:]
    unknown = [f.name for f in batch.schema if f.name not in columns and batch.column(f.name).null_count < len(batch)]
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
        return f"has a row of over {_BLOCK_BYTES >> 20} MiB"
    # A row of the wrong width reaches `keep` unless its text cannot be decoded.
    if "UTF8" in arrow_message or "Expected" in arrow_message:
        return "is not UTF-8"
    return f"cannot be read as CSV: {arrow_message.splitlines()[0]}"
