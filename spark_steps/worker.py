"""The worker of a run: one Spark session that executes the steps of the run, several at a time.

Engine and worker exchange objects in a folder of the lake. Only the worker's service, such as EMR, knows the machine.

    <table>.<id>/request.json    a request; while it exists, the worker may commit its step
    <table>.<id>/result.json     the answer: a result or a failure
    <table>.<id>/log.txt         the step's log so far
    <table>.<id>/traceback.txt   of a crash
    worker.json                  the worker's heartbeat: a time, and the phases of its steps
    closed.json                  there will be no more requests: the worker ends

The engine withdraws a request by deleting it. The worker then stops the step's queries, and answers as soon as nothing
of the step runs. A step starts no commit after its request was deleted. It may complete a commit that it has started
before.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

import msgspec
import pyarrow.fs
from pyspark.sql import SparkSession

from spark_steps import filesystems
from spark_steps.protocol import StepCrashError, StepError, StepRequest
from spark_steps.steps import run_step

REQUEST, RESULT, LOG, TRACEBACK = "request.json", "result.json", "log.txt", "traceback.txt"
HEARTBEAT, CLOSED = "worker.json", "closed.json"

POLL_SECONDS = 1.0
"""The pause between two looks into the folder."""

HEARTBEAT_SECONDS = 5.0
"""The pause between two heartbeats, unless a step starts."""

_MAX_OUTAGE_SECONDS = 900
"""How long the storage may fail before the worker ends."""

_log = logging.getLogger(__name__)


class Phase(StrEnum):
    """What the worker does with a request."""

    RUNNING = "running"
    COMMITTING = "committing"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life of a worker.

    Attributes:
        at: its time, UTC, by the worker's clock.
        phases: the requests that it has started and not answered, by the name of their folder.
    """

    at: datetime
    phases: dict[str, Phase]


class WithdrawnError(Exception):
    """The request of a step was deleted, so the step may not commit."""


class SparkEndedError(Exception):
    """The Spark application of a worker has ended."""


class StepSession(Protocol):
    """The part of a Spark session that the worker uses itself."""

    def interruptAll(self) -> object:  # noqa: N802 - pyspark's name
        """Stop the queries of this session."""
        ...


