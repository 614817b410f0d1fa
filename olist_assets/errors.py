"""Errors that a user can act on, one class per kind of situation, and parts that their messages share.

The command line prints each error as one line.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

_MIN_SIMILARITY = 0.6
_MAX_DISTANCE_FROM_BEST = 0.1


class OlistError(Exception):
    """A problem, in one line: the fault, its place, and the remedy."""


class SettingsError(OlistError):
    """A setting or an option has a value that is not accepted."""


class DeliveryError(OlistError):
    """A dump or a delivery cannot be used."""


class FileNotReadyError(DeliveryError):
    """A delivered file cannot be loaded now; the message is the reason alone."""


class LakeNotFoundError(OlistError):
    """There is no lake, or no storage, where the settings say."""


class LeaseError(OlistError):
    """A table's lease cannot be taken, or was lost."""


class RebuildError(OlistError):
    """A table cannot be recomputed from what the lake and the source contain."""


class EngineError(OlistError):
    """An engine cannot run steps: something is missing, or a job failed outside the step."""


class OutageError(EngineError):
    """A machine or a service failed, or had no capacity. The step may be retried."""


class QueryError(OlistError):
    """A SQL statement or its parameters cannot be accepted or answered."""


class CatalogError(OlistError):
    """A data catalog, such as Glue, refused a request."""


def close_matches(name: str, known: Iterable[str]) -> list[str]:
    """Up to three known names: the one that is most similar to a name, then others that are nearly as similar."""
    from difflib import SequenceMatcher, get_close_matches  # noqa: PLC0415 - for errors only

    known = list(known)
    if not (best := get_close_matches(name, known, n=1, cutoff=_MIN_SIMILARITY)):
        return []
    similarity = SequenceMatcher(None, best[0], name).ratio() - _MAX_DISTANCE_FROM_BEST
    return get_close_matches(name, known, n=3, cutoff=max(_MIN_SIMILARITY, similarity))


def did_you_mean(matches: list[str], fallback: str = "") -> str:
    """The end of a message about an unknown name: its close matches, or a fallback if there are none."""
    return f"; did you mean {' or '.join(matches)}?" if matches else fallback


def rebuild_remedy(table_id: str) -> str:
    """The end of a message about a table that cannot be read. The quarantine is rebuilt with its trusted table."""
    return f"`olist rebuild {table_id.replace('quarantine/', 'trusted/')}` recomputes it"


def quantity(number: int, noun: str) -> str:
    """A number of things: 1 row, 1,200 rows."""
    return f"{number:,} {noun}" + "s" * (number != 1)


def utc_text(time: datetime) -> str:
    """A time to the second: 2018-05-10 03:00:00 UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
