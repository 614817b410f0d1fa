"""SQL expressions that several steps share, in the dialect that Spark and Sail have in common."""

from collections.abc import Sequence

UNKNOWN_KEY = -1
"""The surrogate key of the unknown member of every dimension."""


def hash_60_bits(text: str) -> str:
    """The first 60 bits of the text's SHA-256 as a BIGINT: equal in every engine and on every rebuild."""
    return f"CAST(conv(substr(sha2({text}, 256), 1, 15), 16, 10) AS BIGINT)"


def surrogate_key(*natural_key: str) -> str:
    """The surrogate key of a natural key, its text columns joined by `|`; the unknown member's if one is null."""
    key = hash_60_bits(" || '|' || ".join(f"CAST({column} AS STRING)" for column in natural_key))
    return f"coalesce({key}, CAST({UNKNOWN_KEY} AS BIGINT))"


def seconds_between(start: str, end: str) -> str:
    """Seconds from one timestamp to another, with their fraction; null if one is null."""
    return f"((unix_micros({end}) - unix_micros({start})) / 1000000.0D)"


def half_up_average(total: str, count: str) -> str:
    """Total / count as decimal(12,2), half up: the total a decimal of scale 2, not negative, the count above zero.

    In whole numbers, because engines differ in the digits that a decimal division keeps.
    """
    cents = f"CAST({total} * 100 AS BIGINT)"
    return f"CAST(CAST((2 * {cents} + {count}) DIV (2 * {count}) AS DECIMAL(18,0)) / 100 AS DECIMAL(12,2))"


def is_newer(left: str, right: str, columns: Sequence[str]) -> str:
    """Whether the row `left` stands after the row `right` in the order of the columns, none of them null."""
    steps: list[str] = []
    for position, column in enumerate(columns):
        equal = [f"{left}.{c} = {right}.{c}" for c in columns[:position]]
        steps.append("(" + " AND ".join([*equal, f"{left}.{column} > {right}.{column}"]) + ")")
    return "(" + " OR ".join(steps) + ")"
