"""Increments: compute and merge only the rows of a refined table that a window of landing dates can change.

All rows of one key follow from the input rows of that key. A window affects some keys. The table's query runs on inputs
filtered to these keys, and the result is compared with the current rows; the differences are merged in one commit. An
increment and a full computation run the same query, so they end in the same table.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from spark_steps import delta
from spark_steps.declarations import Increment, Layer, TableSpec
from spark_steps.protocol import RowCounts, StepRequest, TableHandle

_MIN_LIMIT, _ROWS_PER_KEY, _MAX_LIMIT = 1_000, 5, 200_000
"""An increment is limited to max(1,000, rows / 5) affected keys, capped at 200,000."""


def read_inputs(spark: SparkSession, request: StepRequest) -> dict[str, DataFrame]:
    """The inputs by the names that queries use, and the rows of trusted ones that landed in the window."""
    frames: dict[str, DataFrame] = {}
    for handle in request.inputs:
        table = handle.declaration
        name = f"raw_{table.name}" if table.layer is Layer.RAW else table.name
        frames[name] = delta.read(spark, replace(handle, window=None))
        if table.layer is Layer.TRUSTED and request.window:
            frames[f"landed_{name}"] = frames[name].where(request.window.predicate())
    return frames


@dataclass(frozen=True, slots=True)
class Changes:
    """The differences between the computed rows and the current ones.

    Attributes:
        rows: rows to insert, update or delete, with the table's columns, `_change` and `_current_partition`. Rows to
            delete have their current values, all others the new ones.
        counts: how many rows are inserted, updated and deleted.
        unchanged: how many rows need no change.
    """

    rows: pa.Table
    counts: RowCounts
    unchanged: int = 0

    @property
    def computed(self) -> int:
        """The number of rows that the query returned."""
        return self.counts.inserted + self.counts.updated + self.unchanged


def find_changes(
    spark: SparkSession, request: StepRequest, increment: Increment, query: str, inputs: Mapping[str, DataFrame]
) -> Changes | None:
    """Run the query for the keys that the window affects, and compare its rows with the current ones.

    Args:
        spark: the session.
        request: the step's request.
        increment: the table's increment.
        query: the table's query.
        inputs: the inputs, as `read_inputs` returns them.

    Returns:
        The differences, or None if a full computation is cheaper: the table is empty, the request has no window, or
        more keys are affected than max(1,000, rows / 5), capped at 200,000. The limit also bounds what is collected to
        the driver.
    """
    output = replace(request.output, window=None)
    row_count = delta.row_count(output)
    if request.window is None or not row_count:
        return None
    frames = {**inputs, "current_rows": delta.read(spark, output)}
    limit = min(max(_MIN_LIMIT, row_count // _ROWS_PER_KEY), _MAX_LIMIT)
    keys = _find_affected_keys(spark, increment, frames, limit + 1)
    if keys.num_rows > limit:
        return None
    if not keys.num_rows:
        return Changes(keys, RowCounts())
    frames |= _filter_by_keys(spark.createDataFrame(keys), increment, frames)
    table = output.declaration
    frames["computed_rows"] = delta.align_to_schema(delta.sql(spark, query, frames), table)
    rows = delta.sql(spark, _comparison_query(table), frames).toArrow()
    counts: Counter[str] = Counter(rows.column("_change").to_pylist())
    return Changes(
        rows.filter(pc.field("_change") != "unchanged"),
        RowCounts(inserted=counts["inserted"], updated=counts["updated"], deleted=counts["deleted"]),
        unchanged=counts["unchanged"],
    )


def _find_affected_keys(
    spark: SparkSession, increment: Increment, frames: Mapping[str, DataFrame], limit: int
) -> pa.Table:
    """The keys that the window affects, in one column; no more than `limit` of them."""
    key = increment.key
    query = f"SELECT DISTINCT {key} FROM ({increment.affected_keys}) k WHERE {key} IS NOT NULL LIMIT {limit}"
    return delta.sql(spark, query, frames).toArrow()


def _filter_by_keys(keys: DataFrame, increment: Increment, frames: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """The filtered inputs and the current rows, restricted to the affected keys."""
    columns = {**increment.filtered_inputs, "current_rows": increment.key}
    return {
        name: frames[name].join(keys, frames[name][column] == keys[increment.key], "left_semi")
        for name, column in columns.items()
    }


def _comparison_query(table: TableSpec) -> str:
    """SQL of the computed and the current rows, joined by key, each with its change."""
    key = table.key[0]
    values = ", ".join(
        f"CASE WHEN n.{key} IS NULL THEN c.{name} ELSE n.{name} END AS {name}" for name in table.column_names
    )
    same_row = " AND ".join(f"n.{name} <=> c.{name}" for name in table.column_names)
    same_key = " AND ".join(f"n.{name} = c.{name}" for name in table.key)
    return f"""
        SELECT {values},
          CASE
            WHEN c.{key} IS NULL THEN 'inserted'
            WHEN n.{key} IS NULL THEN 'deleted'
            WHEN {same_row} THEN 'unchanged'
            ELSE 'updated'
          END AS _change,
          {f"c.{table.partition}" if table.partition else "CAST(NULL AS STRING)"} AS _current_partition
        FROM computed_rows n FULL OUTER JOIN current_rows c ON {same_key}
    """


def merge(spark: SparkSession, changes: Changes, output: TableHandle) -> delta.CommitMetrics:
    """Write the changes in one commit; none if there are no changes.

    Raises:
        StepError: the engine wrote no commit.
    """
    if not changes.rows.num_rows:
        return delta.empty_commit(output)
    table = output.declaration
    rows, marks = changes.rows.select(table.column_names), changes.rows.column("_change").to_pylist()
    partitions: set[str | None] = set()
    if table.partition:
        partitions.update(rows.column(table.partition).to_pylist())
        partitions.update(changes.rows.column("_current_partition").to_pylist())
    marked = rows.append_column(delta.DELETED, pa.array([mark == "deleted" for mark in marks]))
    return delta.merge(
        spark,
        spark.createDataFrame(marked),
        output,
        changes.counts,
        partitions=sorted(partition for partition in partitions if partition is not None),
    )
