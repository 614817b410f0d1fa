"""Waiting: polling with jitter and a deadline, and waiting for the jobs of a cluster."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol, TypeVar, cast

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_random

from olist_assets.aws.redaction import redact
from olist_assets.engines.remote.job import JobPhase, JobStatus
from olist_assets.errors import EngineError
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


class JobService(Protocol):
    """The part of a service that waiting needs."""

    def status(self, job: str) -> JobStatus:
        """The status of a job."""
        ...

    def cancel(self, job: str) -> None:
        """Request the cancellation of a job."""
        ...


@dataclass(frozen=True, slots=True)
class JobWaiter:
    """Waits for jobs of a service.

    Attributes:
        service: the service that runs the jobs.
        poll_seconds: average seconds between two requests for a status.
        start_minutes: minutes that a job may wait for capacity.
        stop_seconds: seconds that a canceled job may take to end.
    """

    service: JobService
    poll_seconds: float
    start_minutes: float
    stop_seconds: float

    def wait_for_end(self, job: str, on_progress: Progress) -> JobStatus:
        """Wait until a job has ended, and log each change of its state.

        Raises:
            EngineError: the job did not start in time. It still has to be canceled.
        """
        log, deadline = log_changes(on_progress), time.monotonic() + 60 * self.start_minutes

        def probe() -> JobStatus | None:
            status = self.service.status(job)
            line = log(f"{job} is {status.state}", status.reason)
            if status.phase is JobPhase.WAITING and time.monotonic() > deadline:
                raise EngineError(
                    f"{line}, and did not start within {self.start_minutes:g} minutes: it was canceled; "
                    "check the cluster's capacity, or set OLIST_EMR_START_MINUTES"
                )
            return status if status.phase.ended else None

        return poll_until(probe, pause=self.poll_seconds)

    def cancel_and_wait(self, job: str) -> None:
        """Cancel a job, and wait until nothing of it runs.

        Raises:
            EngineError: the job did not end in time.
        """
        self.service.cancel(job)
        try:
            poll_until(
                lambda: self.service.status(job).phase.ended or None,
                pause=self.poll_seconds,
                deadline=self.stop_seconds,
            )
        except DeadlineError as error:
            raise EngineError(f"{job} was canceled, and did not end within {self.stop_seconds:g} seconds") from error


def wait_for_capacity(probe: Callable[[], T | None], what: str, *, poll_seconds: float, start_minutes: float) -> T:
    """Call `probe` until it returns a result, as long as a job may wait for capacity.

    Args:
        probe: returns None while there is no result.
        what: the expected resource, for the error.
        poll_seconds: average seconds between two calls.
        start_minutes: minutes after which waiting ends.

    Raises:
        EngineError: there is no result in time.
    """
    try:
        return poll_until(probe, pause=poll_seconds, deadline=60 * start_minutes)
    except DeadlineError as error:
        raise EngineError(f"waited {start_minutes:g} minutes for {what}; see OLIST_EMR_START_MINUTES") from error
