"""The worker of a run, as the engine sees it: submitted once, watched rarely, replaced once if it ends too early.

Steps wait for objects in the lake. The service is asked about the worker only every `poll_seconds`, whatever the number
of steps, because its quotas are low; and an error of its API is no reason to give up work that goes on.
"""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, RLock
from typing import Protocol

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs] - it has none
from obstore.exceptions import BaseError

from olist_assets.aws.clients import describe_error
from olist_assets.aws.redaction import redact, summarize_error
from olist_assets.engines.remote.exchange import Exchange
from olist_assets.engines.remote.job import JobPhase, JobStatus
from olist_assets.engines.remote.logs import read_log_tail
from olist_assets.engines.remote.waiting import log_changes
from olist_assets.errors import EngineError, OutageError
from spark_steps.protocol import Progress, StepRequest
from spark_steps.worker import HEARTBEAT_SECONDS, Heartbeat

_WAIT_SECONDS = 1.0
"""The pause between two looks into the lake."""

_END_SECONDS = 5.0
"""The pause between two questions to the service about a job that is being ended."""

_SILENCE = 6 * HEARTBEAT_SECONDS
"""A worker without a heartbeat for so many seconds may be dead."""

_OUTAGE_SECONDS = 900
"""How long the lake may not answer; and the service, while the worker is silent too."""

_MAX_CRASHES = 2


class WorkerLostError(OutageError):
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


