"""Waiting: polling until a result, a deadline or an error, and each change of state in one line."""

import pytest

from olist_assets.engines.remote.waiting import DeadlineError, log_changes, poll_until, wait_for_capacity
from olist_assets.errors import EngineError


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
    log = log_changes(lines.append)
    for state in ("PENDING", "PENDING", "RUNNING", "RUNNING", "COMPLETED"):
        log(f"j is {state}", "")
    assert lines == ["j is PENDING", "j is RUNNING", "j is COMPLETED"]


def test_a_line_has_the_reason_without_private_names():
    lines: list[str] = []
    assert log_changes(lines.append)("j is FAILED", "no s3://secret/a") == "j is FAILED: no s3://…/a"
    assert lines == ["j is FAILED: no s3://…/a"]


def test_capacity_that_does_not_come_is_an_error():
    with pytest.raises(EngineError, match=r"^waited 0 minutes for the cluster x; see OLIST_EMR_START_MINUTES$"):
        wait_for_capacity(lambda: None, "the cluster x", poll_seconds=0.001, start_minutes=0)
