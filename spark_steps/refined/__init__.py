"""Refined: the star schema. One module a table or family, each a query over views named like its inputs."""

from dataclasses import asdict, replace

from pyspark.sql import SparkSession

from spark_steps import delta, quality
from spark_steps.contract import Check, StepRequest, StepResult
from spark_steps.expressions import UNKNOWN_KEY
from spark_steps.refined import (
    aggregates,
    dim_customers,
    dim_date,
    dim_location,
    dim_products,
    dim_sellers,
    fact_order_items,
    fact_orders,
    fact_payments,
    fact_reviews,
)
from spark_steps.schema import Severity, Table

_QUERIES = {
    "dim_date": dim_date.QUERY,
    "dim_products": dim_products.QUERY,
    "dim_sellers": dim_sellers.QUERY,
    "dim_location": dim_location.QUERY,
    "dim_customers": dim_customers.QUERY,
    "fact_orders": fact_orders.QUERY,
    "fact_order_items": fact_order_items.QUERY,
    "fact_payments": fact_payments.QUERY,
    "fact_reviews": fact_reviews.QUERY,
    "aggregate_sales_performance_by_city": aggregates.SALES_PERFORMANCE_BY_CITY,
    "aggregate_sales_per_month": aggregates.SALES_PER_MONTH,
    "aggregate_payments_per_month": aggregates.PAYMENTS_PER_MONTH,
    "aggregate_orders_per_day": aggregates.ORDERS_PER_DAY,
}


def load(spark: SparkSession, request: StepRequest) -> StepResult:
    """Compute the table from its inputs, whole, and put it in place of what it held. One commit."""
    table = request.output.declaration
    for handle in request.inputs:
        delta.read(spark, replace(handle, window=None)).createOrReplaceTempView(handle.declaration.name)
    rows = delta.conformed(spark.sql(_QUERIES[table.name]), table)
    if table.dimension:
        rows = rows.unionAll(delta.conformed(spark.sql(_unknown_member(table)), table))
    commit = delta.replace(rows, replace(request.output, window=None))
    return StepResult(
        table=request.table,
        rows_read=sum(delta.row_count(replace(handle, window=None)) for handle in request.inputs),
        checks=_checks(spark, request),
        **asdict(commit),
    )


def _unknown_member(table: Table) -> str:
    """The row that facts point to while they wait for the real one: surrogate key -1, all else unknown."""
    key, *others = table.columns
    nothing = {True: str(UNKNOWN_KEY), False: "NULL"}  # a required column is a key into another dimension
    values = ", ".join(f"CAST({nothing[c.required]} AS {c.type}) AS {c.name}" for c in others)
    return f"SELECT CAST({UNKNOWN_KEY} AS {key.type}) AS {key.name}, {values}"


def _checks(spark: SparkSession, request: StepRequest) -> tuple[Check, ...]:
    """The table's warnings, counted over what was written; no query where it has none."""
    warnings = quality.warnings(request.output.declaration)
    if not warnings:
        return ()
    counts = [f"count_if({rule.broken}) AS {rule.name}" for rule in warnings]
    [found] = delta.read(spark, replace(request.output, window=None)).selectExpr(*counts).collect()
    return tuple(Check(r.name, Severity.WARN, found[r.name], r.reason.strip("'")) for r in warnings)
