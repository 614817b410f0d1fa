"""The memory of an engine that has a limit; the steps of a process share it.

A query takes what the queries of other steps leave, and fails if that does not suffice.
"""

import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Condition

from spark_steps.protocol import Progress

_SHORTAGE = re.compile(r"for the total memory pool|Resources exhausted")
"""Sail's errors about a lack of memory."""


def is_shortage(error: BaseException) -> bool:
    """Whether a query failed because it lacked memory."""
    return _SHORTAGE.search(str(error)) is not None


class Memory:
    """Lets steps run beside each other, or one of them alone. A step that waits to run alone goes before others."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._running = 0
        self._waiting_for_all = 0
        self._is_taken = False

    @contextmanager
    def share(self, on_progress: Progress) -> Generator[float]:
        """Run a step beside others, after a wait while one runs alone. Yields the seconds of the wait."""
        with self._changed:
            seconds = self._wait(lambda: not self._is_taken and not self._waiting_for_all, "a large step", on_progress)
            self._running += 1
        try:
            yield seconds
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def take(self, on_progress: Progress) -> Generator[float]:
        """Run a step alone, after a wait for those that run. Yields the seconds of the wait."""
        with self._changed:
            self._waiting_for_all += 1
            try:
                seconds = self._wait(lambda: not self._is_taken and not self._running, "the other steps", on_progress)
            finally:
                self._waiting_for_all -= 1
            self._is_taken = True
        try:
            yield seconds
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()

    def _wait(self, is_free: Callable[[], bool], reason: str, on_progress: Progress) -> float:
        asked = time.perf_counter()
        if not is_free():
            on_progress(f"waiting for {reason}")
            self._changed.wait_for(is_free)
        return time.perf_counter() - asked


MEMORY = Memory()
"""The memory of this process."""
