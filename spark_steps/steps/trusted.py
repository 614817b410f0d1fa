"""Trusted: typed rows, one per key, in their newest state, independent of the order of deliveries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from pyspark.sql import DataFrame, SparkSession

from spark_steps import delta, rules
from spark_steps.declarations import Column, Severity, TableSpec
from spark_steps.expressions import hash_60_bits, is_newer
from spark_steps.protocol import Check, DayCounts, RowCounts, StepRequest, StepResult, TableHandle

WINNER_ORDER = ("_extracted_at", "_landing_date", "_received_at", "_file_id", "_row")
"""The newest row of a key is the greatest in the order of these columns."""

_RECEIVED_AT = "coalesce(_received_at, _extracted_at) AS _received_at"
"""SQL of the time at which a row was received. Rows that an earlier release wrote have no such time."""

_LINEAGE = (
    *("_landing_date", "_file_id", "_file_name", "_row", "_extracted_at", _RECEIVED_AT, "_run_id"),
    *("_reject", "_extra", "_text"),
)


@dataclass(frozen=True, slots=True)
class _OutcomeSummary:
    """The outcomes of the window's rows.

    Attributes:
        rows: numbers of rows by landing date and outcome.
        warnings: numbers of accepted rows that violate each warning, by its name.
        partitions: partitions of the trusted table that change.
    """

    rows: dict[date, dict[str, int]]
    warnings: dict[str, int]
    partitions: list[str]

    def count(self, outcome: str) -> int:
        """The number of rows with this outcome, over all days."""
        return sum(rows.get(outcome, 0) for rows in self.rows.values())

    @property
    def only_inserts(self) -> bool:
        """Every accepted row is inserted."""
        return all(rows.keys() <= {"inserted", "quarantined"} for rows in self.rows.values())


def load(spark: SparkSession, request: StepRequest) -> StepResult:
    """Bring the window's raw rows into the trusted table, and those that violate a rule into the quarantine.

    A row changes nothing if the table has a newer row of its key. A second run changes the content of no table. The
    quarantine is committed first; if the step fails after that, a rerun repairs both tables.

    Raises:
        StepError: the rows do not have the declared columns, or the engine wrote no commit.
        ValueError: the request has no quarantine.
    """
    [raw] = request.inputs
    if request.quarantine is None:
        raise ValueError(f"{request.table}: a trusted step needs a quarantine table")
    table = request.output.declaration
    raw, quarantine = replace(raw, window=request.window), replace(request.quarantine, window=request.window)
    rows_read, rows_quarantined_before = delta.rows_by_day(raw), delta.row_count(quarantine)
    frames: dict[str, DataFrame] = {}
    summary = _OutcomeSummary({}, dict.fromkeys(_warning_names(table), 0), [])
    if rows_read or rows_quarantined_before:
        frames = _find_outcomes(spark, table, raw, request.output)
        summary = _summarize_outcomes(spark, table, frames)

    if summary.count("quarantined") or rows_quarantined_before:
        quarantine_commit = delta.replace(_quarantine_rows(spark, table, frames), quarantine)
    else:
        quarantine_commit = delta.empty_commit(quarantine)
    commit = _write(spark, request.output, summary, frames)
    rows = replace(
        commit.rows,
        read=sum(rows_read.values()),
        unchanged=summary.count("unchanged"),
        superseded=summary.count("superseded"),
        quarantined=quarantine_commit.rows.inserted,
    )
    return StepResult(
        table=request.table,
        version_before=commit.version_before,
        version_after=commit.version_after,
        rows=rows,
        files=commit.files + quarantine_commit.files,
        checks=_check(rows, table, summary),
        days=tuple(DayCounts(day=d, rows=RowCounts(read=n, **summary.rows.get(d, {}))) for d, n in rows_read.items()),
    )


def _find_outcomes(
    spark: SparkSession, table: TableSpec, raw: TableHandle, output: TableHandle
) -> dict[str, DataFrame]:
    """The window's rows twice: `validated`, with typed values and violations, and the `outcomes` of these."""
    window_rows, current_rows = delta.read(spark, raw), delta.read(spark, replace(output, window=None))
    validated = delta.sql(spark, _validation_query(table), {"window_rows": window_rows})
    frames = {"validated": validated, "current_rows": current_rows}
    repeated_key = f"SELECT 1 FROM validated GROUP BY {_list(table.key)} HAVING count(*) > 1 LIMIT 1"
    has_repeated_keys = bool(delta.sql(spark, repeated_key, frames).collect())
    outcomes = delta.sql(spark, _outcome_query(table, has_repeated_keys=has_repeated_keys), frames)
    return {"validated": validated, "outcomes": outcomes}


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
    """SQL of the outcome of each validated row. Rows are only ranked if a key is repeated: the sort is costly."""
    rank = f"""
        row_number() OVER (
          PARTITION BY {_list(table.key)}, _rule IS NULL ORDER BY {_list(f"{c} DESC" for c in WINNER_ORDER)}
        )
    """
    same_key = " AND ".join(f"r.{name} = c.{name}" for name in table.key)
    same_row = " AND ".join(f"r.{name} = c.{name}" for name in WINNER_ORDER)
    order = (_RECEIVED_AT if column == "_received_at" else column for column in WINNER_ORDER)
    columns = (*table.key, *order, "_hash", *([table.partition] if table.partition else []))
    return f"""
        WITH ranked AS (SELECT *, {rank if has_repeated_keys else "1"} AS _rank FROM validated)
        SELECT r.*,
          CASE
            WHEN r._rule IS NOT NULL THEN 'quarantined'
            WHEN r._rank > 1 THEN 'superseded'
            WHEN c._row IS NULL THEN 'inserted'
            WHEN {is_newer("r", "c", WINNER_ORDER)} THEN 'updated'
            WHEN {same_row} THEN CASE WHEN r._hash = c._hash THEN 'unchanged' ELSE 'updated' END
            ELSE 'superseded'
          END AS _outcome,
          {f"c.{table.partition}" if table.partition else "CAST(NULL AS STRING)"} AS _current_partition
        FROM ranked r LEFT JOIN (SELECT {_list(columns)} FROM current_rows) c ON {same_key}
    """


