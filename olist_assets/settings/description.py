"""Settings as rows of a table, for the documents."""

from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo


class SettingRow(NamedTuple):
    """A setting in the documentation: its variable, its default as one would write it or `none`, and its meaning."""

    variable: str
    default: str
    meaning: str


def describe_settings(model: type[BaseModel], prefix: str = "") -> list[SettingRow]:
    """The settings of a model, in the order of its fields.

    Args:
        model: a model whose fields have descriptions.
        prefix: what comes before a field's name, in capitals, in the name of its variable; an alias is used as is.
    """
    return [
        SettingRow(str(field.validation_alias or f"{prefix}{name}".upper()), _default(field), field.description or "")
        for name, field in model.model_fields.items()
    ]


def _default(field: FieldInfo) -> str:
    default: Any = field.default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g}"
    if isinstance(default, list):
        default = ",".join(map(str, default))
    return str(default or "none")
