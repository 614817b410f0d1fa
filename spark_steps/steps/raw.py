"""Raw: every delivered row, unchanged. Append-only, one commit per run, each file once per landing date."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import SparkSession

from spark_steps import csv_files, delta
from spark_steps.protocol import DayCounts, LandedFile, Progress, RowCounts, StepError, StepRequest, StepResult, Window
from spark_steps.steps.tables import StepTables

_MAX_READERS = 16
_MAX_COLLECTED_FILES, _MAX_COLLECTED_BYTES = 100, 16 << 20
"""More files than these, or of more bytes, are read and written by the engine, several at a time."""

_LARGE_BYTES = 256 << 20
"""The size of files that need most of the memory."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def load(spark: SparkSession, request: StepRequest, tables: StepTables, on_progress: Progress) -> StepResult:
    """Append the rows of the request's files, except of files that the table has already on that landing date.

    Raises:
        StepError: a file cannot be read or lacks a column; nothing is appended.
    """
    table = tables.output
    rows_before = rows_after = delta.rows_by_day(table)
    files, commit = _files_to_append(spark, request.files, table), delta.empty_commit(table)
    if files:
        commit = _append(spark, request, files, table, on_progress)
        rows_after = delta.rows_by_day(table)
    return StepResult(
        table=request.table,
        version_before=commit.version_before,
        version_after=commit.version_after,
        rows=replace(commit.rows, read=commit.rows.inserted),
        files=commit.files,
        days=_count_by_day(request.window, rows_before, rows_after),
    )


def is_large(files: Iterable[LandedFile]) -> bool:
    """Whether the step of these files may need most of the memory; also if the table has them already."""
    return sum(file.size for file in files) > _LARGE_BYTES


def _append(
    spark: SparkSession,
    request: StepRequest,
    files: tuple[LandedFile, ...],
    table: delta.OpenTable,
    on_progress: Progress,
) -> delta.CommitMetrics:
    columns, landed = table.declaration.value_columns, csv_files.file_rows(files)
    read = csv_files.reader(request.table, columns, request.run_id)
    size = sum(file.size for file in files)
    if len(files) <= _MAX_COLLECTED_FILES and size <= _MAX_COLLECTED_BYTES:
        batches = list(read(iter(landed.to_batches())))
        return delta.append(pa.Table.from_batches(batches), table) if batches else delta.empty_commit(table)
    on_progress(f"files to read: {len(files):,} ({size / 1e6:,.1f} MB)")
    schema = ", ".join(f"`{c.name}` {c.type}" for c in table.declaration.columns)
    rows = spark.createDataFrame(landed).repartition(min(len(files), _MAX_READERS)).mapInArrow(read, schema)
    try:
        return delta.append(rows, table)
    except Exception as error:
        if step_error := _find_step_error(error):
            raise step_error from error
        raise


def _count_by_day(
    window: Window | None, rows_before: Mapping[date, int], rows_after: Mapping[date, int]
) -> tuple[DayCounts, ...]:
    """The rows appended per landing date: raw only grows, so they follow from the log's counts before and after."""
    appended = {
        day: rows - rows_before.get(day, 0) for day, rows in rows_after.items() if window is None or day in window
    }
    return tuple(
        DayCounts(day=day, rows=RowCounts(read=rows, inserted=rows), partition_rows=rows_after[day])
        for day, rows in appended.items()
    )


