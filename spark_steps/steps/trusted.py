"""Trusted: typed rows, one per key, in their newest state, independent of the order of deliveries."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from spark_steps import delta, former_values, rules
from spark_steps.declarations import Column, Rule, Severity, TableSpec
from spark_steps.expressions import hash_60_bits, is_newer
from spark_steps.protocol import Check, DayCounts, Progress, RowCounts, StepRequest, StepResult
from spark_steps.steps.tables import StepTables

WINNER_ORDER = ("_extracted_at", "_landing_date", "_received_at", "_file_id", "_row")
"""The newest row of a key is the greatest in the order of these columns."""

_RECEIVED_AT = "coalesce(_received_at, _extracted_at) AS _received_at"
"""SQL of the time at which a row was received. Rows that an earlier release wrote have no such time."""

_LINEAGE = (
    *("_landing_date", "_file_id", "_file_name", "_row", "_extracted_at", _RECEIVED_AT, "_run_id"),
    *("_reject", "_extra", "_text"),
)

_CHANGED = ("inserted", "updated")
_GROUP = ("_landing_date", "_outcome", "_partition", "_current_partition")
"""Columns by which outcomes are counted."""


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """The outcomes of the window's rows.

    Attributes:
        changed: the rows to insert or update, with the columns of the trusted table.
        former: the former values of the rows to update in which a tracked column changes.
        quarantined: the rows that violate a rule, with the columns of the quarantine.
        rows: numbers of rows by landing date and outcome.
        warnings: numbers of accepted rows that violate each warning, by its name.
        partitions: partitions of the trusted table that change.
    """

    changed: DataFrame | pa.Table
    former: pa.Table
    quarantined: DataFrame | pa.Table
    rows: dict[date, dict[str, int]]
    warnings: dict[str, int]
    partitions: list[str]

    def count(self, outcome: str) -> int:
        """The number of rows with this outcome, over all days."""
        return sum(rows.get(outcome, 0) for rows in self.rows.values())


def load(spark: SparkSession, request: StepRequest, tables: StepTables, on_progress: Progress) -> StepResult:
    """Bring the window's raw rows into the trusted table, and those that violate a rule into the quarantine.

    A row changes nothing if the table has a newer row of its key. A second run changes the content of no table. The
    quarantine is committed first; if the step fails after that, a rerun repairs both tables.

    Raises:
        StepError: the rows do not have the declared columns, or the engine wrote no commit.
        ValueError: the request has no quarantine.
    """
    [raw_table] = tables.inputs.values()
    if tables.quarantine is None:
        raise ValueError(f"{request.table}: a trusted step needs a quarantine table")
    output, raw, quarantine = tables.output, raw_table.within(request.window), tables.quarantine.within(request.window)
    rows_read, rows_quarantined_before = delta.rows_by_day(raw), delta.row_count(quarantine)
    nothing = pa.table({})
    outcomes = _Outcomes(nothing, nothing, nothing, {}, dict.fromkeys(_warning_names(output.declaration), 0), [])
    if rows_read or rows_quarantined_before:
        outcomes = _find_outcomes(spark, raw, output, quarantine, sum(rows_read.values()), on_progress)

    quarantine_commit = delta.empty_commit(quarantine)
    if outcomes.count("quarantined") or rows_quarantined_before:
        quarantine_commit = delta.replace(outcomes.quarantined, quarantine)
    if outcomes.former.num_rows:
        former_values.keep(outcomes.former, output)
    counts = RowCounts(inserted=outcomes.count("inserted"), updated=outcomes.count("updated"))
    commit = delta.merge(spark, outcomes.changed, output, counts, partitions=outcomes.partitions)
    rows = replace(
        commit.rows,
        read=sum(rows_read.values()),
        unchanged=outcomes.count("unchanged"),
        superseded=outcomes.count("superseded"),
        quarantined=quarantine_commit.rows.inserted,
    )
    return StepResult(
        table=request.table,
        version_before=commit.version_before,
        version_after=commit.version_after,
        rows=rows,
        files=commit.files + quarantine_commit.files,
        checks=_check(rows, output.declaration, outcomes),
        days=tuple(DayCounts(day=d, rows=RowCounts(read=n, **outcomes.rows.get(d, {}))) for d, n in rows_read.items()),
    )


def _find_outcomes(
    spark: SparkSession,
    raw: delta.OpenTable,
    output: delta.OpenTable,
    quarantine: delta.OpenTable,
    row_count: int,
    on_progress: Progress,
) -> _Outcomes:
    """Find the outcomes of the window's rows, before any write. Few rows are collected, in one evaluation.

    The engine evaluates many rows several times: to find repeated keys, to count the outcomes, and for each write.
    Rows are ranked only if a key is repeated, because the sort is costly.
    """
    table = output.declaration
    validated = delta.with_relations(_validation_query(table), {"window_rows": delta.relation(raw)})
    relations = {"validated": validated, "current_rows": delta.relation(output)}
    query, ranked = (
        delta.with_relations(_outcome_query(table, has_repeated_keys=repeated), relations) for repeated in (False, True)
    )
    columns, quarantine_columns = table.column_names, quarantine.declaration.column_names
    if row_count <= delta.MAX_COLLECTED_ROWS:
        rows = delta.sql(spark, query).toArrow()
        if _has_repeated_keys(rows, table):
            rows = delta.sql(spark, ranked).toArrow()
        groups = _count_collected(rows, _warning_names(table))
        outcome = rows.column("_outcome")
        changed = rows.filter(pc.is_in(outcome, pa.array(_CHANGED))).select(columns)
        quarantined = rows.filter(pc.equal(outcome, "quarantined")).select(quarantine_columns)
        former = _former_values(rows.filter(pc.and_(pc.equal(outcome, "updated"), rows.column("_is_moved"))), table)
    else:
        on_progress(f"{row_count:,} rows: looking for repeated keys")
        repeated_key = f"SELECT 1 FROM ({validated}) GROUP BY {_list(table.key)} HAVING count(*) > 1 LIMIT 1"
        query = ranked if delta.sql(spark, repeated_key).collect() else query
        on_progress(f"{row_count:,} rows: comparing them with the table")
        groups = _count(spark, query, _warning_names(table))
        on_progress(f"{row_count:,} rows: writing the changed ones")
        outcomes = delta.sql(spark, query)
        changed = outcomes.where(f"_outcome IN {_CHANGED}").select(*columns)
        if {group["_outcome"] for group in groups} <= {"inserted", "quarantined"}:
            # All accepted rows are new, so the join with the current rows need not be evaluated again.
            changed = delta.sql(spark, validated).where("_rule IS NULL").select(*columns)
        quarantined = outcomes.where("_outcome = 'quarantined'").select(*quarantine_columns)
        former = pa.table({})
        if table.tracked and any(group["_outcome"] == "updated" for group in groups):
            former = _former_values(outcomes.where("_outcome = 'updated' AND _is_moved").toArrow(), table)
    counts: dict[date, Counter[str]] = defaultdict(Counter)
    for group in groups:
        counts[group["_landing_date"]][group["_outcome"]] += group["n"]
    partitions = {g[name] for g in groups if g["_outcome"] in _CHANGED for name in ("_partition", "_current_partition")}
    return _Outcomes(
        changed,
        former,
        quarantined,
        rows={day: dict(outcomes) for day, outcomes in counts.items()},
        warnings={name: sum(group[name] for group in groups) for name in _warning_names(table)},
        partitions=sorted(partition for partition in partitions if partition is not None),
    )


def _has_repeated_keys(rows: pa.Table, table: TableSpec) -> bool:
    return rows.group_by(list(table.key)).aggregate([]).num_rows < rows.num_rows


def _former_values(moved: pa.Table, table: TableSpec) -> pa.Table:
    """The key and the former values of updated rows that change a tracked column."""
    names = [*table.key, *(f"_former_{name}" for name in table.tracked)]
    return moved.select(names).rename_columns(list(former_values.columns(table)))


def _count(spark: SparkSession, outcomes: str, warnings: list[str]) -> list[dict[str, Any]]:
    """The number of rows, as `n`, and the violations of each warning, by the columns of `_GROUP`."""
    sums = "".join(f", sum({name}) AS {name}" for name in warnings)
    query = f"SELECT {_list(_GROUP)}, count(*) AS n{sums} FROM ({outcomes}) GROUP BY {_list(_GROUP)}"
    return delta.sql(spark, query).toArrow().to_pylist()


def _count_collected(rows: pa.Table, warnings: list[str]) -> list[dict[str, Any]]:
    """What `_count` returns, of collected rows."""
    groups = rows.group_by(list(_GROUP)).aggregate([([], "count_all"), *((name, "sum") for name in warnings)])
    return groups.rename_columns([*_GROUP, "n", *warnings]).to_pylist()


def _validation_query(table: TableSpec) -> str:
    """SQL of typed rows, each with the first rule that it violates, the reason, and the hash of its values."""
    columns = table.value_columns
    rule, reason = rules.first_violation(rules.error_rules(table))
    return f"""
        WITH texts AS (
          SELECT {_list(f"`{c.source_name}` AS `{rules.raw_column_name(c)}`" for c in columns)}, {_list(_LINEAGE)}
          FROM window_rows
        ),
        typed AS (SELECT *, {_list(f"{rules.cast_expression(c)} AS {c.name}" for c in columns)} FROM texts)
        SELECT *,
          {"".join(f"{c.derived} AS {c.name}, " for c in table.columns if c.derived)}
          {rule} AS _rule,
          {reason} AS _reason,
          {hash_60_bits(_hash_input(tuple(c for c in columns if c.name not in table.key)))} AS _hash
        FROM typed
    """


def _outcome_query(table: TableSpec, *, has_repeated_keys: bool) -> str:
    """SQL of the validated rows with their outcome, their partition before and after, and 1 for each violated warning.

    They have the columns of the trusted table and of the quarantine. `_former_…` are the current values of tracked
    columns, and `_is_moved` is true if one of them differs. Rows are only ranked if a key may be repeated: the sort is
    costly.
    """
    rank = f"""
        row_number() OVER (
          PARTITION BY {_list(table.key)}, _rule IS NULL ORDER BY {_list(f"{c} DESC" for c in WINNER_ORDER)}
        )
    """
    same_key = " AND ".join(f"r.{name} = c.{name}" for name in table.key)
    same_row = " AND ".join(f"r.{name} = c.{name}" for name in WINNER_ORDER)
    order = (_RECEIVED_AT if column == "_received_at" else column for column in WINNER_ORDER)
    columns = (*table.key, *order, "_hash", *table.tracked, *([table.partition] if table.partition else []))
    texts = [f"`{rules.raw_column_name(c)}` AS `{c.source_name}`" for c in table.value_columns]
    return f"""
        WITH ranked AS (
          SELECT *,
            {rank if has_repeated_keys else "1"} AS _rank,
            CASE WHEN _rule IS NOT NULL THEN to_json(struct({_list([*texts, "_extra", "_text"])})) END AS record
            {"".join(f", {_flag(rule)}" for rule in rules.warnings(table))}
          FROM validated
        )
        SELECT {_list(f"r.{name}" for name in table.column_names)},
          r.record, r._rule AS rule, r._reason AS reason, r._file_name, r._run_id,
          {"".join(f"r.{name}, " for name in _warning_names(table))}
          CASE
            WHEN r._rule IS NOT NULL THEN 'quarantined'
            WHEN r._rank > 1 THEN 'superseded'
            WHEN c._row IS NULL THEN 'inserted'
            WHEN {is_newer("r", "c", WINNER_ORDER)} THEN 'updated'
            WHEN {same_row} THEN CASE WHEN r._hash = c._hash THEN 'unchanged' ELSE 'updated' END
            ELSE 'superseded'
          END AS _outcome,
          {"".join(f"c.{name} AS _former_{name}, " for name in table.tracked)}
          {" OR ".join(f"NOT (r.{name} <=> c.{name})" for name in table.tracked) or "false"} AS _is_moved,
          {f"r.{table.partition}" if table.partition else "CAST(NULL AS STRING)"} AS _partition,
          {f"c.{table.partition}" if table.partition else "CAST(NULL AS STRING)"} AS _current_partition
        FROM ranked r LEFT JOIN (SELECT {_list(columns)} FROM current_rows) c ON {same_key}
    """


def _flag(rule: Rule) -> str:
    return f"CASE WHEN {rule.violated_when} AND _rule IS NULL THEN 1 ELSE 0 END AS {rule.name}"


def _check(rows: RowCounts, table: TableSpec, outcomes: _Outcomes) -> tuple[Check, ...]:
    accounted = rows.inserted + rows.updated + rows.unchanged + rows.superseded + rows.quarantined
    return (
        Check(
            "rows_accounted_for",
            Severity.ERROR,
            abs(rows.read - accounted),
            "every raw row has won, was superseded or is quarantined",
        ),
        Check("nothing_quarantined", Severity.WARN, rows.quarantined, "no row violates a rule"),
        *(
            Check(rule.name, Severity.WARN, outcomes.warnings[rule.name], rule.reason.strip("'"))
            for rule in rules.warnings(table)
        ),
    )


def _warning_names(table: TableSpec) -> list[str]:
    return [rule.name for rule in rules.warnings(table)]


def _hash_input(columns: tuple[Column, ...]) -> str:
    """SQL of one text for the columns' values; it differs if any value differs, and for null and the empty text."""
    values = [f"unix_micros({c.name})" if c.type == "timestamp" else c.name for c in columns]
    texts = [f"CAST({value} AS STRING)" for value in values]
    marked = [f"coalesce(length({text}) || '=' || {text}, '')" for text in texts]
    return f"concat_ws('|', '', {_list(marked)})" if marked else "''"


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)
