"""Increments: what a window of landing dates changes in a refined table, and nothing else of it.

A table is cut along one column: all its rows of one value follow from the input rows of that value. A window touches
some values. For these alone the table's query is run, on inputs cut down to them, and what differs from the rows held
is merged in one commit. So an increment and the whole computation are the same query, and end in the same table.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from spark_steps import delta
from spark_steps.declarations import Increment, Layer, TableSpec
from spark_steps.protocol import StepRequest, TableHandle

_MIN_KEYS, _MAX_FRACTION, _MAX_KEYS = 1_000, 5, 200_000
"""An increment is for up to a fifth of as many values as the table has rows; for 1,000 always, for 200,000 at most."""


def create_input_views(spark: SparkSession, request: StepRequest) -> dict[str, DataFrame]:
    """Make each input known to SQL by the name that queries have for it; returns them by that name."""
    frames: dict[str, DataFrame] = {}
    for handle in request.inputs:
        table = handle.declaration
        name = f"raw_{table.name}" if table.layer is Layer.RAW else table.name
        frames[name] = delta.read(spark, replace(handle, window=None))
        frames[name].createOrReplaceTempView(name)
        if table.layer is Layer.TRUSTED and request.window:
            frames[name].where(request.window.predicate()).createOrReplaceTempView(f"landed_{name}")
    return frames


@dataclass(frozen=True, slots=True)
class Changes:
    """The rows that shall be inserted, updated or deleted, how many of each, and how many need no change.

    `rows` are as the table has them, with `_change`, and the partition that a row is held in as `_held_partition`;
    rows to be deleted are shown as they are held, all others as they should be.
    """

    rows: pa.Table
    counts: delta.Counts
    unchanged: int = 0

    @property
    def computed(self) -> int:
        """How many rows the query gave."""
        return self.counts.inserted + self.counts.updated + self.unchanged


def find_changes(
    spark: SparkSession, request: StepRequest, increment: Increment, query: str, inputs: Mapping[str, DataFrame]
) -> Changes | None:
    """Run the query for the values that the window touches, and compare its rows with those that the table holds.

    Args:
        spark: the session.
        request: the step's.
        increment: how the table is cut.
        query: what computes it.
        inputs: its inputs, as `views` gives them.

    Returns:
        What differs; None if the table is better computed whole: where it is empty, where it is asked for without a
        window, and where a good part of it is touched. So touched values and rows, which pass through the driver, are
        few.
    """
    output = replace(request.output, window=None)
    rows_held = delta.row_count(output)
    if request.window is None or not rows_held:
        return None
    held = delta.read(spark, output)
    held.createOrReplaceTempView("held")
    limit = min(max(_MIN_KEYS, rows_held // _MAX_FRACTION), _MAX_KEYS)
    values = _find_affected_keys(spark, increment, limit + 1)
    if values.num_rows > limit:
        return None
    if not values.num_rows:
        return Changes(values, delta.Counts())
    wanted = spark.createDataFrame(values)

    def cut(rows: DataFrame, column: str, name: str) -> None:
        rows.join(wanted, rows[column] == wanted[increment.key], "left_semi").createOrReplaceTempView(name)

    for name, column in increment.filtered_inputs.items():
        cut(inputs[name], column, name)
    cut(held, increment.key, "held")
    table = output.declaration
    delta.align_to_schema(spark.sql(query), table).createOrReplaceTempView("computed")
    rows = spark.sql(_compare_query(table)).toArrow()
    found = Counter(rows.column("_change").to_pylist())
    return Changes(
        rows.filter(pc.field("_change") != "unchanged"),
        delta.Counts(inserted=found["inserted"], updated=found["updated"], deleted=found["deleted"]),
        unchanged=found["unchanged"],
    )


def _find_affected_keys(spark: SparkSession, increment: Increment, most: int) -> pa.Table:
    """The values that the window touches, in one column; of too many, `most` of them."""
    key = increment.key
    return spark.sql(
        f"SELECT DISTINCT {key} FROM ({increment.affected_keys}) v WHERE {key} IS NOT NULL LIMIT {most}"
    ).toArrow()


def _compare_query(table: TableSpec) -> str:
    """The rows that were computed and those held, side by side by key, with what becomes of each."""
    key = table.key[0]
    newest = ", ".join(
        f"CASE WHEN c.{key} IS NULL THEN h.{name} ELSE c.{name} END AS {name}" for name in table.column_names
    )
    same_row = " AND ".join(f"c.{name} <=> h.{name}" for name in table.column_names)
    same_key = " AND ".join(f"c.{name} = h.{name}" for name in table.key)
    return f"""
        SELECT {newest},
          CASE
            WHEN h.{key} IS NULL THEN 'inserted'
            WHEN c.{key} IS NULL THEN 'deleted'
            WHEN {same_row} THEN 'unchanged'
            ELSE 'updated'
          END AS _change,
          {f"h.{table.partition}" if table.partition else "CAST(NULL AS STRING)"} AS _held_partition
        FROM computed c FULL OUTER JOIN held h ON {same_key}
    """


def merge(spark: SparkSession, changes: Changes, output: TableHandle) -> delta.CommitMetrics:
    """Bring changed rows into the table in one commit; none if there are none."""
    if not changes.rows.num_rows:
        return delta.empty_commit(output)
    table = output.declaration
    rows, marks = changes.rows.select(table.column_names), changes.rows.column("_change").to_pylist()
    partitions: set[str] = set()
    if table.partition:
        partitions = {*rows.column(table.partition).to_pylist(), *changes.rows.column("_held_partition").to_pylist()}
    marked = rows.append_column(delta.DELETED, pa.array([mark == "deleted" for mark in marks]))
    return delta.merge(
        spark, spark.createDataFrame(marked), output, changes.counts, partitions=sorted(partitions - {None})
    )
