"""Refined: run a table's query over its inputs, for the affected keys of a window or for the whole table."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from pyspark.sql import SparkSession

from spark_steps import delta, rules
from spark_steps.declarations import WAITING_FOR_ORDER, RefinedTable, Severity, TableSpec
from spark_steps.expressions import UNKNOWN_KEY
from spark_steps.filesystems import remove_folder
from spark_steps.protocol import Check, Progress, StepRequest, StepResult
from spark_steps.refined import MODELS
from spark_steps.steps.increment import cast_to_schema, find_changes, in_parts, input_relations, merge
from spark_steps.steps.tables import StepTables

_PARTS = "_parts"
"""A folder in the table's folder. Delta ignores names that begin with an underscore."""


def load(spark: SparkSession, request: StepRequest, tables: StepTables, on_progress: Progress) -> StepResult:
    """Bring the table up to date with its inputs, in one commit: by an increment if it has one, otherwise as a whole.

    The result's rows read are the rows that an increment computed, or all rows of the inputs after a full computation.

    Raises:
        StepError: the query's columns are not the declared ones, or the engine wrote no commit.
    """
    model, output, inputs = MODELS[request.output.id], tables.output, tables.inputs
    relations = input_relations(inputs, request.window, model.increment)
    rows_read = [delta.row_count(table) for table in inputs.values()]
    changes = find_changes(spark, model, relations, output, max(rows_read)) if request.window else None
    if changes is None:
        parts = in_parts(model, relations, max(rows_read)) if request.limits_memory else [relations]
        commit = _replace_all(
            spark, model, parts, output, on_progress, are_few=max(rows_read) <= delta.MAX_COLLECTED_ROWS
        )
        rows = replace(commit.rows, read=sum(rows_read))
    else:
        commit = merge(spark, changes, output)
        rows = replace(commit.rows, read=changes.computed, unchanged=changes.unchanged)
    return StepResult(
        table=request.table,
        version_before=commit.version_before,
        version_after=commit.version_after,
        rows=rows,
        files=commit.files,
        checks=(*_check_rules(spark, output), *_check_waiting(inputs, output)),
    )


def _replace_all(
    spark: SparkSession,
    model: RefinedTable,
    parts: Sequence[Mapping[str, str]],
    output: delta.OpenTable,
    on_progress: Progress,
    *,
    are_few: bool,
) -> delta.CommitMetrics:
    """Compute the whole table from its inputs, in one or several parts.

    Few rows are collected: each is of one or two rows of the largest input at most.
    """
    queries = [cast_to_schema(delta.with_relations(model.query, part), model.table) for part in parts]
    if model.table.dimension:
        queries[0] = f"{queries[0]} UNION ALL {_unknown_member(model.table)}"
    if len(queries) > 1:
        return _replace_from_parts(spark, queries, output, on_progress)
    rows = delta.sql(spark, queries[0])
    return delta.replace(rows.toArrow() if are_few else rows, output)


def _replace_from_parts(
    spark: SparkSession, queries: Sequence[str], output: delta.OpenTable, on_progress: Progress
) -> delta.CommitMetrics:
    """Write the rows of each query to Parquet files, one query after the other, and all of them in one commit."""
    uri = f"{output.handle.uri}/{_PARTS}"
    schema = ", ".join(f"{column.name} {column.type}" for column in output.declaration.columns)
    remove_folder(uri)  # of a killed step: Sail appends in every mode
    try:
        for number, query in enumerate(queries, start=1):
            on_progress(f"computing part {number} of {len(queries)}")
            delta.sql(spark, query).write.mode("append").parquet(uri)
        on_progress("writing the table")
        return delta.replace(spark.read.schema(schema).parquet(uri), output)  # parts without rows have no schema
    finally:
        with suppress(OSError):  # the next step removes them
            remove_folder(uri)


def _unknown_member(table: TableSpec) -> str:
    """SQL of the row that facts refer to until the real one arrives: surrogate key -1, everything else unknown."""
    key, *others = table.columns
    unknown = {True: str(UNKNOWN_KEY), False: "NULL"}  # a required column is a key of another dimension
    values = ", ".join(f"CAST({unknown[c.required]} AS {c.type}) AS {c.name}" for c in others)
    return f"SELECT CAST({UNKNOWN_KEY} AS {key.type}) AS {key.name}, {values}"


def _check_rules(spark: SparkSession, output: delta.OpenTable) -> tuple[Check, ...]:
    """The table's warnings, counted over the whole table; no query if it has none."""
    warnings = rules.warnings(output.declaration)
    if not warnings:
        return ()
    counts = [f"count_if({rule.violated_when}) AS {rule.name}" for rule in warnings]
    [failed] = delta.read(spark, output).selectExpr(*counts).collect()
    return tuple(Check(r.name, Severity.WARN, failed[r.name], r.reason.strip("'")) for r in warnings)


def _check_waiting(inputs: Mapping[str, delta.OpenTable], output: delta.OpenTable) -> list[Check]:
    """The rows that wait for their order: the table has one row for each of the others, so the logs have the number."""
    table = output.declaration
    if table.rows_from is None:
        return []
    waiting = max(0, delta.row_count(inputs[table.rows_from]) - delta.row_count(output))
    return [Check(WAITING_FOR_ORDER, Severity.WARN, waiting, table.waiting_rows)]
