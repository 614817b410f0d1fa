"""Raw: every delivered row, unchanged. Append-only, one commit per run, each file once per landing date."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from pyspark.sql import SparkSession

from spark_steps import csv_files, delta
from spark_steps.protocol import DayCounts, LandedFile, RowCounts, StepError, StepRequest, StepResult, Window

_MAX_READERS = 16


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
    """The request's files, each content once per landing date, without those that the table has already."""
    newest_first = sorted(request.files, key=lambda f: f.extracted_at, reverse=True)
    files = {(f.landing_date, f.file_id): f for f in newest_first}  # of equal contents the first extracted is kept
    days = sorted(rows_before.keys() & {day for day, _ in files})
    appended: set[tuple[date, str]] = set()
    if days:
        raw = replace(request.output, window=Window(days[0], days[-1] + timedelta(days=1)))
        rows = delta.read(spark, raw).select("_landing_date", "_file_id").distinct().collect()
        appended = {(row["_landing_date"], row["_file_id"]) for row in rows}
    return tuple(files[key] for key in sorted(files.keys() - appended))


def _find_step_error(error: Exception) -> StepError | None:
    """The reader's own error: it reaches the driver only as text within the engine's error."""
    message = re.search(rf"{StepError.__name__}: (.*)", str(error))
    return StepError(message[1]) if message else None
