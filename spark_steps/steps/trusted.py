"""Trusted: typed rows, one a key, the newest state, whatever the order in which deliveries arrive."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date

from pyspark.sql import DataFrame, SparkSession

from spark_steps import delta, rules
from spark_steps.declarations import Column, Severity, TableSpec
from spark_steps.expressions import hash_60_bits, is_newer
from spark_steps.protocol import Check, DayCounts, StepRequest, StepResult, TableHandle

WINNER_ORDER = ("_extracted_at", "_landing_date", "_file_id", "_row")
"""The winner of a key is the row that is greatest in these columns."""

_FILES_AND_BYTES = ("files_added", "files_removed", "bytes_added", "bytes_removed")
_LINEAGE = ("_landing_date", "_file_id", "_file_name", "_row", "_extracted_at", "_run_id", "_reject", "_extra", "_text")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What becomes of the window's rows: how many go each way, how many break each warning, which partitions change.

    `rows` are by landing date and way.
    """

    rows: dict[date, dict[str, int]]
    warnings: dict[str, int]
    partitions: list[str]

    def of(self, name: str) -> int:
        return sum(rows.get(name, 0) for rows in self.rows.values())

    @property
    def all_new(self) -> bool:
        """Every row that is accepted is inserted."""
        return all(rows.keys() <= {"inserted", "quarantined"} for rows in self.rows.values())


def load(spark: SparkSession, request: StepRequest) -> StepResult:
    """Bring the window's raw rows into the trusted table, and those that break a rule into quarantine.

    Rows whose key the table holds in a newer state change nothing. A second run changes no table's content.
    """
    [raw] = request.inputs
    if request.quarantine is None:
        raise ValueError(f"{request.table}: a trusted step needs a quarantine table")
    raw, quarantine = replace(raw, window=request.window), replace(request.quarantine, window=request.window)
    table = request.output.declaration
    rows_read, rows_quarantined_before = delta.rows_by_day(raw), delta.row_count(quarantine)
    outcome = _Outcome({}, dict.fromkeys(_names(table), 0), [])
    if rows_read or rows_quarantined_before:
        _validate_window(spark, table, raw, request.output)
        outcome = _outcome(spark, table)

    if outcome.of("quarantined") or rows_quarantined_before:
        quarantined = delta.replace(_quarantined(spark, table), quarantine)
    else:
        quarantined = delta.empty_commit(quarantine)
    written = _write(spark, request.output, outcome)

    counts = asdict(written)
    result = StepResult(
        table=request.table,
        rows_read=sum(rows_read.values()),
        rows_unchanged=outcome.of("unchanged"),
        rows_superseded=outcome.of("superseded"),
        rows_quarantined=quarantined.rows_inserted,
        days=tuple(
            DayCounts(day=day, rows_read=rows, **{f"rows_{way}": n for way, n in outcome.rows.get(day, {}).items()})
            for day, rows in rows_read.items()
        ),
        **counts | {name: counts[name] + getattr(quarantined, name) for name in _FILES_AND_BYTES},
    )
    return replace(result, checks=_checks(result, table, outcome))


def _validate_window(spark: SparkSession, table: TableSpec, raw: TableHandle, held: TableHandle) -> None:
    """Two views of the window's rows: `judged`, typed, with the first rule that each breaks, and `outcomes` of them."""
    delta.read(spark, raw).createOrReplaceTempView("window_rows")
    delta.read(spark, replace(held, window=None)).createOrReplaceTempView("held")
    spark.sql(_judged(table)).createOrReplaceTempView("judged")
    contested = spark.sql(f"SELECT 1 FROM judged GROUP BY {_list(table.key)} HAVING count(*) > 1 LIMIT 1").collect()
    spark.sql(_outcomes(table, contested=bool(contested))).createOrReplaceTempView("outcomes")


