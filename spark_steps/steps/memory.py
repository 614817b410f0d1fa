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
    """Lets steps run beside each other, or one of them alone. No step starts before one that waits to run alone."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._running = 0
        self._runs_alone = False
        self._waiting_to_run_alone = 0

    @contextmanager
    def share(self, on_progress: Progress) -> Generator[float]:
        """Run a step beside others, after a wait while one runs alone. Yields the seconds of the wait."""
        asked = time.perf_counter()
        self._report_wait(self._may_share, "a step that runs alone", on_progress)
        with self._changed:
            self._changed.wait_for(self._may_share)
            self._running += 1
        try:
            yield time.perf_counter() - asked
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def take(self, on_progress: Progress) -> Generator[float]:
        """Run a step alone, after a wait for those that run. Yields the seconds of the wait."""
        asked = time.perf_counter()
        with self._changed:
            self._waiting_to_run_alone += 1
        try:
            self._report_wait(self._may_take, "the other steps", on_progress)
            with self._changed:
                self._changed.wait_for(self._may_take)
                self._runs_alone = True
        finally:
            with self._changed:
                self._waiting_to_run_alone -= 1
                self._changed.notify_all()
        try:
            yield time.perf_counter() - asked
        finally:
            with self._changed:
                self._runs_alone = False
                self._changed.notify_all()

    def _may_share(self) -> bool:
        return not self._runs_alone and not self._waiting_to_run_alone

    def _may_take(self) -> bool:
        return not self._runs_alone and not self._running

    def _report_wait(self, is_free: Callable[[], bool], reason: str, on_progress: Progress) -> None:
        """Report a wait. Not under the lock: a slow listener would delay all steps."""
        with self._changed:
            waits = not is_free()
        if waits:
            on_progress(f"waiting for {reason}")


MEMORY = Memory()
"""The memory of this process."""
