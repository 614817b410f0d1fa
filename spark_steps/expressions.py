"""SQL expressions that several steps share, in the common dialect of Spark and Sail."""

from collections.abc import Sequence

UNKNOWN_KEY = -1
"""The surrogate key of the unknown member of every dimension."""

WHITE_SPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace()) + "\u200b\ufeff"
"""Blanks, tabs, line breaks, no-break spaces, and the characters without width that spreadsheet programs leave."""


def stripped(text: str) -> str:
    """The text without white space at its start and end."""
    return f"btrim({text}, '{WHITE_SPACE}')"


def hash_60_bits(text: str) -> str:
    """The first 60 bits of the text's SHA-256 as a BIGINT: equal on every engine and in every rebuild."""
    return f"CAST(conv(substr(sha2({text}, 256), 1, 15), 16, 10) AS BIGINT)"


def surrogate_key(*natural_key: str) -> str:
    """The surrogate key: a hash of the natural key's columns as text, joined by `|`; -1 if one of them is null."""
    key = hash_60_bits(" || '|' || ".join(f"CAST({column} AS STRING)" for column in natural_key))
    return f"coalesce({key}, CAST({UNKNOWN_KEY} AS BIGINT))"


def seconds_between(start: str, end: str) -> str:
    """Seconds from `start` to `end` as a double, to the microsecond; null if one of them is null."""
    return f"((unix_micros({end}) - unix_micros({start})) / 1000000.0D)"


def ratio(total: str, count: str) -> str:
    """Total / count as a double; null if the count is 0."""
    return f"CAST({total} AS DOUBLE) / nullif(CAST({count} AS DOUBLE), 0)"


def half_up_average(total: str, count: str) -> str:
    """Total / count as decimal(12,2), rounded half up.

    Computed in integers, because engines differ in the digits that a decimal division keeps:
    half up of t / n is (2t + n) DIV 2n, with t in cents.

    Args:
        total: a decimal of scale 2, not negative.
        count: an integer above zero.
    """
    cents = f"CAST({total} * 100 AS BIGINT)"
    return f"CAST(CAST((2 * {cents} + {count}) DIV (2 * {count}) AS DECIMAL(18,0)) / 100 AS DECIMAL(12,2))"


def is_newer(left: str, right: str, columns: Sequence[str]) -> str:
    """SQL that is true if row `left` is after row `right` in the order of these columns, none of which is null."""
    cases: list[str] = []
    for position, column in enumerate(columns):
        equal = [f"{left}.{c} = {right}.{c}" for c in columns[:position]]
        cases.append("(" + " AND ".join([*equal, f"{left}.{column} > {right}.{column}"]) + ")")
    return "(" + " OR ".join(cases) + ")"
