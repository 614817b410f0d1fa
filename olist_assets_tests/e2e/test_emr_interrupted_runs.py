"""Interrupted runs on EMR: a terminated run cancels its worker, and requests of a killed run are withdrawn."""

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
def test_a_terminated_run_cancels_its_worker(shop, when, how):
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
    wait_until(shop.is_idle)
    assert shop.lake.objects("raw") == []
    shop.cluster.hold.clear()
    shop.cluster.pause.unlink()
    assert shop.run() == ""  # at once: the withdrawn step is known to be over
    assert "withdrawing" not in shop.messages()
    assert shop.sellers() == ["s1", "s2"]


def run_in_process(service: str, root: Path, package: str) -> None:
    """A run in a process of its own."""
    lake = LakeOnS3(root, create_engine(service, f"s3://{BUCKET}/{root.name}", package, root.name))
    lake.materialize(*ASSETS, day=DAY)


def test_a_restarted_run_withdraws_the_request_of_the_killed_run(shop):
    shop.cluster.pause.touch()
    context = multiprocessing.get_context("spawn")
    killed = context.Process(target=run_in_process, args=(shop.service, shop.lake.root, shop.engine.package))
    killed.start()
    wait_until(lambda: any("worker.json" in path for path in shop.lake.objects("control/requests")), 60)
    killed.kill()
    killed.join()
    assert shop.cluster.running  # the worker lives on
    shop.cluster.before[SUBMIT[shop.service]] = shop.cluster.pause.unlink
    assert shop.run() == ""
    assert len(shop.cluster.jobs) == 2
    assert shop.sellers() == ["s1", "s2"]
    assert "withdrawing the last request on raw/sellers" in shop.messages()


def test_a_request_that_a_worker_has_not_seen_is_withdrawn_before_the_step_is_requested(shop):
    shop.cluster.hold.set()
    shop.leave_behind(NEXT_DAY)
    shop.cluster.before[SUBMIT[shop.service]] = shop.cluster.hold.clear
    assert shop.run() == ""
    assert shop.sellers() == ["s1", "s2"]
    [left] = [path for path in shop.lake.objects("control/requests/killed-run") if path.endswith(".json")] or [""]
    assert not left.endswith("request.json")


def test_the_sensor_cancels_the_jobs_of_its_run_only(shop):
    shop.cluster.hold.set()
    run = dg.DagsterRun(job_name="lakehouse", run_id=str(uuid.uuid4()))
    shop.leave_behind(DAY, run.run_id)
    other = shop.leave_behind(DAY, "another-run")
    [sensor, _] = orphaned_job_sensors(shop.engine)
    failed = dg.DagsterEvent("PIPELINE_FAILURE", "lakehouse")
    with dg.build_run_status_sensor_context(sensor.name, failed, dg.DagsterInstance.ephemeral(), run) as context:
        sensor(context)
    assert [job.id for job in shop.engine.live()] == [other]
