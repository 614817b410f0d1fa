"""Interrupted runs on EMR: a terminated run cancels its job, and jobs of a killed run are adopted or canceled."""

import multiprocessing
import os
import signal
import uuid
from pathlib import Path

import dagster as dg
import pytest

from olist_assets.orchestration.sensors import orphaned_job_sensors
from olist_assets_tests.e2e.cluster import StepProgram
from olist_assets_tests.e2e.servers import wait_until
from olist_assets_tests.e2e.shops import (
    ASSETS,
    BUCKET,
    DAY,
    DESCRIBE,
    NEXT_DAY,
    SUBMIT,
    LakeOnS3,
    create_engine,
)

STEP_PROGRAM = StepProgram.PREPARED


@pytest.mark.parametrize(("when", "how"), [("waiting", signal.SIGINT), ("running", signal.SIGTERM)])
def test_a_terminated_run_cancels_its_job(shop, when, how):
    def terminate() -> None:
        if when == "waiting" or shop.cluster.running:
            os.kill(os.getpid(), how)
        else:
            shop.cluster.before[DESCRIBE[shop.service]] = terminate

    if when == "waiting":
        shop.cluster.hold.set()
    shop.cluster.pause.touch()
    shop.cluster.before[DESCRIBE[shop.service]] = terminate
    result = shop.lake.materialize(*ASSETS, day=DAY, raise_on_error=False)
    [failure] = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    assert failure.cls_name == dg.DagsterExecutionInterruptedError.__name__
    [job] = shop.cluster.jobs
    assert job.cancelled
    assert shop.is_idle()
    assert shop.sellers() == []


def run_in_process(service: str, root: Path, package: str) -> None:
    """A run in a process of its own."""
    lake = LakeOnS3(root, create_engine(service, f"s3://{BUCKET}/{root.name}", package, root.name))
    lake.materialize(*ASSETS, day=DAY)


def test_a_restarted_run_adopts_the_job_of_the_killed_run(shop):
    shop.cluster.hold.set()
    context = multiprocessing.get_context("spawn")
    killed = context.Process(target=run_in_process, args=(shop.service, shop.lake.root, shop.engine.package))
    killed.start()
    wait_until(lambda: shop.cluster.jobs and shop.cluster.times(DESCRIBE[shop.service]) > 1)
    killed.kill()
    killed.join()
    shop.cluster.before[DESCRIBE[shop.service]] = shop.cluster.hold.clear
    assert shop.run() == ""
    [job] = shop.cluster.jobs
    assert not job.cancelled
    assert shop.sellers() == ["s1", "s2"]
    assert f"found identical job {shop.cluster_ids()[0]}/{job.id} of run" in shop.messages()


def test_an_orphaned_job_for_another_day_is_canceled_before_the_step_is_submitted(shop):
    shop.cluster.hold.set()
    shop.submit_orphan(NEXT_DAY)
    [orphan] = shop.cluster.jobs
    canceled_at_submission: list[bool] = []

    def observe() -> None:
        canceled_at_submission.append(orphan.cancelled)
        shop.cluster.hold.clear()

    shop.cluster.before[SUBMIT[shop.service]] = observe
    assert shop.run() == ""
    assert canceled_at_submission == [True]
    assert orphan.process is None
    assert shop.sellers() == ["s1", "s2"]


def test_the_sensor_cancels_the_jobs_of_its_run_only(shop):
    shop.cluster.hold.set()
    run = dg.DagsterRun(job_name="lakehouse", run_id=str(uuid.uuid4()))
    shop.submit_orphan(DAY, run.run_id)
    other = shop.submit_orphan(DAY, "another-run")
    [sensor, _] = orphaned_job_sensors(shop.engine)
    failed = dg.DagsterEvent("PIPELINE_FAILURE", "lakehouse")
    with dg.build_run_status_sensor_context(sensor.name, failed, dg.DagsterInstance.ephemeral(), run) as context:
        sensor(context)
    assert [job for job, _ in shop.engine.live()] == [other]
