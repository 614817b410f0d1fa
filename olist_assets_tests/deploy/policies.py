"""An evaluator of IAM policies, for the part of IAM's language that the template uses.

An unknown element, condition operator or variable is an error, never a guess. The rules are in the IAM user guide:
"Policy evaluation logic" and "IAM JSON policy elements: Condition operators".
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Decision = Literal["allowed", "denied", "not allowed"]


@dataclass(frozen=True)
class Request:
    """A call to be authorized.

    Attributes:
        action: service and operation, as in s3:GetObject.
        resource: the ARN acted upon; "*" for operations without resources.
        context: the condition keys of the request and their values.
        principal: the service or ARN that calls; not used by policies of a role.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)
    principal: str = ""


def decide(documents: Iterable[Mapping[str, Any]], request: Request) -> Decision:
    """The decision of all policies together. A denial takes precedence over any permission."""
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
    """An element's values as a list; one value may be written without a list."""
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
            _holds(operator, key, as_list(expected), request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, expected in keys.items()
        )
    )


def _is_principal(expected: str | Mapping[str, Any], principal: str) -> bool:
    if expected == "*":
        return True
    if isinstance(expected, str) or expected.keys() - {"Service", "AWS"}:
        raise ValueError(f"not evaluated: principal {expected}")
    return any(principal == one for ones in expected.values() for one in as_list(ones))


def _holds(operator: str, key: str, expected: list[str], context: Mapping[str, str]) -> bool:
    name = operator.removesuffix("IfExists")
    if name not in _OPERATORS:
        raise ValueError(f"not evaluated: condition {operator}")
    negated = "Not" in name
    value = {known.lower(): value for known, value in context.items()}.get(key.lower())
    if value is None:  # the request lacks the key
        return negated or name != operator
    return negated is not any(_OPERATORS[name](value, one) for one in expected)


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
    "Bool": lambda value, expected: value.lower() == expected.lower(),
    "NumericLessThan": lambda value, expected: float(value) < float(expected),
    "StringEquals": str.__eq__,
    "StringLike": _like,
    "StringNotEquals": str.__eq__,
}