def _judged(table: TableSpec) -> str:
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
          {hash_60_bits(_text_of(tuple(c for c in columns if c.name not in table.key)))} AS _hash
        FROM typed
    """


def _outcomes(table: TableSpec, *, contested: bool) -> str:
    """What becomes of each judged row. Rows are ranked only if a key is contested, because sorting them is costly."""
    window = f"""
        row_number() OVER (
          PARTITION BY {_list(table.key)}, _rule IS NULL ORDER BY {_list(f"{c} DESC" for c in WINNER_ORDER)}
        )
    """
    same_key = " AND ".join(f"r.{name} = h.{name}" for name in table.key)
    same_row = " AND ".join(f"r.{name} = h.{name}" for name in WINNER_ORDER)
    held = (*table.key, *WINNER_ORDER, "_hash", *([table.partition] if table.partition else []))
    return f"""
        WITH ranked AS (SELECT *, {window if contested else "1"} AS _rank FROM judged)
        SELECT r.*,
          CASE
            WHEN r._rule IS NOT NULL THEN 'quarantined'
            WHEN r._rank > 1 THEN 'superseded'
            WHEN h._row IS NULL THEN 'inserted'
            WHEN {is_newer("r", "h", WINNER_ORDER)} THEN 'updated'
            WHEN {same_row} THEN CASE WHEN r._hash = h._hash THEN 'unchanged' ELSE 'updated' END
            ELSE 'superseded'
          END AS _outcome,
          {f"h.{table.partition}" if table.partition else "CAST(NULL AS STRING)"} AS _held_partition
        FROM ranked r LEFT JOIN (SELECT {_list(held)} FROM held) h ON {same_key}
    """


def _outcome(spark: SparkSession, table: TableSpec) -> _Outcome:
    """One pass over the window's rows for all that must be known before anything is written."""
    flags = "".join(
        f", count_if({rule.violated_when} AND _rule IS NULL) AS {rule.name}" for rule in rules.warnings(table)
    )
    partition = table.partition or "CAST(NULL AS STRING)"
    found = spark.sql(f"""
        SELECT _landing_date, _outcome, count(*) AS n,
          collect_set({partition}) AS new, collect_set(_held_partition) AS old{flags}
        FROM outcomes GROUP BY _landing_date, _outcome
    """).collect()
    rows: dict[date, dict[str, int]] = defaultdict(dict)
    for row in found:
        rows[row["_landing_date"]][row["_outcome"]] = row["n"]
    changed = [row for row in found if row["_outcome"] in ("inserted", "updated")]
    return _Outcome(
        rows=rows,
        warnings={name: sum(row[name] for row in found) for name in _names(table)},
        partitions=sorted({value for row in changed for value in (*row["new"], *row["old"])}),
    )


def _quarantined(spark: SparkSession, table: TableSpec) -> DataFrame:
    """The window's rows that break a rule, as quarantine has them."""
    texts = [f"`{rules.raw_column_name(c)}` AS `{c.source_name}`" for c in table.value_columns]
    return spark.sql(f"""
        SELECT to_json(struct({_list([*texts, "_extra", "_text"])})) AS record, _rule AS rule, _reason AS reason,
          _landing_date, _file_id, _file_name, _row, _extracted_at, _run_id
        FROM outcomes WHERE _outcome = 'quarantined'
    """)


def _write(spark: SparkSession, output: TableHandle, outcome: _Outcome) -> delta.CommitMetrics:
    """Insert and update in one commit; nothing is rewritten where nothing is updated."""
    counts = delta.Counts(inserted=outcome.of("inserted"), updated=outcome.of("updated"))
    if counts == delta.Counts():
        return delta.empty_commit(output)
    # where all accepted rows are new, nothing needs to be compared once more
    changed = "judged WHERE _rule IS NULL" if outcome.all_new else "outcomes WHERE _outcome IN ('inserted', 'updated')"
    rows = spark.sql(f"SELECT {_list(output.declaration.column_names)} FROM {changed}")
    return delta.merge(spark, rows, output, counts, partitions=outcome.partitions)


def _checks(result: StepResult, table: TableSpec, outcome: _Outcome) -> tuple[Check, ...]:
    accounted = (
        result.rows_inserted
        + result.rows_updated
        + result.rows_unchanged
        + result.rows_superseded
        + result.rows_quarantined
    )
    return (
        Check(
            "rows_accounted_for",
            Severity.ERROR,
            abs(result.rows_read - accounted),
            "every raw row has won, was superseded or is quarantined",
        ),
        Check("nothing_quarantined", Severity.WARN, result.rows_quarantined, "no row breaks a rule"),
        *(
            Check(rule.name, Severity.WARN, outcome.warnings[rule.name], rule.reason.strip("'"))
            for rule in rules.warnings(table)
        ),
    )


def _names(table: TableSpec) -> list[str]:
    return [rule.name for rule in rules.warnings(table)]


def _text_of(columns: tuple[Column, ...]) -> str:
    """SQL of one text for the columns' values that differs where a value does, null from empty too."""
    values = [f"unix_micros({c.name})" if c.type == "timestamp" else c.name for c in columns]
    texts = [f"CAST({value} AS STRING)" for value in values]
    marked = [f"coalesce(length({text}) || '=' || {text}, '')" for text in texts]
    return f"concat_ws('|', '', {_list(marked)})" if marked else "''"


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)
