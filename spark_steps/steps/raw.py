"""Raw: every delivered row, unchanged. Append-only, one commit per run, each file once per landing date."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from pyspark.sql import SparkSession

from spark_steps import csv_files, delta
from spark_steps.protocol import DayCounts, LandedFile, RowCounts, StepError, StepRequest, StepResult, Window

_MAX_READERS = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def load(spark: SparkSession, request: StepRequest) -> StepResult:
    """Append the rows of the request's files, except of files that the table has already on that landing date.

    Raises:
        StepError: a file cannot be read or lacks a column; nothing is appended.
    """
    table = replace(request.output, window=None)
    rows_before = delta.rows_by_day(table)
    files = _files_to_append(spark, request, rows_before)
    if files:
        commit = _append(spark, request, files)
        rows_after = delta.rows_by_day(table)
    else:
        commit, rows_after = delta.empty_commit(table), rows_before
    return StepResult(
        table=request.table,
        version_before=commit.version_before,
        version_after=commit.version_after,
        rows=replace(commit.rows, read=commit.rows.inserted),
        files=commit.files,
        days=_count_by_day(request.window, rows_before, rows_after),
    )


def _append(spark: SparkSession, request: StepRequest, files: tuple[LandedFile, ...]) -> delta.CommitMetrics:
    columns = request.output.declaration.value_columns
    schema = ", ".join(f"`{c.name}` {c.type}" for c in request.output.declaration.columns)
    rows = (
        spark.createDataFrame(csv_files.file_rows(files))
        .repartition(min(len(files), _MAX_READERS))
        .mapInArrow(csv_files.reader(request.table, columns, request.run_id), schema)
    )
    try:
        return delta.append(rows, request.output)
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
    spark: SparkSession, request: StepRequest, rows_before: Mapping[date, int]
) -> tuple[LandedFile, ...]:
    """The request's files without those whose content the table has already on that landing date.

    A content is appended again only if it replaced another content of the same file, so that the newest one wins.
    """
    contents: set[tuple[date, str]] = set()
    newest: dict[tuple[date, str], tuple[datetime, str]] = {}
    for day, file_id, name, received_at in _appended_files(spark, request, rows_before):
        contents.add((day, file_id))
        newest[day, name] = max(newest.get((day, name), (received_at, file_id)), (received_at, file_id))
    files: list[LandedFile] = []
    for file in sorted(request.files, key=lambda file: (file.extracted_at, file.received_at, file.file_id)):
        content, place = (file.landing_date, file.file_id), (file.landing_date, file.name)
        received_at, file_id = newest.get(place, (file.received_at, file.file_id))
        if content not in contents or (file_id != file.file_id and received_at < file.received_at):
            files.append(file)
            contents.add(content)
            newest[place] = (file.received_at, file.file_id)
    return tuple(sorted(files, key=lambda file: (file.landing_date, file.file_id)))


def _appended_files(
    spark: SparkSession, request: StepRequest, rows_before: Mapping[date, int]
) -> list[tuple[date, str, str, datetime]]:
    """Landing date, id, name and time of receipt of the files that the table has on the days of the request's files."""
    days = sorted(rows_before.keys() & {file.landing_date for file in request.files})
    if not days:
        return []
    raw = replace(request.output, window=Window(days[0], days[-1] + timedelta(days=1)))
    received_at = "unix_micros(coalesce(_received_at, _extracted_at)) AS received_at"
    rows = delta.read(spark, raw).selectExpr("_landing_date", "_file_id", "_file_name", received_at).distinct()
    return [
        (row["_landing_date"], row["_file_id"], row["_file_name"], _EPOCH + timedelta(microseconds=row["received_at"]))
        for row in rows.collect()
    ]


def _find_step_error(error: Exception) -> StepError | None:
    """The reader's own error: it reaches the driver only as text within the engine's error."""
    message = re.search(rf"{StepError.__name__}: (.*)", str(error))
    return StepError(message[1]) if message else None
