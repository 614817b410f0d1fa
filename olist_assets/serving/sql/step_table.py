"""The table `control.steps`: its columns follow from `StepRecord`. Objects that are no step records are left out."""

import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import duckdb

from olist_assets.lake.step_records import RecordedWindow, StepRecord
from olist_assets.serving.sql.statements import sql_literal

_TYPES = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", date: "DATE", datetime: "TIMESTAMP"}
_WINDOW = {"from": "DATE", "to": "DATE"}


def _structure(type_: Any) -> Any:
    """The structure of a type as DuckDB's `from_json` takes it: times are in UTC, and other types are texts."""
    if get_origin(type_) is UnionType:
        return _structure(next(part for part in get_args(type_) if part is not type(None)))
    if get_origin(type_) is Annotated:
        return _structure(get_args(type_)[0])
    if get_origin(type_) is tuple:
        return [_structure(get_args(type_)[0])]
    if type_ is RecordedWindow:
        return _WINDOW
    if is_dataclass(type_):
        hints = get_type_hints(type_, include_extras=True)
        return {field.name: _structure(hints[field.name]) for field in fields(type_)}
    return _TYPES.get(type_, "VARCHAR")


_STRUCTURE = json.dumps(_structure(StepRecord))
_FILES = 8
"""How many files DuckDB reads at the same time, at most."""


def create_step_table(
    connection: duckdb.DuckDBPyConnection, name: str, lines: Iterable[bytes], folder: Path, until: datetime
) -> None:
    """Create a table of step records.

    The records pass through files, because passing values from Python to DuckDB would import pandas (0.3 s).

    Args:
        connection: the connection.
        name: the name of the table.
        lines: the records as JSON, one line each; those that are no step records are left out.
        folder: an empty folder that the connection may read.
        until: the records of steps that started later are left out.
    """
    lines = list(lines)
    for n in range(_FILES):
        (folder / f"{n}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines[n::_FILES]))
    paths = sql_literal(f"{folder}/*.jsonl")
    # Of several records of a table in one run and on one day the last counts, as in `StepRecords.read_all`.
    connection.execute(f"""
        CREATE TABLE {name} AS
        SELECT record.* FROM (
            SELECT from_json(json, {sql_literal(_STRUCTURE)}) AS record
            FROM read_json_objects({paths}, format = 'newline_delimited', ignore_errors = true)
        )
        WHERE record."table" IS NOT NULL AND record.run_id IS NOT NULL
          AND record.started_at::TIMESTAMPTZ <= {sql_literal(until.isoformat())}
        QUALIFY row_number() OVER (
            PARTITION BY record.started_at::DATE, record.run_id, record."table" ORDER BY record.started_at DESC
        ) = 1
    """)