def _files_to_append(
    spark: SparkSession, landed: tuple[LandedFile, ...], table: delta.OpenTable
) -> tuple[LandedFile, ...]:
    """The landed files without those whose content the table has already on that landing date.

    A content is appended again only if it replaced another content of the same file, so that the newest one wins.
    """
    contents: set[tuple[date, str]] = set()
    newest: dict[tuple[date, str], tuple[datetime, str]] = {}
    for day, file_id, name, received_at in _appended_files(spark, landed, table):
        contents.add((day, file_id))
        newest[day, name] = max(newest.get((day, name), (received_at, file_id)), (received_at, file_id))
    files: list[LandedFile] = []
    for file in sorted(landed, key=lambda file: (file.extracted_at, file.received_at, file.file_id)):
        content, place = (file.landing_date, file.file_id), (file.landing_date, file.name)
        received_at, file_id = newest.get(place, (file.received_at, file.file_id))
        if content not in contents or (file_id != file.file_id and received_at < file.received_at):
            files.append(file)
            contents.add(content)
            newest[place] = (file.received_at, file.file_id)
    return tuple(sorted(files, key=lambda file: (file.landing_date, file.file_id)))


def _appended_files(
    spark: SparkSession, landed: tuple[LandedFile, ...], table: delta.OpenTable
) -> Iterator[tuple[date, str, str, datetime]]:
    """Landing date, id, name and time of receipt of the contents that the table has, as far as they matter.

    The statistics of a data file tell its content if it has only one. Only days on which they do not suffice are read.
    """
    data_files, days_to_read = _data_files_by_day(table), set[date]()
    for file in landed:
        on_day = data_files.get(file.landing_date, [])
        holders = [data_file for data_file in on_day if data_file.may_contain(file)]
        has_others = any(data_file.ids != (file.file_id, file.file_id) for data_file in holders)
        if has_others or any(data_file.may_replace(file) for data_file in (on_day if holders else [])):
            days_to_read.add(file.landing_date)
        elif holders:
            yield file.landing_date, file.file_id, file.name, file.received_at
    if days_to_read:
        window = Window(min(days_to_read), max(days_to_read) + timedelta(days=1))
        received_at = "unix_micros(coalesce(_received_at, _extracted_at)) AS received_at"
        rows = delta.read(spark, table.within(window))
        for row in rows.selectExpr("_landing_date", "_file_id", "_file_name", received_at).distinct().collect():
            microseconds = timedelta(microseconds=row["received_at"])
            yield row["_landing_date"], row["_file_id"], row["_file_name"], _EPOCH + microseconds


class _DataFile(NamedTuple):
    """The delivered files in a data file, by its statistics: their smallest and greatest id and name, if known."""

    ids: tuple[str | None, str | None]
    names: tuple[str | None, str | None]

    def may_contain(self, file: LandedFile) -> bool:
        """Whether it may contain rows of the landed file."""
        return _may_include(self.ids, file.file_id)

    def may_replace(self, file: LandedFile) -> bool:
        """Whether it may contain another content of a file of this name."""
        return self.ids != (file.file_id, file.file_id) and _may_include(self.names, file.name)


def _may_include(bounds: tuple[str | None, str | None], text: str) -> bool:
    smallest, greatest = bounds
    return smallest is None or greatest is None or smallest <= text <= greatest


def _data_files_by_day(table: delta.OpenTable) -> dict[date, list[_DataFile]]:
    """The table's data files by landing date. Long texts are shortened in statistics, but still bounds.

    Statistics include rows that a deletion vector removes, so those of such a table are not used.
    """
    files = delta.data_files(table.handle, table.log)
    days: list[date] = files.column("partition._landing_date").to_pylist() if files.num_rows else []
    names = ("min._file_id", "max._file_id", "min._file_name", "max._file_name")
    is_exact = not delta.has_deletion_vectors(table.log)
    bounds = [
        files.column(name).to_pylist() if is_exact and name in files.column_names else [None] * len(days)
        for name in names
    ]
    data_files: dict[date, list[_DataFile]] = defaultdict(list)
    for day, first_id, last_id, first_name, last_name in zip(days, *bounds, strict=True):
        data_files[day].append(_DataFile((first_id, last_id), (first_name, last_name)))
    return data_files


def _find_step_error(error: Exception) -> StepError | None:
    """The reader's own error: it reaches the driver only as text within the engine's error."""
    message = re.search(rf"{StepError.__name__}: (.*)", str(error))
    return StepError(message[1]) if message else None
