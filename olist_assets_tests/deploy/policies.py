"""What IAM policies say of a request: as much of IAM's language as the template uses, and no more.

A statement with an element, condition operator or variable that is not known here is an error, never a guess. The rules
are those of the IAM user guide: "Policy evaluation logic" and "IAM JSON policy elements: Condition operators".
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Decision = Literal["allowed", "denied", "not allowed"]


@dataclass(frozen=True)
class Request:
    """A call: by whom, of what, on what, under which circumstances.

    Attributes:
        action: service and operation, as in s3:GetObject.
        resource: the ARN acted upon; "*" for operations that know none.
        context: the condition keys that the request bears.
        principal: the service or ARN that calls; policies of a role don't ask.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)
    principal: str = ""


def decide(documents: Iterable[Mapping[str, Any]], request: Request) -> Decision:
    """What the policies say together: a denial counts before any permission."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in as_list(document["Statement"])
        if _applies(statement, request)
    }
    if "Deny" in effects:
        return "denied"
    return "allowed" if "Allow" in effects else "not allowed"


def as_list(value: Any) -> list[Any]:
    """The values of an element that may be one value or a list."""
    return value if isinstance(value, list) else [value]


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    if unknown or statement["Effect"] not in ("Allow", "Deny"):
        raise ValueError(f"not evaluated: {statement}")
    return (
        _is_principal(statement.get("Principal", "*"), request.principal)
        and any(_like(request.action.lower(), action.lower()) for action in as_list(statement["Action"]))
        and any(_like(request.resource, resource) for resource in as_list(statement.get("Resource", "*")))
        and all(
            _holds(operator, key, as_list(wanted), request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _is_principal(wanted: str | Mapping[str, Any], principal: str) -> bool:
    if wanted == "*":
        return True
    if isinstance(wanted, str) or wanted.keys() - {"Service", "AWS"}:
        raise ValueError(f"not evaluated: principal {wanted}")
    return any(principal == one for ones in wanted.values() for one in as_list(ones))


def _holds(operator: str, key: str, wanted: list[str], context: Mapping[str, str]) -> bool:
    name = operator.removesuffix("IfExists")
    if name not in _OPERATORS:
        raise ValueError(f"not evaluated: condition {operator}")
    negated = "Not" in name
    value = {known.lower(): value for known, value in context.items()}.get(key.lower())
    if value is None:  # a condition on a key that the request lacks
        return negated or name != operator
    return negated is not any(_OPERATORS[name](value, one) for one in wanted)


def _like(value: str, pattern: str) -> bool:
    if "${" in pattern:
        raise ValueError(f"not evaluated: variables in {pattern}")
    parts = {"*": ".*", "?": "."}
    return re.fullmatch("".join(parts.get(c, re.escape(c)) for c in pattern), value, re.DOTALL) is not None


def _arn_like(value: str, pattern: str) -> bool:
    values, patterns = value.split(":", 5), pattern.split(":", 5)
    return len(values) == len(patterns) and all(map(_like, values, patterns))


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "ArnLike": _arn_like,
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
    "NumericLessThan": lambda value, wanted: float(value) < float(wanted),
    "StringEquals": str.__eq__,
    "StringLike": _like,
    "StringNotEquals": str.__eq__,
}
