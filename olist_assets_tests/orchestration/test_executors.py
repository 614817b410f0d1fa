"""Executors and sensors of local and remote engines: concurrent steps, and the cancellation of orphaned jobs."""

from typing import ClassVar

import dagster as dg
import pytest

from olist_assets.engines.base import Engine
from olist_assets.engines.local.sail import SailEngine
from olist_assets.engines.remote.emr import EmrEngine
from olist_assets.engines.remote.emr_serverless import EmrServerlessEngine
from olist_assets.orchestration.executors import create_executor, pool_for
from olist_assets.orchestration.sensors import orphaned_job_sensors

REMOTE_ENGINES = (EmrEngine(lake="s3://shop/lake"), EmrServerlessEngine(lake="s3://shop/lake"))


class RecordingEngine(Engine):
    """An engine with one orphaned job per run."""

    is_remote: ClassVar[bool] = True
    canceled_runs: ClassVar[list[str]] = []

    @property
    def name(self):
        """Its name."""
        return "recording"

    def run(self, context, request):
        """Not called."""
        raise NotImplementedError

    def cancel_jobs(self, run_id):
        """Record the run."""
        self.canceled_runs.append(run_id)
        return [f"job of {run_id}"]


@dg.op
def fails():
    raise dg.Failure("expected")


@dg.job(executor_def=dg.in_process_executor)
def failing():
    fails()


ENDS: list[str] = []


@dg.op
def succeeds():
    pass


@dg.job(executor_def=create_executor(SailEngine(), 2, at_end=lambda: ENDS.append("end")))
def succeeding():
    succeeds()


@dg.job(executor_def=create_executor(SailEngine(), 2, at_end=lambda: ENDS.append("end")))
def failing_in_process():
    fails()


def succeeding_job():
    return succeeding


def failing_job():
    return failing_in_process


@pytest.mark.usefixtures("homes")
@pytest.mark.parametrize(("job", "success"), [(succeeding_job, True), (failing_job, False)])
def test_something_is_done_at_the_end_of_each_run(job, success):
    ENDS.clear()
    with dg.DagsterInstance.get() as instance:
        assert dg.execute_job(dg.reconstructable(job), instance=instance).success is success
    assert ENDS == ["end"]


def test_local_steps_run_in_the_process_of_their_run():
    assert create_executor(SailEngine(), 2).name == dg.in_process_executor.name
    assert orphaned_job_sensors(SailEngine()) == []
    assert pool_for("raw/orders", "sail") == "raw.orders"


@pytest.mark.parametrize("remote", REMOTE_ENGINES, ids=lambda remote: remote.name)
def test_remote_steps_run_concurrently_in_one_pool(remote):
    assert create_executor(remote, 2).name == dg.in_process_executor.name
    assert pool_for("raw/orders", remote.name) == "emr"
    assert [sensor.name for sensor in orphaned_job_sensors(remote)] == [
        "end_jobs_of_failure_runs",
        "end_jobs_of_canceled_runs",
    ]
    assert {sensor.default_status for sensor in orphaned_job_sensors(remote)} == {dg.DefaultSensorStatus.RUNNING}


def test_a_sensor_cancels_the_jobs_of_a_failed_run():
    engine = RecordingEngine()
    sensor = orphaned_job_sensors(engine)[0]
    with dg.DagsterInstance.ephemeral() as instance:
        result = failing.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_event=next(e for e in result.all_events if e.event_type is dg.DagsterEventType.RUN_FAILURE),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        )
        sensor(context)
    assert engine.canceled_runs == [result.run_id]
