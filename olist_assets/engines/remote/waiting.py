"""Waiting: polling with jitter and a deadline."""

from collections.abc import Callable
from math import inf
from typing import TypeVar, cast

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_random

from olist_assets.aws.redaction import redact
from olist_assets.errors import OutageError
from spark_steps.protocol import Progress

T = TypeVar("T")

_JITTER = 0.4
"""A pause varies by this share, so that concurrent steps do not poll at the same moment."""


class DeadlineError(Exception):
    """Polling ended at its deadline without a result."""


def poll_until(probe: Callable[[], T | None], *, pause: float, deadline: float = inf) -> T:
    """Call `probe` until it returns a result, and return that. An error of `probe` ends the polling.

    Args:
        probe: returns None while there is no result.
        pause: average seconds between two calls.
        deadline: seconds after which `probe` is not called again.

    Raises:
        DeadlineError: there is no result at the deadline.
    """
    retrying = Retrying(
        retry=retry_if_result(lambda result: result is None),
        wait=wait_random(pause * (1 - _JITTER), pause * (1 + _JITTER)),
        stop=stop_after_delay(deadline),
    )
    try:
        return cast("T", retrying(probe))  # None is retried
    except RetryError as error:
        raise DeadlineError from error


def log_changes(on_progress: Progress) -> Callable[[str, str], str]:
    """A logger of a state and its reason that redacts the line, skips repetitions, and returns the line."""
    last = ""

    def log(state: str, reason: str) -> str:
        nonlocal last
        line = redact(f"{state}: {reason}" if reason else state)
        if line != last:
            on_progress(line)
            last = line
        return line

    return log


def wait_for_capacity(probe: Callable[[], T | None], what: str, *, poll_seconds: float, start_minutes: float) -> T:
    """Call `probe` until it returns a result, as long as a job may wait for capacity.

    Args:
        probe: returns None while there is no result.
        what: the expected resource, for the error.
        poll_seconds: average seconds between two calls.
        start_minutes: minutes after which waiting ends.

    Raises:
        OutageError: there is no result in time.
    """
    try:
        return poll_until(probe, pause=poll_seconds, deadline=60 * start_minutes)
    except DeadlineError as error:
        raise OutageError(f"waited {start_minutes:g} minutes for {what}; see OLIST_EMR_START_MINUTES") from error
