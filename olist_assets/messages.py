"""Parts of messages that several packages write alike."""

from collections.abc import Iterable
from datetime import UTC, datetime
from difflib import SequenceMatcher, get_close_matches

_MIN_SIMILARITY = 0.6
_MAX_DISTANCE_FROM_BEST = 0.1


def close_matches(name: str, known: Iterable[str]) -> list[str]:
    """Up to three known names similar to a name, the most similar first: the best, and those hardly less similar."""
    known = list(known)
    if not (best := get_close_matches(name, known, n=1, cutoff=_MIN_SIMILARITY)):
        return []
    similarity = SequenceMatcher(None, best[0], name).ratio() - _MAX_DISTANCE_FROM_BEST
    return get_close_matches(name, known, n=3, cutoff=max(_MIN_SIMILARITY, similarity))


def did_you_mean(matches: list[str], fallback: str = "") -> str:
    """The end of a message about an unknown name: its close matches, or a fallback if there are none."""
    return f"; did you mean {' or '.join(matches)}?" if matches else fallback


def utc_text(time: datetime) -> str:
    """A time to the second: 2018-05-10 03:00:00 UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
