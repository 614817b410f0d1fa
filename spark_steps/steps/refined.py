"""Refined: run a table's query over its inputs, for the affected keys of a window or for the whole table."""

from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import DataFrame, SparkSession

from spark_steps import delta, rules
from spark_steps.declarations import WAITING_FOR_ORDER, Layer, Severity, TableSpec
from spark_steps.expressions import UNKNOWN_KEY
from spark_steps.protocol import Check, StepRequest, StepResult
from spark_steps.refined import MODELS
from spark_steps.steps.increment import find_changes, merge, read_inputs


def load(spark: SparkSession, request: StepRequest) -> StepResult:
    """Bring the table up to date with its inputs, in one commit: by an increment if it has one, otherwise as a whole.

    The result's rows read are the rows that an increment computed, or all rows of the inputs after a full computation.
    Raw inputs do not count: they only serve to find affected keys.

    Raises:
        StepError: the query's columns are not the declared ones, or the engine wrote no commit.
    """
    model = MODELS[request.output.id]
    inputs = read_inputs(spark, request)
    changes = find_changes(spark, request, model.increment, model.query, inputs) if model.increment else None
    if changes is None:
        commit = _replace_all(spark, request, model.query, inputs)
        read = [handle for handle in request.inputs if handle.declaration.layer is not Layer.RAW]
        rows_read, rows_unchanged = sum(delta.row_count(replace(handle, window=None)) for handle in read), 0
    else:
        commit = merge(spark, changes, request.output)
        rows_read, rows_unchanged = changes.computed, changes.unchanged
    return StepResult(
        table=request.table,
        version_before=commit.version_before,
        version_after=commit.version_after,
        rows=replace(commit.rows, read=rows_read, unchanged=rows_unchanged),
        files=commit.files,
        checks=(*_check_rules(spark, request), *_check_waiting(request)),
    )


def _replace_all(
    spark: SparkSession, request: StepRequest, query: str, inputs: Mapping[str, DataFrame]
) -> delta.CommitMetrics:
    table = request.output.declaration
    rows = delta.align_to_schema(delta.sql(spark, query, inputs), table)
    if table.dimension:
        rows = rows.unionAll(delta.align_to_schema(delta.sql(spark, _unknown_member(table)), table))
    return delta.replace(rows, replace(request.output, window=None))


def _unknown_member(table: TableSpec) -> str:
    """SQL of the row that facts refer to until the real one arrives: surrogate key -1, everything else unknown."""
    key, *others = table.columns
    unknown = {True: str(UNKNOWN_KEY), False: "NULL"}  # a required column is a key of another dimension
    values = ", ".join(f"CAST({unknown[c.required]} AS {c.type}) AS {c.name}" for c in others)
    return f"SELECT CAST({UNKNOWN_KEY} AS {key.type}) AS {key.name}, {values}"


def _check_rules(spark: SparkSession, request: StepRequest) -> tuple[Check, ...]:
    """The table's warnings, counted over the whole table; no query if it has none."""
    warnings = rules.warnings(request.output.declaration)
    if not warnings:
        return ()
    counts = [f"count_if({rule.violated_when}) AS {rule.name}" for rule in warnings]
    [failed] = delta.read(spark, replace(request.output, window=None)).selectExpr(*counts).collect()
    return tuple(Check(r.name, Severity.WARN, failed[r.name], r.reason.strip("'")) for r in warnings)


def _check_waiting(request: StepRequest) -> list[Check]:
    """The rows that wait for their order: the table has one row for each of the others, so the logs have the number."""
    table = request.output.declaration
    sources = [replace(handle, window=None) for handle in request.inputs if handle.id == table.rows_from]
    rows = delta.row_count(replace(request.output, window=None))
    return [
        Check(WAITING_FOR_ORDER, Severity.WARN, max(0, delta.row_count(source) - rows), table.waiting_rows)
        for source in sources
    ]
