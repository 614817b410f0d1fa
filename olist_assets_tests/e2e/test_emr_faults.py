"""Faults of EMR: steps that fail, workers that crash, clusters that terminate, and calls that fail.

Rows are written exactly once, or one line names the cause. The API is a stand-in, the S3 server a real one, and each
worker a real process with prepared answers, because what its steps compute does not matter here.
"""

import re
import threading

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from olist_assets.engines.remote.exchange import Exchange
from olist_assets.engines.remote.job import WorkerKey
from olist_assets.engines.remote.settings import EmrFields
from olist_assets.errors import OlistError
from olist_assets.lake.landzone import Landzone
from olist_assets.lake.step_records import StepRecords
from olist_assets_tests.e2e.cluster import Fault, StepProgram
from olist_assets_tests.e2e.servers import wait_until
from olist_assets_tests.e2e.shops import (
    BUCKET,
    CANCEL,
    CREATE,
    DAY,
    DESCRIBE,
    LIST_JOBS,
    SUBMIT,
    Shop,
    assert_private,
    create_engine,
    submission,
)
from spark_steps.protocol import StepError

STEP_PROGRAM = StepProgram.PREPARED

CALLS = {
    "emr": ("ListClusters", "RunJobFlow", "DescribeCluster", "AddJobFlowSteps", "DescribeStep"),
    "emr-serverless": ("ListApplications", "CreateApplication", "StartJobRun", "GetJobRun"),
}
"""The calls of a run of one step in an empty account."""


# --- Steps that fail -------------------------------------------------------------------------------------------------


def test_a_step_that_cannot_be_done_fails_with_its_own_line(shop):
    shop.cluster.prepare_result(StepError("raw/sellers: sellers.csv of 2018-05-10 lacks the column seller_id"))
    assert shop.run() == "raw/sellers: sellers.csv of 2018-05-10 lacks the column seller_id"
    assert len(shop.cluster.jobs) == 1
    assert_private(shop.messages())


def test_a_crashed_worker_is_replaced_once_and_reported_with_the_tail_of_its_log(shop):
    shop.cluster.crash.write_text(f"no memory for s3://{BUCKET}/x")
    error = shop.run()
    first, *lines = error.splitlines()
    reason = {"emr": "FAILED: Unknown Error.; exit code 1", "emr-serverless": "FAILED: exit code 1"}[shop.service]
    log = {"emr": r"\S+/steps/\S+", "emr-serverless": r"applications/\S+/jobs/\S+/SPARK_DRIVER"}[shop.service]
    assert re.fullmatch(rf"\S+ is {reason}; its log, s3://…/emr/{log}/stderr.gz, ends:", first)
    assert lines[-1] == "MemoryError: no memory for s3://…/x"
    assert len(lines) <= 15
    assert len(shop.cluster.jobs) == 2
    assert "submitting another worker" in shop.messages()
    assert shop.sellers() == []
    assert_private(shop.messages())


def test_a_run_continues_on_another_worker(shop):
    shop.cluster.crash.write_text("no memory")
    shop.cluster.before[SUBMIT[shop.service]] = lambda: shop.cluster.before.update(
        {SUBMIT[shop.service]: shop.cluster.crash.unlink}
    )
    assert shop.run() == ""
    assert len(shop.cluster.jobs) == 2
    assert shop.sellers() == ["s1", "s2"]


def test_a_step_is_retried_after_an_outage(shop):
    crashed = []

    def crash_twice() -> None:
        crashed.append(1)
        if len(crashed) > 2:
            shop.cluster.crash.unlink()
        else:
            shop.cluster.before[SUBMIT[shop.service]] = crash_twice

    shop.cluster.crash.write_text("no memory")
    shop.cluster.before[SUBMIT[shop.service]] = crash_twice
    shop.configure(retries=1)
    assert shop.run() == ""
    assert len(shop.cluster.jobs) == 3
    assert shop.sellers() == ["s1", "s2"]


