"""Waiting for jobs: polling until a result, a deadline or an error, and each change of state in one line."""

from collections.abc import Iterable

import pytest

from olist_assets.engines.remote.job import JobPhase, JobStatus
from olist_assets.engines.remote.waiting import DeadlineError, JobWaiter, log_changes, poll_until, wait_for_capacity
from olist_assets.errors import EngineError

WAITING = JobStatus(JobPhase.WAITING, "PENDING")
RUNNING = JobStatus(JobPhase.RUNNING, "RUNNING")
SUCCEEDED = JobStatus(JobPhase.SUCCEEDED, "COMPLETED")


class Service:
    """A service whose job has these states in order; the last one stays."""

    def __init__(self, states: Iterable[JobStatus]) -> None:
        self.states = list(states)
        self.canceled: list[str] = []

    def status(self, _job: str) -> JobStatus:
        """The next state."""
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def cancel(self, job: str) -> None:
        """Record the cancellation."""
        self.canceled.append(job)


def waiter(*states: JobStatus, start_minutes: float = 1, stop_seconds: float = 1) -> JobWaiter:
    return JobWaiter(Service(states), poll_seconds=0.001, start_minutes=start_minutes, stop_seconds=stop_seconds)


def test_polling_returns_the_first_result_even_if_it_is_false():
    results = iter([None, None, False, True])
    assert poll_until(lambda: next(results), pause=0.001) is False


def test_polling_ends_at_its_deadline_after_at_least_one_call():
    calls: list[None] = []
    with pytest.raises(DeadlineError):
        poll_until(lambda: calls.append(None), pause=0.001, deadline=0)
    assert len(calls) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_of_the_probe_ends_the_polling(error):
    def probe() -> None:
        raise error

    with pytest.raises(error):
        poll_until(probe, pause=0.001)


def test_each_change_of_state_is_logged_once():
    lines: list[str] = []
    assert waiter(WAITING, WAITING, RUNNING, RUNNING, SUCCEEDED).wait_for_end("j", lines.append) is SUCCEEDED
    assert lines == ["j is PENDING", "j is RUNNING", "j is COMPLETED"]


def test_a_line_has_the_reason_without_private_names():
    lines: list[str] = []
    assert log_changes(lines.append)("j is FAILED", "no s3://secret/a") == "j is FAILED: no s3://…/a"
    assert lines == ["j is FAILED: no s3://…/a"]


def test_a_job_that_does_not_start_in_time_is_an_error():
    with pytest.raises(EngineError, match=r"^j is PENDING, and did not start within 0 minutes: .*START_MINUTES$"):
        waiter(WAITING, start_minutes=0).wait_for_end("j", print)


def test_a_running_job_has_no_deadline():
    assert waiter(RUNNING, RUNNING, SUCCEEDED, start_minutes=0).wait_for_end("j", print) is SUCCEEDED


def test_a_canceled_job_is_waited_for_until_it_has_ended():
    stopping = waiter(RUNNING, JobStatus(JobPhase.CANCELLING, "CANCEL_PENDING"), SUCCEEDED)
    stopping.cancel_and_wait("j")
    assert stopping.service.canceled == ["j"]
    assert stopping.service.states == [SUCCEEDED]


def test_a_canceled_job_that_does_not_end_is_an_error():
    with pytest.raises(EngineError, match=r"^j was canceled, and did not end within 0 seconds$"):
        waiter(RUNNING, stop_seconds=0).cancel_and_wait("j")


def test_capacity_that_does_not_come_is_an_error():
    with pytest.raises(EngineError, match=r"^waited 0 minutes for the cluster x; see OLIST_EMR_START_MINUTES$"):
        wait_for_capacity(lambda: None, "the cluster x", poll_seconds=0.001, start_minutes=0)
