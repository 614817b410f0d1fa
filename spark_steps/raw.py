"""Raw: everything that landed, as it landed. Append-only, one commit a step run, each file once a landing date."""

import re
from dataclasses import asdict, replace
from datetime import timedelta

from pyspark.sql import SparkSession

from spark_steps import csv_files, delta
from spark_steps.contract import DeltaTable, LandedFile, StepError, StepRequest, StepResult, Window

_MOST_READERS = 16


def load(spark: SparkSession, request: StepRequest) -> StepResult:
    """Append the rows of the request's files that the table's landing dates do not hold yet.

    Raises:
        StepError: a file cannot be read, or lacks a column; nothing is appended.
    """
    files = _files_not_held(spark, request)
    if not files:
        return StepResult(table=request.table, **asdict(delta.nothing(request.output)))
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
    return StepResult(table=request.table, rows_read=commit.rows_inserted, **asdict(commit))


def _files_not_held(spark: SparkSession, request: StepRequest) -> tuple[LandedFile, ...]:
    """The request's files, each content once a landing date, without those that were appended before."""
    newest_first = sorted(request.files, key=lambda f: f.extracted_at, reverse=True)
    wanted = {(f.landing_date, f.file_id): f for f in newest_first}  # of equal contents the first extracted
    if not wanted:
        return ()
    days = [file.landing_date for file in wanted.values()]
    held = _held(spark, replace(request.output, window=Window(min(days), max(days) + timedelta(days=1))))
    return tuple(wanted[key] for key in sorted(wanted.keys() - held))


def _held(spark: SparkSession, raw: DeltaTable) -> set[tuple]:
    if delta.row_count(raw) == 0:
        return set()
    rows = delta.read(spark, raw).select("_landing_date", "_file_id").distinct().collect()
    return {(row["_landing_date"], row["_file_id"]) for row in rows}


def _cause(error: Exception) -> Exception:
    """The reader's own error, which reaches the driver as text within the engine's."""
    message = re.search(rf"{StepError.__name__}: (.*)", str(error))
    return StepError(message[1]) if message else error