@pytest.mark.parametrize("service", ["emr"], indirect=True)
def test_a_step_is_retried_after_an_outage_of_s3(shop, monkeypatch):
    failures = [GenericError(f"PUT http://127.0.0.1/{BUCKET}/control/requests failed: 503")]

    def post(self, name, request, *, _post=Exchange.post) -> None:
        if failures:
            raise failures.pop()
        _post(self, name, request)

    monkeypatch.setattr(Exchange, "post", post)
    shop.configure(retries=1)
    assert shop.run() == ""
    assert "retry in 0.1 s" in shop.messages()
    assert shop.sellers() == ["s1", "s2"]
    assert_private(shop.messages())


@pytest.mark.parametrize("service", ["emr-serverless"], indirect=True)
def test_retries_wait_for_the_capacity_of_an_application(shop):
    shop.configure(max_vcpus=12, retries=5)
    other = shop.engine.submit_worker(WorkerKey.create("s3://other/lake", "other"), print)  # 8 vCPUs, as the worker
    wait_until(lambda: shop.cluster.running)

    def submit_again(times: int) -> None:
        if times == 3:
            shop.engine.cancel(other.job)
        else:
            shop.cluster.before["StartJobRun"] = lambda: submit_again(times + 1)

    shop.cluster.before["StartJobRun"] = lambda: submit_again(1)
    assert shop.run() == ""
    assert len(shop.cluster.jobs) >= 4
    assert "ApplicationMaxCapacityExceededException" in shop.messages()
    assert shop.sellers() == ["s1", "s2"]


@pytest.mark.parametrize("service", ["emr"], indirect=True)
@pytest.mark.parametrize("also_fails", [False, True])
def test_an_unwritable_control_object_is_reported_without_the_bucket(shop, monkeypatch, also_fails):
    def refuse(*_) -> None:
        raise PermissionDeniedError(f"PUT http://127.0.0.1/{BUCKET}/control/steps failed: 403")

    def fail(*_) -> None:
        raise OlistError("the step failed")

    monkeypatch.setattr(StepRecords, "write", refuse)
    if also_fails:
        monkeypatch.setattr(Landzone, "land", fail)
    error = shop.run("landzone/sellers")
    message = "the step's record cannot be written: PUT http://… failed: 403"
    assert error == ("the step failed" if also_fails else message)
    assert message in shop.messages()
    assert_private(shop.messages())


def test_a_worker_that_never_starts_is_canceled(shop):
    shop.cluster.hold.set()
    shop.configure(start_minutes=0.02)
    error = shop.run()
    state = {"emr": "PENDING", "emr-serverless": "SUBMITTED"}[shop.service]
    assert re.fullmatch(
        rf"\S+ is {state}, and did not start within 0.02 minutes: it was canceled; check the cluster's capacity, "
        "or set OLIST_EMR_START_MINUTES",
        error,
    )
    assert shop.is_idle()
    assert shop.lake.objects("raw") == []


# --- Clusters that end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["emr"], indirect=True)
def test_a_cluster_that_terminates_while_a_step_is_added_is_replaced(shop):
    def terminate() -> None:
        [cluster] = [c for c in shop.cluster.emr.clusters.values() if c.name == shop.lake.root.name]
        cluster.terminate()

    shop.cluster.before["AddJobFlowSteps"] = terminate
    assert shop.run() == ""
    assert (len(shop.cluster_ids()), len(shop.cluster.jobs)) == (2, 1)
    assert shop.sellers() == ["s1", "s2"]


@pytest.mark.parametrize("service", ["emr"], indirect=True)
def test_a_cluster_that_terminates_while_the_worker_waits_is_replaced(shop):
    def terminate() -> None:
        [cluster] = [c for c in shop.cluster.emr.clusters.values() if c.name == shop.lake.root.name]
        cluster.terminate()
        shop.cluster.jobs[0].cancelled = True
        shop.cluster.hold.clear()

    shop.cluster.hold.set()
    shop.cluster.before["DescribeStep"] = terminate
    assert shop.run() == ""
    assert "is PENDING, and its cluster TERMINATED; submitting another worker" in shop.messages()
    assert (len(shop.cluster_ids()), len(shop.cluster.jobs)) == (2, 2)
    assert shop.sellers() == ["s1", "s2"]