class Submit(Protocol):
    """Submits the worker of a run."""

    def __call__(self, number: int, on_progress: Progress, *, one_at_a_time: bool) -> Exchange:
        """Submit the job with this number; return the folder of its requests."""
        ...


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
        submitted: when it was submitted, by the monotonic clock.
        heartbeat: the newest heartbeat.
        beat: when the newest heartbeat was first seen, by the monotonic clock.
        asked: when the service was last asked, by the monotonic clock.
        unanswered_since: since when the service has not answered.
        state: the job's state in the service's own word.
        failure: why no step can wait for it any more.
        has_crashed: whether it ended before its work was done; false for one that has ended because it was idle.
        is_counted: whether the run has counted its end.
        lock: locked while the service is asked.
    """

    number: int
    exchange: Exchange
    submitted: float
    heartbeat: Heartbeat | None = None
    beat: float = 0.0
    asked: float = 0.0
    unanswered_since: float | None = None
    state: str = "submitted"
    failure: EngineError | None = None
    has_crashed: bool = False
    is_counted: bool = False
    lock: RLock = field(default_factory=RLock)

    @property
    def job(self) -> str:
        """The id of the job."""
        return self.exchange.job


class RunWorker:
    """Runs the steps of one run on its worker. Its methods may be called by several threads."""

    def __init__(self, service: Service, submit: Submit, limits: Limits, stopped: Event, lake: str) -> None:
        """The worker of a run. It is submitted when the first step needs it.

        Args:
            service: the service that runs the worker.
            submit: submits a job.
            limits: how long things may take.
            stopped: set when the run is interrupted.
            lake: URI of the lake, which no text may show.
        """
        self._service = service
        self._submit = submit
        self._limits = limits
        self._stopped = stopped
        self._lake = lake
        self._lock = RLock()
        self._attempt: _Attempt | None = None
        self._crashes = 0
        self._failure: EngineError | None = None
        self._has_crashed = False
        self._failed = set[str]()
        self._is_interrupted = False

    def run(self, request: StepRequest, on_progress: Progress) -> Answer:
        """Run a step, and return the worker's answer. Any interruption withdraws the request.

        An outage ends all waiting steps. The first one that is retried may submit workers again.

        Raises:
            OutageError: no worker starts, two workers have ended without an answer, or the lake does not answer.
            EngineError: the step takes too long, or a worker cannot be ended.
            DagsterExecutionInterruptedError: the run was interrupted.
        """
        while True:
            attempt = self._current_attempt(request.table, on_progress)
            name = attempt.exchange.new_name(request)
            try:
                attempt.exchange.post(name, request)
                answer = self._wait(attempt, name, on_progress)
            except WorkerLostError as error:
                with suppress(BaseError):
                    attempt.exchange.withdraw(name)
                    attempt.exchange.forget(request.table)  # nothing of it runs
                self._count_end(attempt, error, request.table)
                on_progress(f"{error}; submitting another worker")
            except BaseException as error:
                # Dagster interrupts a run by a subclass of BaseException.
                self._is_interrupted = self._is_interrupted or not isinstance(error, Exception)
                try:
                    if self._withdraw(attempt, name, on_progress):
                        attempt.exchange.forget(request.table)
                except BaseError:
                    if not isinstance(error, OutageError):  # else the retry withdraws the last request on the table
                        raise
                raise
            else:
                with suppress(BaseError):  # nobody waits for it any more
                    attempt.exchange.withdraw(name)
                return answer

    def close(self) -> None:
        """Let the worker end; one that has not started yet, or whose run was interrupted, is canceled.

        Does nothing if there is none. Errors are ignored, because a worker without requests ends by itself.
        """
        if self._attempt is not None:
            self._close(self._attempt)

    def _close(self, attempt: _Attempt) -> None:
        with suppress(BaseError):
            attempt.exchange.close()
        if self._is_interrupted or attempt.failure is not None or attempt.heartbeat is None:
            _cancel(self._service, attempt.job, force=False)

    # --- The job -----------------------------------------------------------------------------------------------

    def _current_attempt(self, table: str, on_progress: Progress) -> _Attempt:
        """The job that steps can wait for. The first caller submits it; if that fails, it fails for all steps.

        Raises:
            EngineError: it cannot be submitted, or no further one is allowed.
            DagsterExecutionInterruptedError: the run was interrupted.
        """
        with self._lock:
            if self._stopped.is_set():
                raise dg.DagsterExecutionInterruptedError
            if table in self._failed and isinstance(self._failure, OutageError):  # it is retried
                self._failed.clear()
                self._failure, self._crashes = None, 0
            self._raise_failure(table)
            if self._attempt is None or self._attempt.failure is not None:
                number = 1
                if self._attempt is not None:
                    number = self._attempt.number + 1
                    self._close(self._attempt)
                try:
                    # A worker that has crashed may have lacked memory.
                    exchange = self._submit(number, on_progress, one_at_a_time=self._has_crashed)
                except EngineError as error:
                    self._failure = error
                    self._failed.add(table)
                    raise
                now = time.monotonic()
                self._attempt = _Attempt(number, exchange, submitted=now, beat=now)
                on_progress(f"{exchange.job}: the worker of this run")
            return self._attempt

    def _raise_failure(self, table: str) -> None:
        """Raise the failure of the run's workers, if they have failed.

        Raises:
            EngineError: a copy of the failure: one object that several threads raise would mix their tracebacks.
        """
        if self._failure is not None:
            self._failed.add(table)
            raise _copy(self._failure)

    def _count_end(self, attempt: _Attempt, error: WorkerLostError, table: str) -> None:
        """Count the end of a worker, once for all of its steps.

        Raises:
            OutageError: it was the second crash.
            EngineError: a user has ended it.
        """
        with self._lock:
            if not attempt.is_counted:
                attempt.is_counted = True
                self._crashes += attempt.has_crashed
                self._has_crashed = self._has_crashed or attempt.has_crashed
                with suppress(BaseError):
                    if attempt.exchange.is_closed():
                        self._failure = EngineError(f"{attempt.job} was ended by `olist stop`")
                    attempt.exchange.close()
            if self._failure is None and self._crashes >= _MAX_CRASHES:
                self._failure = OutageError(self._with_log(attempt, error))
            self._raise_failure(table)

    def _with_log(self, attempt: _Attempt, error: WorkerLostError) -> str:
        """The error, and the last lines of the job's log."""
        try:
            log = self._service.status(attempt.job).log
        except (BotoCoreError, ClientError):
            return f"{error}"
        tail = read_log_tail(log, pause=_WAIT_SECONDS, deadline=self._limits.log_seconds)
        return redact(f"{error}; {tail}", self._lake, log or "")

    def _look(self, attempt: _Attempt, on_progress: Progress) -> None:
        """Look for a heartbeat, and ask the service about the job if that is due and no other step does.

        Raises:
            WorkerLostError: the job has ended.
            EngineError: it did not start in time, or neither it nor the service answers.
            BaseError: the lake does not answer.
        """
        if attempt.failure is None:
            heartbeat = attempt.exchange.read_heartbeat()
            if heartbeat != attempt.heartbeat:
                attempt.heartbeat, attempt.beat = heartbeat, time.monotonic()
            is_due = time.monotonic() - attempt.asked >= self._limits.poll_seconds
            if is_due and attempt.lock.acquire(blocking=False):
                try:
                    attempt.asked = time.monotonic()
                    attempt.failure = attempt.failure or self._ask(attempt, on_progress)
                finally:
                    attempt.lock.release()
        if attempt.failure is not None:
            raise _copy(attempt.failure)

    def _ask(self, attempt: _Attempt, on_progress: Progress) -> EngineError | None:
        """Ask the service about the job; why no step can wait for it any more, None if steps can."""
        silent = time.monotonic() - attempt.beat
        try:
            status = self._service.status(attempt.job)
            attempt.unanswered_since = None
            attempt.state = redact(f"{status.state}: {status.reason}" if status.reason else status.state, self._lake)
            # A canceled job counts as ended while its processes may still run.
            if status.phase.ended and (silent > _SILENCE or attempt.heartbeat is None):
                attempt.has_crashed = status.phase is not JobPhase.SUCCEEDED
                return WorkerLostError(f"{attempt.job} is {attempt.state}")
            if silent > _OUTAGE_SECONDS and attempt.heartbeat is not None:
                end_job(self._service, attempt.exchange, self._limits.stop_seconds)
                attempt.has_crashed = True
                return WorkerLostError(f"{attempt.job} gave no sign of life for {silent / 60:.0f} minutes")
            waited = time.monotonic() - attempt.submitted
            if attempt.heartbeat is None and waited > 60 * self._limits.start_minutes:
                _cancel(self._service, attempt.job, force=False)
                return OutageError(
                    f"{attempt.job} is {attempt.state}, and did not start within {self._limits.start_minutes:g} "
                    "minutes: it was canceled; check the cluster's capacity, or set OLIST_EMR_START_MINUTES"
                )
        except (BotoCoreError, ClientError) as error:
            if attempt.unanswered_since is None:
                attempt.unanswered_since = time.monotonic()
                reason = redact(describe_error(error), self._lake)
                on_progress(f"the service does not answer, and the work goes on: {reason}")
            silent = time.monotonic() - max(attempt.unanswered_since, attempt.beat)
            if silent > _OUTAGE_SECONDS:
                return OutageError(f"neither {attempt.job} nor its service has answered for {silent / 60:.0f} minutes")
        return None

    # --- One step ----------------------------------------------------------------------------------------------

    def _wait(self, attempt: _Attempt, name: str, on_progress: Progress) -> Answer:
        """Wait for the answer to a request, and pass on the log and the phase of its step."""
        log, passed_on = log_changes(on_progress), 0
        posted = last_success = time.monotonic()
        started: float | None = None
        shares = list[float]()
        while True:
            answer, lines = None, list[str]()
            try:
                answer, lines = self._read(attempt, name, on_progress)
                last_success = time.monotonic()
            except BaseError as error:
                reason = summarize_error(error, self._lake)
                log("the lake does not answer, and the work goes on", reason)
                if time.monotonic() - last_success > _OUTAGE_SECONDS:
                    raise OutageError(
                        f"the lake has not answered for {_OUTAGE_SECONDS // 60} minutes: {reason}"
                    ) from None
            for line in lines[passed_on:]:
                on_progress(redact(line, self._lake))
            passed_on = max(passed_on, len(lines))
            if answer is not None:
                share = sum(shares) / len(shares) if shares else 1.0
                return Answer(answer, attempt.job, time.monotonic() - posted, share)
            if self._stopped.is_set():
                raise dg.DagsterExecutionInterruptedError
            phases = attempt.heartbeat.phases if attempt.heartbeat else {}
            log(phases.get(name) or _wait_text(attempt), "")
            if name in phases:
                shares.append(1 / len(phases))
                started = started or time.monotonic()
                self._check_run_time(started)
            time.sleep(_WAIT_SECONDS)

    def _read(self, attempt: _Attempt, name: str, on_progress: Progress) -> tuple[str | None, list[str]]:
        """The answer to a request, if there is one, and the log of its step.

        Raises:
            EngineError: there is no answer, and as `_look` does.
            BaseError: the lake does not answer.
        """
        failure: EngineError | None = None
        try:
            self._look(attempt, on_progress)
        except EngineError as error:
            failure = error
        answer = attempt.exchange.read_answer(name)
        if answer is None and failure is not None:
            raise failure
        return answer, attempt.exchange.read_log(name)

    def _check_run_time(self, started: float) -> None:
        if time.monotonic() - started > 60 * self._limits.run_minutes:
            raise EngineError(
                f"the step did not end within {self._limits.run_minutes:g} minutes: it was withdrawn; see its log, or "
                "set OLIST_EMR_RUN_MINUTES"
            )

    def _withdraw(self, attempt: _Attempt, name: str, on_progress: Progress) -> bool:
        """Withdraw a request, and wait until nothing of its step runs. If the worker does not answer, it is ended.

        Returns:
            Whether it is certain that nothing runs; not if neither the worker nor its service has answered.

        Raises:
            EngineError: it cannot be ended.
        """
        half = self._limits.stop_seconds / 2
        if withdraw(attempt.exchange, name, half):
            return True
        with attempt.lock:
            if attempt.failure is not None:
                return isinstance(attempt.failure, WorkerLostError)
            on_progress(f"{attempt.job} does not stop the step: ending the worker")
            try:
                end_job(self._service, attempt.exchange, half)
            except EngineError as error:
                attempt.failure = self._failure = error  # no other worker may start beside it
                raise
            attempt.failure = WorkerLostError(f"{attempt.job} was ended, because it did not stop a step")
            return True


