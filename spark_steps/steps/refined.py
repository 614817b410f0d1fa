"""Refined: the star schema. One module a table or family, each a query over views named like its inputs."""

from dataclasses import asdict, replace

from pyspark.sql import SparkSession

from spark_steps import delta, rules
from spark_steps.declarations import Layer, Severity, TableSpec
from spark_steps.expressions import UNKNOWN_KEY
from spark_steps.protocol import Check, StepRequest, StepResult
from spark_steps.refined import MODELS
from spark_steps.steps.increment import create_input_views, find_changes, merge


def load(spark: SparkSession, request: StepRequest) -> StepResult:
    """Bring the table to what its inputs say, in one commit: what the window touches of it, or the whole.

    Of an increment `rows_read` are the rows that it computed, otherwise all rows of the inputs, without raw ones: these
    only tell what a window touches.
    """
    table = request.output.declaration
    query, increment = MODELS[table.id].query, MODELS[table.id].increment
    inputs = create_input_views(spark, request)
    found = find_changes(spark, request, increment, query, inputs) if increment else None
    if found is None:
        commit = _replace_whole(spark, request, query)
        read = [handle for handle in request.inputs if handle.declaration.layer is not Layer.RAW]
        rows_read, rows_unchanged = sum(delta.row_count(replace(handle, window=None)) for handle in read), 0
    else:
        commit = merge(spark, found, request.output)
        rows_read, rows_unchanged = found.computed, found.unchanged
    return StepResult(
        table=request.table,
        rows_read=rows_read,
        rows_unchanged=rows_unchanged,
        checks=_checks(spark, request),
        **asdict(commit),
    )


def _replace_whole(spark: SparkSession, request: StepRequest, query: str) -> delta.CommitMetrics:
    table = request.output.declaration
    rows = delta.align_to_schema(spark.sql(query), table)
    if table.dimension:
        rows = rows.unionAll(delta.align_to_schema(spark.sql(_unknown_member(table)), table))
    return delta.replace(rows, replace(request.output, window=None))


def _unknown_member(table: TableSpec) -> str:
    """The row that facts point to while they wait for the real one: surrogate key -1, all else unknown."""
    key, *others = table.columns
    nothing = {True: str(UNKNOWN_KEY), False: "NULL"}  # a required column is a key into another dimension
    values = ", ".join(f"CAST({nothing[c.required]} AS {c.type}) AS {c.name}" for c in others)
    return f"SELECT CAST({UNKNOWN_KEY} AS {key.type}) AS {key.name}, {values}"


def _checks(spark: SparkSession, request: StepRequest) -> tuple[Check, ...]:
    """The table's warnings, counted over what was written; no query where it has none."""
    warnings = rules.warnings(request.output.declaration)
    if not warnings:
        return ()
    counts = [f"count_if({rule.violated_when}) AS {rule.name}" for rule in warnings]
    [found] = delta.read(spark, replace(request.output, window=None)).selectExpr(*counts).collect()
    return tuple(Check(r.name, Severity.WARN, found[r.name], r.reason.strip("'")) for r in warnings)
