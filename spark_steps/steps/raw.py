"""Raw: everything that landed, as it landed. Append-only, one commit a step run, each file once a landing date."""

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date, timedelta

from pyspark.sql import SparkSession

from spark_steps import csv_files, delta
from spark_steps.protocol import DayCounts, LandedFile, StepError, StepRequest, StepResult, Window

_MOST_READERS = 16


def load(spark: SparkSession, request: StepRequest) -> StepResult:
    """Append the rows of the request's files that the table's landing dates do not hold yet.

    Raises:
        StepError: a file cannot be read, or lacks a column; nothing is appended.
    """
    table = replace(request.output, window=None)
    before = delta.rows_by_day(table)
    files = _files_not_held(spark, request, before)
    if not files:
        days = _days(request.window, before, before)
        return StepResult(table=request.table, days=days, **asdict(delta.empty_commit(table)))
    columns = tuple(c.name for c in request.output.declaration.value_columns)
    schema = ", ".join(f"`{c.name}` {c.type}" for c in request.output.declaration.columns)
    rows = (
        spark.createDataFrame(csv_files.file_rows(files))
        .repartition(min(len(files), _MOST_READERS))
        .mapInArrow(csv_files.reader(request.table, columns, request.run_id), schema)
    )
    try:
        commit = delta.append(rows, request.output)
    except Exception as error:
        raise _cause(error) from error
    days = _days(request.window, before, delta.rows_by_day(table))
    return StepResult(table=request.table, rows_read=commit.rows_inserted, days=days, **asdict(commit))


def _days(window: Window | None, before: Mapping[date, int], after: Mapping[date, int]) -> tuple[DayCounts, ...]:
    """What was appended of each day: raw only grows, so the log's row counts before and after tell it."""
    appended = {day: rows - before.get(day, 0) for day, rows in after.items() if window is None or day in window}
    return tuple(DayCounts(day=d, rows_read=n, rows_inserted=n, rows_held=after[d]) for d, n in appended.items())


def _files_not_held(spark: SparkSession, request: StepRequest, rows_held: Mapping[date, int]) -> tuple[LandedFile, ...]:
    """The request's files, each content once a landing date, without those that were appended before."""
    newest_first = sorted(request.files, key=lambda f: f.extracted_at, reverse=True)
    wanted = {(f.landing_date, f.file_id): f for f in newest_first}  # of equal contents the first extracted
    loaded = sorted(rows_held.keys() & {day for day, _ in wanted})
    held: set[tuple[date, str]] = set()
    if loaded:
        raw = replace(request.output, window=Window(loaded[0], loaded[-1] + timedelta(days=1)))
        rows = delta.read(spark, raw).select("_landing_date", "_file_id").distinct().collect()
        held = {(row["_landing_date"], row["_file_id"]) for row in rows}
    return tuple(wanted[key] for key in sorted(wanted.keys() - held))


def _cause(error: Exception) -> Exception:
    """The reader's own error, which reaches the driver as text within the engine's."""
    message = re.search(rf"{StepError.__name__}: (.*)", str(error))
    return StepError(message[1]) if message else error
