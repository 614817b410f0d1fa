"""The SQL of `control.steps`: its columns follow from `StepRecord`. Objects that are no step records are left out."""

import json
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from olist_assets.lake.step_records import FOLDER as STEPS_FOLDER
from olist_assets.lake.step_records import RecordedWindow, StepRecord

__all__ = ["STEPS_FOLDER", "STEPS_QUERY"]

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


_STRUCTURE = json.dumps(_structure(StepRecord)).replace("{", "{{").replace("}", "}}")

STEPS_QUERY = f"""
    SELECT record.* FROM (
        SELECT from_json(CASE WHEN json_valid(text) THEN text END, '{_STRUCTURE}') AS record
        FROM (SELECT try(decode(content)) AS text FROM read_blob({{paths}}))
    )
    WHERE record."table" IS NOT NULL AND record.run_id IS NOT NULL AND record.started_at IS NOT NULL
"""
"""SQL of the step records in the objects `{paths}`, a SQL literal. Objects that are not step records are left out."""
