"""Local steps run at the same time, as far as they do not depend on each other, and end when the run is interrupted."""

import os
import signal
import threading
from typing import ClassVar

import dagster as dg
import pytest

from olist_assets.engines.base import LocalEngine
from olist_assets.orchestration.executors import create_executor

SECONDS = 20
"""After this time, a test that waits for another thread fails."""


class WaitingEngine(LocalEngine):
    """An engine whose only query waits until it is stopped."""

    started: ClassVar[threading.Event] = threading.Event()
    stopped: ClassVar[threading.Event] = threading.Event()

    @property
    def name(self):
        """Its name."""
        return "waiting"

    def session(self, on_progress=None):
        """Not called."""
        raise NotImplementedError

    def query(self):
        """Wait, and fail as a stopped query does."""
        self.started.set()
        assert self.stopped.wait(SECONDS)
        raise RuntimeError("operation canceled")

    def stop_queries(self):
        """Let the query fail."""
        self.stopped.set()


@dg.op
def query(_start):
    engine = WaitingEngine()
    try:
        engine.query()
    except RuntimeError as error:
        assert engine.interrupted.is_set()
        raise dg.DagsterExecutionInterruptedError from error


def run(job, parallelism=2):
    """Run a job with the executor of local engines, and return its result with the ended steps in order."""
    executor = create_executor(WaitingEngine(), parallelism)
    definitions = dg.Definitions(jobs=[job], executor=executor)
    from dagster._core.definitions.job_base import InMemoryJob  # noqa: PLC0415
    from dagster._core.execution.execute_in_process import core_execute_in_process  # noqa: PLC0415

    with dg.DagsterInstance.ephemeral() as instance:
        result = core_execute_in_process(
            job=InMemoryJob(definitions.resolve_job_def(job.name)),
            instance=instance,
            run_config={},
            output_capturing_enabled=False,
            raise_on_error=False,
        )
        run = instance.get_run_by_id(result.run_id)
        ends = {
            record.event_log_entry.dagster_event.step_key: record.event_log_entry.dagster_event.event_type_value
            for record in instance.get_records_for_run(
                result.run_id,
                of_type={
                    dg.DagsterEventType.STEP_SUCCESS,
                    dg.DagsterEventType.STEP_FAILURE,
                },
            ).records
        }
    assert "olist/process" in run.tags
    return result, ends


def test_independent_steps_run_at_the_same_time():
    meeting = threading.Barrier(2, timeout=SECONDS)

    @dg.op
    def one():
        meeting.wait()

    @dg.op
    def two():
        meeting.wait()

    @dg.job
    def both():
        one()
        two()

    result, ends = run(both)
    assert (result.success, ends) == (True, {"one": "STEP_SUCCESS", "two": "STEP_SUCCESS"})


def test_a_retry_does_not_wait_for_the_end_of_other_steps():
    retried = threading.Event()

    @dg.op
    def fails_once(context):
        if not context.retry_number:
            raise dg.RetryRequested(1, 0.1)
        retried.set()

    @dg.op
    def waits():
        assert retried.wait(SECONDS)

    @dg.job
    def both():
        fails_once()
        waits()

    result, ends = run(both)
    assert (result.success, ends) == (True, {"fails_once": "STEP_SUCCESS", "waits": "STEP_SUCCESS"})


def test_no_more_steps_run_at_the_same_time_than_allowed():
    running, most = 0, 0
    lock = threading.Lock()

    def count():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.05)
        with lock:
            running -= 1

    ops = [dg.op(name=f"op_{number}")(count) for number in range(5)]

    @dg.job
    def many():
        for op in ops:
            op()

    result, ends = run(many, parallelism=2)
    assert (result.success, len(ends), most) == (True, 5, 2)


def test_a_failed_step_skips_what_depends_on_it_and_nothing_else():
    @dg.op
    def fails():
        raise dg.Failure("expected")

    @dg.op
    def depends(_value):
        pass

    @dg.op
    def independent():
        pass

    @dg.job
    def mixed():
        depends(fails())
        independent()

    result, ends = run(mixed)
    assert not result.success
    assert ends == {"fails": "STEP_FAILURE", "independent": "STEP_SUCCESS"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_stops_the_queries_of_running_steps_and_starts_no_other(number):
    WaitingEngine.started.clear()
    WaitingEngine.stopped.clear()

    @dg.op
    def interrupts():
        assert WaitingEngine.started.wait(SECONDS)
        os.kill(os.getpid(), number)

    @dg.op
    def never(_value):
        raise AssertionError

    @dg.op
    def start():
        pass

    @dg.job
    def interrupted():
        never(query(start()))
        interrupts()

    result, ends = run(interrupted)
    assert not result.success
    assert ends["query"] == "STEP_FAILURE"
    assert "never" not in ends
    [failure] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.RUN_FAILURE]
    assert failure.job_failure_data.error.cls_name == "DagsterExecutionInterruptedError"
