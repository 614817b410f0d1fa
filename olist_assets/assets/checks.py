"""Asset checks: their specs from a table's declaration, their results from the checks of its step."""

import dagster as dg

from spark_steps import rules
from spark_steps.declarations import WAITING_FOR_ORDER, Layer, Severity, TableSpec
from spark_steps.protocol import Check

_BLOCKING = {"rows_accounted_for"}
"""Checks whose failure also stops the downstream assets."""

_TRUSTED_CHECKS = {
    "rows_accounted_for": "Every raw row has won, was superseded or is quarantined.",
    "nothing_quarantined": "No row violates a rule.",
}


def check_specs(table: TableSpec) -> list[dg.AssetCheckSpec]:
    """The checks of a table: its warning rules, those over all rows of trusted, and rows that wait for their order."""
    descriptions = {rule.name: rule.reason.strip("'") for rule in rules.warnings(table)}
    if table.layer is Layer.TRUSTED:
        descriptions |= _TRUSTED_CHECKS
    if table.rows_from:
        descriptions[WAITING_FOR_ORDER] = table.waiting_rows
    return [
        dg.AssetCheckSpec(name, asset=table.id.split("/"), description=description, blocking=name in _BLOCKING)
        for name, description in descriptions.items()
    ]


def check_result(check: Check) -> dg.AssetCheckResult:
    """A step's check in Dagster's terms."""
    severity = dg.AssetCheckSeverity.ERROR if check.severity is Severity.ERROR else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        check_name=check.name,
        passed=check.passed,
        severity=severity,
        description=check.description,
        metadata={"failed_rows": check.failed_rows},
    )
