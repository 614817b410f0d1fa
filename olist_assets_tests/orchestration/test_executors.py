"""How runs are carried out where steps run elsewhere: many at a time, and what a run leaves is ended."""

from typing import ClassVar

import dagster as dg
import pytest

from olist_assets.engines.base import Engine
from olist_assets.engines.local.sail import SailEngine
from olist_assets.engines.remote.emr import EmrEngine
from olist_assets.engines.remote.emr_serverless import EmrServerlessEngine
from olist_assets.orchestration.executors import create_executor, pool_for
from olist_assets.orchestration.sensors import orphaned_job_sensors

ELSEWHERE = (EmrEngine(lake="s3://shop/lake"), EmrServerlessEngine(lake="s3://shop/lake"))


class Recording(Engine):
    """An engine with one job of each run left."""

    is_remote: ClassVar[bool] = True
    ended: ClassVar[list[str]] = []

    @property
    def name(self):
        """Its name."""
        return "recording"

    def run(self, context, request):
        """Nothing is run."""
        raise NotImplementedError

    def cancel_jobs(self, run_id):
        """Note the run."""
        self.ended.append(run_id)
        return [f"job of {run_id}"]


@dg.op
def fails():
    raise dg.Failure("as it shall")


@dg.job(executor_def=dg.in_process_executor)
def failing():
    fails()


def test_local_steps_share_the_process_of_their_run():
    assert create_executor(SailEngine()) is dg.in_process_executor
    assert orphaned_job_sensors(SailEngine()) == []
    assert pool_for("raw/orders", "sail") == "raw.orders"


@pytest.mark.parametrize("cluster", ELSEWHERE, ids=lambda cluster: cluster.name)
def test_steps_elsewhere_run_many_at_a_time_in_one_pool(cluster):
    assert create_executor(cluster).name == dg.multiprocess_executor.name
    assert pool_for("raw/orders", cluster.name) == "emr"
    assert [sensor.name for sensor in orphaned_job_sensors(cluster)] == [
        "end_jobs_of_failure_runs",
        "end_jobs_of_canceled_runs",
    ]
    assert {sensor.default_status for sensor in orphaned_job_sensors(cluster)} == {dg.DefaultSensorStatus.RUNNING}


def test_a_sensor_ends_what_a_failed_run_has_left():
    engine = Recording()
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
    assert engine.ended == [result.run_id]
