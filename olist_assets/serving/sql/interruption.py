"""Queries that Ctrl-C ends at once."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from olist_assets.serving.sql.session import Session

T = TypeVar("T")

_MAX_WAIT_SECONDS = 5.0
"""How long the end of an interrupted query is waited for."""


def run_interruptible(session: Session, work: Callable[[], T]) -> T:
    """Do work with a session, such as a query and the fetch of its result, so that Ctrl-C ends it at once.

    DuckDB does not end a query if the thread that waits for it receives the signal; the next query, and closing the
    session, would wait for it. Therefore another thread does the work.

    Args:
        session: the session; it can be used again afterwards.
        work: a function that queries the session.

    Raises:
        KeyboardInterrupt: the user pressed Ctrl-C; the query has ended, or does not react.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised by the caller
            outcome.set_exception(error)

    worker = Thread(target=run, name="query", daemon=True)
    worker.start()
    try:
        return outcome.result()
    except KeyboardInterrupt:
        deadline = time.monotonic() + _MAX_WAIT_SECONDS
        while worker.is_alive() and time.monotonic() < deadline:
            session.interrupt()  # again, because a query that has just started would not notice
            worker.join(0.1)
        raise