def _copy(error: EngineError) -> EngineError:
    """The same error as another object."""
    return type(error)(*error.args)


def _wait_text(attempt: _Attempt) -> str:
    if attempt.heartbeat is None:
        return f"waiting for the worker {attempt.job}, which is {attempt.state}"
    return "waiting for the worker"


def withdraw(exchange: Exchange, name: str, seconds: float) -> bool:
    """Withdraw a request, and wait for so many seconds until nothing of its step runs; whether that is certain.

    It is certain if the request is answered; if the worker has given no heartbeat, because that comes before its first
    look; or if a newer heartbeat does not have the request. A worker that is silent may still be committing.
    """
    exchange.withdraw(name)
    first = exchange.read_heartbeat()
    started = time.monotonic()
    while True:
        newest = exchange.read_heartbeat()
        is_newer = newest is not None and newest != first
        if newest is None or exchange.read_answer(name) is not None or (is_newer and name not in newest.phases):
            return True
        waited = time.monotonic() - started
        if waited > seconds or (waited > _SILENCE and not is_newer):
            return False
        time.sleep(_WAIT_SECONDS)


def end_job(service: Service, exchange: Exchange, seconds: float) -> None:
    """End a worker's job: interrupt it, end all its processes after half of the time, and wait until nothing runs.

    A service reports a job as ended while its processes may still run. So the worker must be silent too.

    Raises:
        EngineError: it did not end in time.
    """
    job, reason = exchange.job, ""
    started = beat = time.monotonic()
    heartbeat, is_forced = exchange.read_heartbeat(), False
    _cancel(service, job, force=False)
    while (now := time.monotonic()) - started < seconds:
        if not is_forced and now - started > seconds / 2:
            is_forced = True
            _cancel(service, job, force=True)
        newest = exchange.read_heartbeat()
        if newest != heartbeat:
            heartbeat, beat = newest, now
        try:
            if service.status(job).phase.ended and (heartbeat is None or now - beat > _SILENCE):
                return
        except (BotoCoreError, ClientError) as error:
            reason = f": {describe_error(error)}"
        time.sleep(_END_SECONDS)
    raise EngineError(f"{job} was canceled, and did not end within {seconds:g} seconds{reason}")


def _cancel(service: Service, job: str, *, force: bool) -> None:
    with suppress(BotoCoreError, ClientError):  # if it does not end, that is the error
        service.cancel(job, force=force)