# --- Calls that fail -------------------------------------------------------------------------------------------------


def assert_created_and_run_once(shop: Shop) -> None:
    """Run the shop's day, and assert that all faults occurred, with one cluster, one job, and each row once."""
    assert shop.run() == ""
    assert [fault for fault in shop.cluster.faults if fault.times] == []
    assert (len(shop.cluster_ids()), len(shop.cluster.jobs)) == (1, 1)
    assert shop.sellers() == ["s1", "s2"]


def test_throttled_and_failed_calls_are_retried(shop):
    calls = CALLS[shop.service]
    shop.cluster.faults += [Fault(action, kind) for action in calls for kind in ("throttled", "server_error")]
    assert_created_and_run_once(shop)


def test_jobs_are_canceled_though_calls_are_throttled_or_fail(shop):
    shop.cluster.hold.set()
    job = shop.leave_behind(DAY, "run-a")
    actions = (LIST_JOBS[shop.service], CANCEL[shop.service])
    shop.cluster.faults += [Fault(action, kind) for action in actions for kind in ("throttled", "server_error")]
    assert shop.engine.cancel_jobs("run-a") == [job]
    assert [fault for fault in shop.cluster.faults if fault.times] == []
    assert shop.is_idle()


@pytest.mark.parametrize(
    ("service", "action"),
    [(service, action) for service, actions in CALLS.items() for action in actions if action != DESCRIBE[service]],
    indirect=["service"],
)
def test_a_denied_call_is_not_retried(shop, action):
    shop.cluster.hold.set()
    shop.cluster.faults += [Fault(action, "denied", times=99)]
    error = shop.run()
    assert re.fullmatch(
        rf"AWS error: An error occurred \(AccessDeniedException\) .* arn:aws:iam::…:user/a is not authorized: "
        rf"{action}",
        error,
    )
    assert shop.cluster.times(action) == 1
    shop.cluster.faults.clear()
    assert_private(shop.messages())
    assert shop.is_idle()


@pytest.mark.parametrize("kind", ["denied", "throttled", "expired"])
def test_work_goes_on_while_the_service_does_not_answer(shop, kind):
    shop.cluster.faults += [Fault(DESCRIBE[shop.service], kind, times=999)]
    assert shop.run() == ""
    assert shop.messages().count("the service does not answer, and the work goes on") <= 2  # an event, and its repr
    assert shop.sellers() == ["s1", "s2"]
    assert_private(shop.messages())


@pytest.mark.parametrize("service", ["emr"], indirect=True)
def test_a_run_stays_within_emrs_quotas(shop):
    default = EmrFields.model_fields["poll_seconds"].default
    shop.configure(poll_seconds=default)
    shop.cluster.refused = 0
    shop.cluster.quotas.set()
    assert shop.run() == ""
    assert shop.cluster.refused == 0
    assert shop.sellers() == ["s1", "s2"]


def test_lost_answers_create_nothing_twice(shop):
    actions = (CREATE[shop.service], SUBMIT[shop.service])
    shop.cluster.faults += [Fault(action, "lost") for action in actions]
    shop.cluster.hold.set()  # a lost job is looked up among those that have not ended, so it must not end before
    shop.cluster.before[DESCRIBE[shop.service]] = shop.cluster.hold.clear
    assert_created_and_run_once(shop)


def test_one_of_several_processes_creates_the_missing_cluster(shop):
    shop.cluster.hold.set()
    root, package, name = shop.engine.lake, shop.engine.package, shop.lake.root.name
    jobs: list[str] = []
    at_once = threading.Barrier(8)

    def submit(number: int) -> None:
        engine = create_engine(shop.service, root, package, name)
        at_once.wait()
        jobs.append(engine.submit(submission(f"job {number}"), print))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(shop.cluster_ids()), len(jobs), len({job.split("/")[0] for job in jobs})) == (1, 8, 1)