@dataclass
class _Step:
    """A step that runs in a thread.

    Attributes:
        name: the name of its folder.
        session: its session, once it has one.
        phase: what it does.
        lines: its log so far.
        written: how many of these lines are in its folder.
        is_withdrawn: whether its request has been deleted.
        lock: locked while the log is written.
    """

    name: str
    session: StepSession | None = None
    phase: Phase = Phase.RUNNING
    lines: list[str] = field(default_factory=list[str])
    written: int = 0
    is_withdrawn: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Worker:
    """Executes the requests in a folder.

    It ends when the folder is closed, or when there was no request for a while: its engine may be dead.
    """

    def __init__(
        self,
        folder: str,
        open_session: Callable[[str], SparkSession],
        *,
        slots: int,
        idle_seconds: float,
        is_alive: Callable[[], bool] = lambda: True,
    ) -> None:
        """A worker.

        Args:
            folder: path or URI of the folder.
            open_session: opens a session of its own for the step of a table; its time zone must be UTC.
            slots: how many steps run at the same time.
            idle_seconds: seconds without a request after which the worker ends.
            is_alive: whether the Spark application still runs.
        """
        self._filesystem, self._folder = filesystems.resolve(folder)
        self._open_session = open_session
        self._slots = slots
        self._idle_seconds = idle_seconds
        self._is_alive = is_alive
        self._running: dict[str, _Step] = {}
        self._started: set[str] = set()
        self._beat_at = 0.0

    def run(self) -> None:
        """Execute requests until the worker ends. It waits for 15 minutes while the storage fails.

        Raises:
            SparkEndedError: the Spark application has ended. Its steps get no answer, so another worker repeats them.
            OSError: the storage has failed for too long.
        """
        last_busy = last_success = time.monotonic()
        while True:
            if not self._is_alive():
                raise SparkEndedError("the Spark application has ended")
            try:
                is_closed = self._work()
                last_success = time.monotonic()
            except OSError as error:
                _log.warning("the folder of the requests cannot be read or written: %s", error)
                if time.monotonic() - last_success > _MAX_OUTAGE_SECONDS:
                    raise
                is_closed = False
            if self._running:
                last_busy = time.monotonic()
            elif is_closed or time.monotonic() - last_busy > self._idle_seconds:
                return
            time.sleep(POLL_SECONDS)

    def _work(self) -> bool:
        """Write a heartbeat and logs, start new requests, stop withdrawn ones; return whether the folder is closed.

        The heartbeat comes before the look. So a worker without a heartbeat knows no request, and a newer heartbeat
        has each request that was started since the one before.
        """
        self._beat()
        requests, is_closed = self._list()
        for step in list(self._running.values()):
            self._write_log(step)
            if step.name not in requests and not step.is_withdrawn:
                step.is_withdrawn = True
                threading.Thread(target=self._stop, args=(step,), daemon=True).start()
        waiting = [name for name in requests if name not in self._started]
        for name in waiting[: self._slots - len(self._running)]:
            self._start(name)
        return is_closed and len(waiting) == 0

    # --- The folder --------------------------------------------------------------------------------------------

    def _list(self) -> tuple[list[str], bool]:
        """The names of the requests without an answer, oldest first; whether the folder is closed."""
        selector = pyarrow.fs.FileSelector(self._folder, allow_not_found=True, recursive=True)
        objects = self._filesystem.get_file_info(selector)
        answered = {_folder_name(info.path) for info in objects if info.base_name == RESULT}
        requests = [info for info in objects if info.base_name == REQUEST and _folder_name(info.path) not in answered]
        requests.sort(key=lambda info: (info.mtime_ns, info.path))
        return [_folder_name(info.path) for info in requests], any(info.base_name == CLOSED for info in objects)

    def _exists(self, name: str) -> bool:
        return self._filesystem.get_file_info(f"{self._folder}/{name}").type is pyarrow.fs.FileType.File

    def _write(self, name: str, text: str | bytes) -> None:
        with self._filesystem.open_output_stream(f"{self._folder}/{name}") as stream:
            stream.write(text.encode() if isinstance(text, str) else text)

    def _write_log(self, step: _Step) -> None:
        """Write the log of a step, if it has new lines."""
        with step.lock:
            count = len(step.lines)
            if count > step.written:
                self._write(f"{step.name}/{LOG}", "\n".join(step.lines[:count]) + "\n")
                step.written = count

    def _beat(self) -> None:
        """Write a heartbeat, if one is due."""
        if time.monotonic() - self._beat_at < HEARTBEAT_SECONDS:
            return
        phases = {step.name: step.phase for step in list(self._running.values())}
        self._write(HEARTBEAT, msgspec.json.encode(Heartbeat(datetime.now(UTC), phases)))
        self._beat_at = time.monotonic()

    # --- Steps -------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        """Start a request. A worker starts each one once, whatever a listing says."""
        step = self._running[name] = _Step(name)
        self._started.add(name)
        threading.Thread(target=self._execute, args=(step,), name=name, daemon=True).start()
        self._beat_at = 0.0  # the next heartbeat shows the phase at once

    def _stop(self, step: _Step) -> None:
        """Stop the queries of a step until it has ended: it may start others."""
        while step.name in self._running:
            if step.session is not None:
                try:
                    step.session.interruptAll()
                except Exception as error:  # noqa: BLE001 - of the JVM; the next attempt may succeed
                    _log.warning("%s: its queries cannot be stopped: %s", step.name, error)
            time.sleep(POLL_SECONDS)

    def _execute(self, step: _Step) -> None:
        """Execute a request, and answer it, whatever happens; only if Spark has ended, there is no answer."""
        try:
            answer = self._run(step)
        except StepError as error:
            answer = error.to_json()
        except Exception as error:  # noqa: BLE001 - the engine waits for an answer
            if not self._is_alive():
                return
            # It may quote rows, so it stays in the lake.
            self._write_surely(f"{step.name}/{TRACEBACK}", traceback.format_exc())
            answer = StepCrashError.from_exception(error).to_json()
        with suppress(OSError):  # the answer matters more
            self._write_log(step)
        self._write_surely(f"{step.name}/{RESULT}", answer)
        del self._running[step.name]

    def _run(self, step: _Step) -> str:
        """Run a step, and return the JSON of its result."""

        def ask() -> None:
            step.phase = Phase.COMMITTING
            if step.is_withdrawn or not self._exists(f"{step.name}/{REQUEST}"):
                raise WithdrawnError(f"{step.name}: the request was withdrawn")

        with self._filesystem.open_input_stream(f"{self._folder}/{step.name}/{REQUEST}") as stream:
            request = StepRequest.from_json(stream.read().decode())
        session = self._open_session(request.table)
        step.session = session
        return run_step(session, request, step.lines.append, before_commit=ask).to_json()

    def _write_surely(self, name: str, text: str) -> None:
        """Write an object, again and again while the storage fails: without it, a committed step would be repeated."""
        started = time.monotonic()
        while True:
            try:
                return self._write(name, text)
            except OSError as error:
                _log.warning("%s cannot be written: %s", name, error)
                if time.monotonic() - started > _MAX_OUTAGE_SECONDS:
                    raise
                time.sleep(POLL_SECONDS)


def _folder_name(path: str) -> str:
    return path.rsplit("/", 2)[-2]
