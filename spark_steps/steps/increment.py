"""Increments: compute and merge only the rows of a refined table that a window of landing dates can change.

All rows of one key follow from the input rows of that key. A window affects some keys. The table's query runs on inputs
filtered to these keys, and the result is compared with the current rows; the differences are merged in one commit. An
increment and a full computation run the same query, so they end in the same table.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from spark_steps import delta, former_values
from spark_steps.declarations import Increment, Layer, RefinedTable, TableSpec
from spark_steps.protocol import RowCounts, Window
from spark_steps.steps.tables import LARGE_TABLE

_MIN_LIMIT, _ROWS_PER_KEY, _MAX_LIMIT = 1_000, 5, 200_000
"""An increment is limited to max(1,000, rows / 5) affected keys, capped at 200,000."""

_LANDED, _FORMER = "landed_", "former_"


def input_relations(
    inputs: Mapping[str, delta.OpenTable], window: Window | None, increment: Increment | None
) -> dict[str, str]:
    """SQL of the inputs by the names that queries use.

    For a window, also of the rows of trusted tables that landed in it (`landed_…`), and of the former values
    (`former_…`) that the query of the affected keys reads.
    """
    relations: dict[str, str] = {}
    affected_keys = increment.affected_keys if increment else ""
    for table_id, table in inputs.items():
        layer, _, name = table_id.partition("/")
        relations[name] = delta.relation(table)
        if layer == Layer.TRUSTED and window:
            relations[f"{_LANDED}{name}"] = f"SELECT * FROM ({relations[name]}) WHERE {window.predicate()}"
            if f"{_FORMER}{name}" in affected_keys:  # its log is opened only for a query that reads it
                relations[f"{_FORMER}{name}"] = former_values.relation(table.handle)
    return relations


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
    spark: SparkSession, model: RefinedTable, inputs: Mapping[str, str], output: delta.OpenTable, input_rows: int
) -> Changes | None:
    """Run the query for the keys that the window affects, and compare its rows with the current ones.

    Args:
        spark: the session.
        model: the table's query and increment.
        inputs: SQL of the inputs, as `input_relations` returns it for a window.
        output: the table.
        input_rows: the number of rows of the largest input.

    Returns:
        The differences, or None if a full computation is cheaper: the table has no increment or is empty, the window
        has too many rows, or more keys are affected than max(1,000, rows / 5), capped at 200,000. The limits also bound
        the memory of the queries, and what is collected to the driver.
    """
    increment, row_count = model.increment, delta.row_count(output)
    if increment is None or not row_count:
        return None
    relations = {**inputs, "current_rows": delta.relation(output)}
    if input_rows > LARGE_TABLE and _count_landed(spark, inputs) > LARGE_TABLE:
        return None
    limit = min(max(_MIN_LIMIT, row_count // _ROWS_PER_KEY), _MAX_LIMIT)
    keys = _find_affected_keys(spark, increment, relations, limit + 1)
    if keys.num_rows > limit:
        return None
    if not keys.num_rows:
        return Changes(keys, RowCounts())
    view = f"affected_keys_of_{model.table.name}"  # a table has one writer, so the name is unique
    spark.createDataFrame(keys).createOrReplaceTempView(view)
    try:
        rows = _compare(spark, model.table, model.query, _filter_by_keys(view, increment, relations))
    finally:
        spark.catalog.dropTempView(view)
    counts: Counter[str] = Counter(rows.column("_change").to_pylist())
    return Changes(
        rows.filter(pc.field("_change") != "unchanged"),
        RowCounts(inserted=counts["inserted"], updated=counts["updated"], deleted=counts["deleted"]),
        unchanged=counts["unchanged"],
    )


def _count_landed(spark: SparkSession, inputs: Mapping[str, str]) -> int:
    """The number of trusted rows in the window."""
    landed = [f"SELECT 1 FROM ({rows})" for name, rows in inputs.items() if name.startswith(_LANDED)]
    counts = delta.sql(spark, f"SELECT count(*) AS n FROM ({' UNION ALL '.join(landed)})").toArrow()
    return counts.column("n")[0].as_py()


def _find_affected_keys(
    spark: SparkSession, increment: Increment, relations: Mapping[str, str], limit: int
) -> pa.Table:
    """The keys that the window affects, in one column; no more than `limit` of them."""
    key = increment.key
    query = f"SELECT DISTINCT {key} FROM ({increment.affected_keys}) k WHERE {key} IS NOT NULL LIMIT {limit}"
    return delta.sql(spark, delta.with_relations(query, relations)).toArrow()


def _filter_by_keys(keys: str, increment: Increment, relations: Mapping[str, str]) -> dict[str, str]:
    """The relations; the filtered inputs and the current rows are restricted to the affected keys.

    By a join, because Sail plans a list of literals slowly.
    """
    columns = {**increment.filtered_inputs, "current_rows": increment.key}
    filtered = {
        name: f"SELECT r.* FROM ({relations[name]}) r LEFT SEMI JOIN {keys} k ON r.{column} = k.{increment.key}"
        for name, column in columns.items()
    }
    return {**relations, **filtered}


def in_parts(model: RefinedTable, inputs: Mapping[str, str], row_count: int) -> list[Mapping[str, str]]:
    """The inputs in parts by a hash of the increment's key: together, the query's rows of all parts are the table's.

    An increment computes the rows of some keys from the input rows of these keys. So does a part, for a share of all
    keys. The parts need memory for one part at a time.

    Args:
        model: the table's query and increment.
        inputs: SQL of the inputs.
        row_count: the number of rows of the largest input.

    Returns:
        The inputs as they are if they are one part, or if the table has no increment.
    """
    parts = -(-row_count // LARGE_TABLE)
    if model.increment is None or parts <= 1:
        return [inputs]
    columns = model.increment.filtered_inputs
    return [
        {
            **inputs,
            **{
                name: f"SELECT * FROM ({inputs[name]}) WHERE pmod(xxhash64({column}), {parts}) = {part}"
                for name, column in columns.items()
            },
        }
        for part in range(parts)
    ]


def _compare(spark: SparkSession, table: TableSpec, query: str, relations: Mapping[str, str]) -> pa.Table:
    """The computed and the current rows, joined by key, each with its change."""
    computed = cast_to_schema(delta.with_relations(query, relations), table)
    comparison = delta.with_relations(_comparison_query(table), {**relations, "computed_rows": computed})
    return delta.sql(spark, comparison).toArrow()


def cast_to_schema(query: str, table: TableSpec) -> str:
    """SQL of the query's rows with the declared columns, in their order and types."""
    columns = (f"CAST({column.name} AS {column.type}) AS {column.name}" for column in table.columns)
    return f"SELECT {', '.join(columns)} FROM (\n{query}\n)"


def _comparison_query(table: TableSpec) -> str:
    """SQL of `_compare`."""
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


def merge(spark: SparkSession, changes: Changes, output: delta.OpenTable) -> delta.CommitMetrics:
    """Write the changes in one commit; none if there are no changes.

    Raises:
        StepError: the engine wrote no commit.
    """
    if changes.counts == RowCounts():
        return delta.empty_commit(output)
    table = output.declaration
    rows, marks = changes.rows.select(table.column_names), changes.rows.column("_change")
    partitions: set[str | None] = set()
    if table.partition:
        partitions.update(rows.column(table.partition).to_pylist())
        partitions.update(changes.rows.column("_current_partition").to_pylist())
    return delta.merge(
        spark,
        rows.append_column(delta.DELETED, pc.equal(marks, "deleted")),
        output,
        changes.counts,
        partitions=sorted(partition for partition in partitions if partition is not None),
    )
