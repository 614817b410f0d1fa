"""The worker of a run, as the engine sees it: submitted once, watched rarely, replaced once if it ends too early.

Steps wait for objects in the lake. The service is asked about the worker only every `poll_seconds`, whatever the number
of steps, because its quotas are low; and an error of its API is no reason to give up work that goes on.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, RLock
from typing import Protocol

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs] - it has none

from olist_assets.aws.clients import describe_error
from olist_assets.aws.redaction import redact
from olist_assets.engines.remote.exchange import Exchange
from olist_assets.engines.remote.job import JobStatus
from olist_assets.engines.remote.logs import read_log_tail
from olist_assets.engines.remote.waiting import log_changes
from olist_assets.errors import EngineError
from spark_steps.protocol import Progress, StepRequest
from spark_steps.worker import HEARTBEAT_SECONDS, Heartbeat

_WAIT_SECONDS = 1.0
"""The pause between two looks into the lake."""

_SILENCE = 6 * HEARTBEAT_SECONDS
"""A worker without a heartbeat for so many seconds may be dead."""

_DEAD = timedelta(minutes=10)
"""A worker whose newest heartbeat is so old is dead, even if its clock differs."""

_OUTAGE_SECONDS = 900
"""How long the service may not answer while the worker is silent too."""

_MAX_ATTEMPTS = 2


class WorkerLostError(EngineError):
    """The worker has ended without an answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take.

    Attributes:
        poll_seconds: seconds between two questions to the service.
        start_minutes: minutes until a submitted worker gives its first sign of life.
        run_minutes: minutes that one step may take.
        stop_seconds: seconds that a withdrawn step, or a canceled worker, may take to end.
        log_seconds: seconds to wait for the log of a worker that has failed.
    """

    poll_seconds: float
    start_minutes: float
    run_minutes: float
    stop_seconds: float
    log_seconds: float


class Service(Protocol):
    """The part of a service that a worker needs."""

    def status(self, job: str) -> JobStatus:
        """The status of a job."""
        ...

    def cancel(self, job: str, *, force: bool = False) -> None:
        """Request the end of a job, of all its processes if `force` is set."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A worker's answer to a request.

    Attributes:
        text: its JSON, that of a result or of a failure.
        job: the worker's job.
        seconds: the time from the request to the answer.
        share: the step's mean share of the worker while it ran: 0.5 if another step always ran beside it.
    """

    text: str
    job: str
    seconds: float
    share: float


@dataclass
class _Attempt:
    """One job that works, or worked, for the run.

    Attributes:
        number: 1 for the first job of the run.
        exchange: its folder.
        job: its id.
        submitted: when it was submitted, by the monotonic clock.
        heartbeat: the newest heartbeat.
        beat: when the newest heartbeat was first seen, by the monotonic clock.
        asked: when the service was last asked, by the monotonic clock.
        unanswered_since: since when the service has not answered.
        state: the job's state in the service's own word.
        failure: why no step can wait for it any more.
    """

    number: int
    exchange: Exchange
    job: str
    submitted: float
    heartbeat: Heartbeat | None = None
    beat: float = 0.0
    asked: float = 0.0
    unanswered_since: float | None = None
    state: str = "submitted"
    failure: EngineError | None = None
    lock: RLock = field(default_factory=RLock)


class RunWorker:
    """Runs the steps of one run on its worker. Its methods may be called by several threads."""

    def __init__(
        self, service: Service, submit: Callable[[int, Progress], tuple[str, Exchange]], limits: Limits, stopped: Event
    ) -> None:
        """The worker of a run. It is submitted when the first step needs it.

        Args:
            service: the service that runs the worker.
            submit: submits the job of an attempt, and returns its id and the folder of its requests.
            limits: how long things may take.
            stopped: set when the run is interrupted.
        """
        self._service = service
        self._submit = submit
        self._limits = limits
        self._stopped = stopped
        self._lock = RLock()
        self._attempt: _Attempt | None = None
        self._failure: EngineError | None = None
        self._is_interrupted = False

    def run(self, request: StepRequest, on_progress: Progress) -> Answer:
        """Run a step, and return the worker's answer. Any interruption withdraws the request.

        Raises:
            EngineError: no worker starts, the step takes too long, or two workers have ended without an answer.
            DagsterExecutionInterruptedError: the run was interrupted.
        """
        while True:
            attempt = self._current_attempt(on_progress)
            name = attempt.exchange.post(request)
            try:
                return self._wait(attempt, name, on_progress)
            except WorkerLostError as error:
                attempt.exchange.withdraw(name)
                if attempt.number == _MAX_ATTEMPTS:
                    raise
                on_progress(f"{error}; starting another worker, which runs one step at a time")
            except BaseException as error:
                # Dagster interrupts a run by a subclass of BaseException.
                self._is_interrupted = self._is_interrupted or not isinstance(error, Exception)
                self._withdraw(attempt, name, on_progress)
                raise

    def close(self) -> None:
        """Let the worker end; one that has not started yet, or whose run was interrupted, is canceled.

        Does nothing if there is none.
        """
        attempt = self._attempt
        if attempt is None or attempt.failure is not None:
            return
        attempt.exchange.close()
        if self._is_interrupted or attempt.exchange.read_heartbeat() is None:
            with suppress(BotoCoreError, ClientError):  # it ends by itself when it finds the folder closed
                self._service.cancel(attempt.job)

    # --- The job -----------------------------------------------------------------------------------------------

    def _current_attempt(self, on_progress: Progress) -> _Attempt:
        """The job that steps can wait for. The first caller submits it; if that fails, it fails for all steps.

        Raises:
            EngineError: it cannot be submitted, or no further one is allowed.
            DagsterExecutionInterruptedError: the run was interrupted.
        """
        with self._lock:
            if self._stopped.is_set():
                raise dg.DagsterExecutionInterruptedError
            if self._failure is not None:
                raise self._failure
            failure = self._attempt.failure if self._attempt else None
            lost = self._attempt.number if self._attempt and failure else 0
            if failure is not None and (lost == _MAX_ATTEMPTS or not isinstance(failure, WorkerLostError)):
                raise failure
            if self._attempt is None or lost:
                try:
                    job, exchange = self._submit(lost + 1, on_progress)
                except EngineError as error:
                    self._failure = error
                    raise
                now = time.monotonic()
                self._attempt = _Attempt(lost + 1, exchange, job, submitted=now, beat=now)
                on_progress(f"{job}: the worker of this run")
            return self._attempt

    def _look(self, attempt: _Attempt, on_progress: Progress) -> None:
        """Look for a heartbeat, and ask the service about the job if that is due.

        Raises:
            WorkerLostError: the job has ended, or gives no sign of life.
            EngineError: it did not start in time.
        """
        with attempt.lock:
            if attempt.failure is not None:
                raise attempt.failure
            heartbeat = attempt.exchange.read_heartbeat()
            if heartbeat != attempt.heartbeat:
                attempt.heartbeat, attempt.beat = heartbeat, time.monotonic()
            if time.monotonic() - attempt.asked < self._limits.poll_seconds:
                return
            attempt.asked = time.monotonic()
            try:
                status = self._service.status(attempt.job)
            except (BotoCoreError, ClientError) as error:
                attempt.failure = self._note_outage(attempt, error, on_progress)
            else:
                attempt.unanswered_since = None
                attempt.state = f"{status.state}: {status.reason}" if status.reason else status.state
                attempt.failure = self._failure_of(attempt, status)
            if attempt.failure is not None:
                raise attempt.failure

    def _note_outage(
        self, attempt: _Attempt, error: BotoCoreError | ClientError, on_progress: Progress
    ) -> EngineError | None:
        """What an error of the service means: nothing, unless the worker has been silent too for a long time."""
        if attempt.unanswered_since is None:
            attempt.unanswered_since = time.monotonic()
            on_progress(redact(f"the service does not answer, and the work goes on: {describe_error(error)}"))
        silent = time.monotonic() - max(attempt.unanswered_since, attempt.beat)
        if silent < _OUTAGE_SECONDS:
            return None
        return EngineError(f"neither {attempt.job} nor its service has answered for {silent / 60:.0f} minutes")

    def _failure_of(self, attempt: _Attempt, status: JobStatus) -> EngineError | None:
        """Why no step can wait for the job any more; None if steps can."""
        is_silent = time.monotonic() - attempt.beat > _SILENCE
        # A canceled job counts as ended while its processes may still run.
        if status.phase.ended and (is_silent or attempt.heartbeat is None):
            reason = f"{attempt.job} is {attempt.state}"
            if attempt.number == _MAX_ATTEMPTS:  # another worker need not wait for the log, which EMR writes late
                log = read_log_tail(status.log, pause=_WAIT_SECONDS, deadline=self._limits.log_seconds)
                reason = f"{reason}; {log}"
            return WorkerLostError(redact(reason, status.log or ""))
        waited = time.monotonic() - attempt.submitted
        if attempt.heartbeat is None and waited > 60 * self._limits.start_minutes:
            self._service.cancel(attempt.job)
            return EngineError(
                f"{attempt.job} is {attempt.state}, and did not start within {self._limits.start_minutes:g} minutes: "
                "it was canceled; check the cluster's capacity, or set OLIST_EMR_START_MINUTES"
            )
        return None

    # --- One step ----------------------------------------------------------------------------------------------

    def _wait(self, attempt: _Attempt, name: str, on_progress: Progress) -> Answer:
        """Wait for the answer to a request, and pass on the log and the phase of its step."""
        log, passed_on, started = log_changes(on_progress), 0, None
        asked, shares = time.monotonic(), list[float]()
        while True:
            lost: EngineError | None = None
            try:
                self._look(attempt, on_progress)
            except EngineError as error:
                lost = error
            answer = attempt.exchange.read_answer(name)
            lines = attempt.exchange.read_log(name)
            for line in lines[passed_on:]:
                on_progress(redact(line))
            passed_on = len(lines)
            if answer is not None:
                share = sum(shares) / len(shares) if shares else 1.0
                return Answer(answer, attempt.job, time.monotonic() - asked, share)
            if lost is not None:
                raise lost
            if self._stopped.is_set():
                raise dg.DagsterExecutionInterruptedError
            phase = attempt.heartbeat.phases.get(name) if attempt.heartbeat else None
            if attempt.heartbeat is None:
                log(f"waiting for the worker {attempt.job}, which is {attempt.state}", "")
            else:
                log(phase or "waiting for the worker's other steps", "")
            if phase is not None and attempt.heartbeat:
                shares.append(1 / len(attempt.heartbeat.phases))
                started = started or time.monotonic()
                if time.monotonic() - started > 60 * self._limits.run_minutes:
                    raise EngineError(
                        f"the step did not end within {self._limits.run_minutes:g} minutes: it was withdrawn; see its "
                        "log, or set OLIST_EMR_RUN_MINUTES"
                    )
            time.sleep(_WAIT_SECONDS)

    def _withdraw(self, attempt: _Attempt, name: str, on_progress: Progress) -> None:
        """Withdraw a request, and wait until nothing of its step runs. If the worker does not answer, it is ended."""
        if withdraw(attempt.exchange, name, self._limits.stop_seconds):
            return
        with attempt.lock:
            if attempt.failure is not None:
                return
            on_progress(f"{attempt.job} does not stop the step: ending the worker")
            attempt.failure = WorkerLostError(f"{attempt.job} was ended, because it did not stop a step")
            end_job(self._service, attempt.job, self._limits.stop_seconds)


def withdraw(exchange: Exchange, name: str, seconds: float) -> bool:
    """Withdraw a request, and wait for so many seconds until nothing of its step runs; whether that is certain.

    A worker gives a first heartbeat before it looks for requests, so one without a heartbeat does not know it.
    """
    exchange.withdraw(name)
    first = exchange.read_heartbeat()
    if first is None or datetime.now(UTC) - first.at > _DEAD:
        return True
    started = time.monotonic()

    def is_over() -> bool:
        if exchange.read_answer(name) is not None:
            return True
        return time.monotonic() - started > _SILENCE and exchange.read_heartbeat() == first

    return wait_until(is_over, seconds)


def wait_until(probe: Callable[[], bool], seconds: float) -> bool:
    """Wait until `probe` is true, for so many seconds at most; whether it is."""
    deadline = time.monotonic() + seconds
    while not (done := probe()) and time.monotonic() < deadline:
        time.sleep(_WAIT_SECONDS)
    return done


def end_job(service: Service, job: str, seconds: float) -> None:
    """End a job: interrupt it, after half of the time end all its processes, and wait until the service confirms it.

    Raises:
        EngineError: it did not end in time.
    """
    for force in (False, True):
        service.cancel(job, force=force)
        if wait_until(lambda: service.status(job).phase.ended, seconds / 2):
            return
    raise EngineError(f"{job} was canceled, and did not end within {seconds:g} seconds")