def _summarize_outcomes(spark: SparkSession, table: TableSpec, frames: Mapping[str, DataFrame]) -> _OutcomeSummary:
    """Count outcomes, warnings and affected partitions in one pass over the window's rows, before any write."""
    flags = "".join(
        f", count_if({rule.violated_when} AND _rule IS NULL) AS {rule.name}" for rule in rules.warnings(table)
    )
    partition = table.partition or "CAST(NULL AS STRING)"
    query = f"""
        SELECT _landing_date, _outcome, count(*) AS n,
          collect_set({partition}) AS new, collect_set(_current_partition) AS old{flags}
        FROM outcomes GROUP BY _landing_date, _outcome
    """
    groups = delta.sql(spark, query, frames).collect()
    rows: dict[date, dict[str, int]] = defaultdict(dict)
    for row in groups:
        rows[row["_landing_date"]][row["_outcome"]] = row["n"]
    changed = [row for row in groups if row["_outcome"] in ("inserted", "updated")]
    return _OutcomeSummary(
        rows=rows,
        warnings={name: sum(row[name] for row in groups) for name in _warning_names(table)},
        partitions=sorted({value for row in changed for value in (*row["new"], *row["old"])}),
    )


def _quarantine_rows(spark: SparkSession, table: TableSpec, frames: Mapping[str, DataFrame]) -> DataFrame:
    """The window's rows that violate a rule, with the columns of the quarantine table."""
    texts = [f"`{rules.raw_column_name(c)}` AS `{c.source_name}`" for c in table.value_columns]
    query = f"""
        SELECT to_json(struct({_list([*texts, "_extra", "_text"])})) AS record, _rule AS rule, _reason AS reason,
          _landing_date, _file_id, _file_name, _row, _extracted_at, _run_id, _received_at
        FROM outcomes WHERE _outcome = 'quarantined'
    """
    return delta.sql(spark, query, frames)


def _write(
    spark: SparkSession, output: TableHandle, summary: _OutcomeSummary, frames: Mapping[str, DataFrame]
) -> delta.CommitMetrics:
    """Insert and update in one commit; no file is rewritten if no row is updated."""
    counts = RowCounts(inserted=summary.count("inserted"), updated=summary.count("updated"))
    if counts == RowCounts():
        return delta.empty_commit(output)
    # if all accepted rows are new, the join with the current rows need not be evaluated again
    accepted, changed = "validated WHERE _rule IS NULL", "outcomes WHERE _outcome IN ('inserted', 'updated')"
    source = accepted if summary.only_inserts else changed
    rows = delta.sql(spark, f"SELECT {_list(output.declaration.column_names)} FROM {source}", frames)
    return delta.merge(spark, rows, output, counts, partitions=summary.partitions)


def _check(rows: RowCounts, table: TableSpec, summary: _OutcomeSummary) -> tuple[Check, ...]:
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
            Check(rule.name, Severity.WARN, summary.warnings[rule.name], rule.reason.strip("'"))
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
