"""Notices about entries of the source, in the same words in every place that reports them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from olist_assets.errors import quantity
from spark_steps.tables import TABLES

DUE_LATER = "due later"
"""The status of an entry that is loaded as soon as its reason no longer applies."""
IGNORED = "ignored"
"""The status of an entry that is not loaded until a user changes it."""
WARNING = "warning"
"""The status of a file that is loaded although something about it is suspicious."""

NOTICES = "notices"
"""The metadata key of the lines about entries of the source."""
LAST_LINES_COMPLETE = "last_lines_complete"
"""The check of a landing zone that counts the files with a warning."""

_MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class Notice:
    """A remark about an entry of the source.

    Attributes:
        status: `DUE_LATER`, `IGNORED` or `WARNING`.
        path: its path in the source, printable.
        reason: why, in a few words.
        day: the landing date of its folder; None if it is in no such folder.
    """

    status: str
    path: str
    reason: str
    day: date | None = None


def describe_notices(notices: Iterable[Notice]) -> list[str]:
    """One line per status and reason; it names up to three entries, and counts the others."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for notice in notices:
        groups[notice.status, notice.reason].append(notice.path)
    return [f"{status}: {_enumerate(paths)}: {reason}" for (status, reason), paths in sorted(groups.items())]


def _enumerate(paths: list[str]) -> str:
    more = len(paths) - _MAX_NAMED
    return ", ".join(paths[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def describe_waiting_rows(fact: str, rows: int) -> str:
    """A line about rows of trusted that wait for their order.

    Args:
        fact: the id of the fact that they will be in.
        rows: their number.
    """
    table = (TABLES[fact].rows_from or "").partition("/")[2]
    whose = "its" if rows == 1 else "their"
    return f"waiting: {quantity(rows, 'row')} of {table}: {whose} order has not arrived"
