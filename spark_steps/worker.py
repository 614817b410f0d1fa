"""The worker of a run: one Spark session that executes the steps of the run, several at a time.

Engine and worker exchange objects in a folder of the lake. Only the worker's service, such as EMR, knows the machine.

    <table>.<digest>/request.json   a request; while it exists, the worker may commit its step
    <table>.<digest>/result.json    the answer: a result or a failure
    <table>.<digest>/log.txt        the step's log so far
    worker.json                     the worker's heartbeat: a time, and the phases of its steps
    closed.json                     there will be no more requests: the worker ends

The engine withdraws a request by deleting it. The worker then stops the step's queries, and answers as soon as nothing
of the step runs. A step never commits after its request was deleted, so a worker that its engine cannot reach any more
changes nothing.
"""

import threading
import time
import traceback
from collections.abc import Callable
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

REQUEST, RESULT, LOG = "request.json", "result.json", "log.txt"
HEARTBEAT, CLOSED = "worker.json", "closed.json"

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0


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
        written: how many of these lines have been written to its folder.
        is_withdrawn: whether its request has been deleted.
    """

    name: str
    session: StepSession | None = None
    phase: Phase = Phase.RUNNING
    lines: list[str] = field(default_factory=list[str])
    written: int = 0
    is_withdrawn: bool = False
    thread: threading.Thread | None = None


class Worker:
    """Executes the requests in a folder.

    It ends when the folder is closed, or when there was no request for a while: its engine may be dead.
    """

    def __init__(
        self, folder: str, open_session: Callable[[str], SparkSession], *, slots: int, idle_seconds: float
    ) -> None:
        """A worker.

        Args:
            folder: path or URI of the folder.
            open_session: opens a session of its own for the step of a table; its time zone must be UTC.
            slots: how many steps run at the same time.
            idle_seconds: seconds without a request after which the worker ends.
        """
        self._filesystem, self._folder = filesystems.resolve(folder)
        self._open_session = open_session
        self._slots = slots
        self._idle_seconds = idle_seconds
        self._running: dict[str, _Step] = {}
        self._beat_at = 0.0

    def run(self) -> None:
        """Execute requests until the worker ends."""
        last_busy = time.monotonic()
        while True:
            self._beat()  # before the first look: without a heartbeat, the worker knows no request
            requests, answered, is_closed = self._list()
            for step in list(self._running.values()):
                self._follow(step, is_withdrawn=step.name not in requests)
            waiting = [name for name in requests if name not in answered and name not in self._running]
            for name in waiting[: self._slots - len(self._running)]:
                self._start(name)
            if self._running or waiting:
                last_busy = time.monotonic()
            elif is_closed or time.monotonic() - last_busy > self._idle_seconds:
                return
            time.sleep(POLL_SECONDS)

    # --- The folder --------------------------------------------------------------------------------------------

    def _list(self) -> tuple[list[str], set[str], bool]:
        """The names of all requests, oldest first, and of those that are answered; whether the folder is closed."""
        selector = pyarrow.fs.FileSelector(self._folder, allow_not_found=True, recursive=True)
        objects = self._filesystem.get_file_info(selector)
        requests = sorted(
            (info for info in objects if info.base_name == REQUEST), key=lambda info: (info.mtime_ns, info.path)
        )
        return (
            [_folder_name(info.path) for info in requests],
            {_folder_name(info.path) for info in objects if info.base_name == RESULT},
            any(info.base_name == CLOSED for info in objects),
        )

    def _exists(self, name: str) -> bool:
        return self._filesystem.get_file_info(f"{self._folder}/{name}").type is pyarrow.fs.FileType.File

    def _write(self, name: str, text: str | bytes) -> None:
        with self._filesystem.open_output_stream(f"{self._folder}/{name}") as stream:
            stream.write(text.encode() if isinstance(text, str) else text)

    def _beat(self) -> None:
        """Write a heartbeat, if one is due."""
        if time.monotonic() - self._beat_at < HEARTBEAT_SECONDS:
            return
        phases = {step.name: step.phase for step in self._running.values()}
        self._write(HEARTBEAT, msgspec.json.encode(Heartbeat(datetime.now(UTC), phases)))
        self._beat_at = time.monotonic()

    # --- Steps -------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        step = self._running[name] = _Step(name)
        step.thread = threading.Thread(target=self._execute, args=(step,), name=name, daemon=True)
        step.thread.start()
        self._beat_at = 0  # the engine shows the phase

    def _follow(self, step: _Step, *, is_withdrawn: bool) -> None:
        """Write new lines of a step's log, stop its queries if it is withdrawn, and forget it when it has ended."""
        assert step.thread is not None  # noqa: S101 - `_start` has set it
        ended = not step.thread.is_alive()
        if len(step.lines) > step.written:
            count = len(step.lines)
            self._write(f"{step.name}/{LOG}", "\n".join(step.lines[:count]) + "\n")
            step.written = count
        if ended:
            del self._running[step.name]
        elif is_withdrawn:
            step.is_withdrawn = True
            if step.session is not None:
                step.session.interruptAll()  # again each time: the step may have started another query meanwhile

    def _execute(self, step: _Step) -> None:
        """Execute a request, and write its answer, whatever happens."""

        def ask() -> None:
            step.phase = Phase.COMMITTING
            if step.is_withdrawn or not self._exists(f"{step.name}/{REQUEST}"):
                raise WithdrawnError(f"{step.name}: the request was withdrawn")

        try:
            with self._filesystem.open_input_stream(f"{self._folder}/{step.name}/{REQUEST}") as stream:
                request = StepRequest.from_json(stream.read().decode())
            session = self._open_session(request.table)
            step.session = session
            answer = run_step(session, request, step.lines.append, before_commit=ask).to_json()
        except StepError as error:
            answer = error.to_json()
        except Exception as error:  # noqa: BLE001 - the engine waits for an answer
            step.lines.extend(traceback.format_exc().splitlines())
            answer = StepCrashError.from_exception(error).to_json()
        self._write(f"{step.name}/{RESULT}", answer)


def _folder_name(path: str) -> str:
    return path.rsplit("/", 2)[-2]
