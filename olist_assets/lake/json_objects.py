"""Records as JSON objects of the lake: every field of a dataclass, checked when it is read."""

import json
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

import msgspec

T = TypeVar("T")

ZonedTime = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with a zone. One without a zone is not accepted, because the two cannot be compared."""


def encode(record: Any) -> bytes:
    """A record as JSON, one field per line.

    Times have the format of `datetime.isoformat`, such as 2018-05-10T12:00:00+00:00, as in the objects of all earlier
    releases. msgspec's own encoder would write `Z`.
    """
    fields = msgspec.to_builtins(record, builtin_types=(date, datetime))
    return json.dumps(fields, default=lambda time: time.isoformat(), indent=1).encode()


def decode(text: bytes, type_: type[T]) -> T:
    """A record from its JSON. Unknown fields are ignored; missing ones get their defaults.

    Raises:
        msgspec.ValidationError: a field has a value of another type, or is missing and has no default.
    """
    return msgspec.json.decode(text, type=type_)


def decode_or_none(text: bytes, type_: type[T]) -> T | None:
    """A record from its JSON; None if the text is damaged, or has values of other types."""
    try:
        return decode(text, type_)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # deeply nested JSON is a RecursionError
        return None


def to_line(text: bytes) -> bytes | None:
    """A JSON text in one line; None if it is damaged."""
    try:
        line = msgspec.json.format(text, indent=-1)
        line.decode()  # which `format` does not check
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return line


def to_day(text: str) -> date | None:
    """The day in the name of an object, such as 2018-05-10; None if there is no such day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
