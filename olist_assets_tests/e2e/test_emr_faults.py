"""What goes wrong with AWS: whatever is lost, refused, killed or late, the rows come out once, or one line says why.

The API is a stand-in's, the S3 server a real one. Each step is a real process, on Sail: what it computes is not the
matter here.
"""

import multiprocessing
import os
import re
import signal
import threading
import uuid
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import boto3
import dagster as dg
import pytest
from obstore.exceptions import PermissionDeniedError

from olist_assets.engines.local.sail import SailEngine
from olist_assets.engines.remote.base import RemoteEngine
from olist_assets.engines.remote.emr import EmrEngine
from olist_assets.engines.remote.emr_serverless import EmrServerlessEngine
from olist_assets.engines.remote.job import JobKey, Submission
from olist_assets.errors import OlistError
from olist_assets.lake.landzone import Landzone
from olist_assets.lake.layout import Lake
from olist_assets.lake.leases import LeaseUnavailableError, hold_lease
from olist_assets.lake.step_records import StepRecords
from olist_assets.orchestration.sensors import orphaned_job_sensors
from olist_assets_tests.e2e.cluster import Cluster, Fault
from olist_assets_tests.e2e.proxy import BadDay
from olist_assets_tests.e2e.servers import until
from olist_assets_tests.lakes import TestLake
from spark_steps.protocol import StepRequest, Window

ON_SPARK = False
BUCKET = "olist-secret-lake"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/olist"
DAY, NEXT_DAY = "2018-05-10", "2018-05-11"
ASSETS = ("landzone/sellers", "raw/sellers")
SELLERS = "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns1,1001,sao paulo,SP\ns2,2002,rio,RJ\n"
WITHOUT_A_COLUMN = "seller_id,seller_city,seller_state\ns1,sao paulo,SP\n"
NAME = "olist_sellers_dataset.csv"

CALLS = {
    "emr": ("ListClusters", "RunJobFlow", "DescribeCluster", "AddJobFlowSteps", "DescribeStep"),
    "emr-serverless": ("ListApplications", "CreateApplication", "StartJobRun", "GetJobRun"),
}
"""What a run of one step asks for where there is nothing yet."""

LISTS_JOBS = {"emr": "ListSteps", "emr-serverless": "ListJobRuns"}
SUBMITS = {"emr": "AddJobFlowSteps", "emr-serverless": "StartJobRun"}
CREATES = {"emr": "RunJobFlow", "emr-serverless": "CreateApplication"}
DESCRIBES = {"emr": "DescribeStep", "emr-serverless": "GetJobRun"}
CANCELS = {"emr": "CancelSteps", "emr-serverless": "CancelJobRun"}


class LakeOnS3(TestLake):
    """A lake in a bucket, whose objects are files of the S3 server's folder."""

    __test__ = False

    @property
    def lake(self) -> Lake:
        """The lake as assets see it."""
        return Lake(f"s3://{BUCKET}/{self.root.name}", self.after_raw)

    @property
    def source(self) -> Path:
        """The folder of the deliveries, beside the buckets and of this lake alone."""
        return self.root.parent.parent / "sources" / self.root.name


@dataclass
class Shop:
    """A lake of its own, and a cluster of its own name.

    Attributes:
        service: the engine's name.
        cluster: the stand-in for EMR, of all tests.
        lake: the lake.
    """

    service: str
    cluster: Cluster
    lake: LakeOnS3
    result: dg.ExecuteInProcessResult | None = field(default=None)

    @property
    def engine(self) -> RemoteEngine:
        """The engine that the lake's steps run on."""
        return self.lake.engine

    def run(self, *assets: str, day: str = DAY, to: str | None = None) -> str:
        """Materialise; the run's error, or nothing."""
        self.result = self.lake.materialize(*(assets or ASSETS), day=day, to=to, raise_on_error=False)
        failures = [event.step_failure_data for event in self.result.all_events if event.is_step_failure]
        if not failures:
            assert self.result.success
            return ""
        [failure] = failures
        assert failure.user_failure_data, failure.error.to_string()
        return failure.user_failure_data.description

    def sellers(self) -> list[str]:
        """The sellers that raw holds."""
        return sorted(row["seller_id"] for row in self.lake.read("raw/sellers", "seller_id"))

    def all_told(self) -> str:
        """All that a reader of Dagster's events, log and of the control objects sees of the last run."""
        assert self.result is not None
        records = self.lake.instance.all_logs(self.result.run_id)
        objects = [(self.lake.root / path).read_text() for path in self.lake.objects("control/steps")]
        return "\n".join([*(f"{record.user_message}\n{record!r}" for record in records), *objects])

    def nothing_runs(self) -> bool:
        """Whether no job is live, and no process of one runs."""
        return not list(self.engine.live()) and not self.cluster.running


def engine_of(service: str, lake: str, package: str, name: str, start_minutes: float = 1) -> RemoteEngine:
    """An engine that is in a hurry."""
    places = {"lake": lake, "package": package, "logs": "s3://logs/emr"}
    more = {**places, "start_minutes": start_minutes, "poll_seconds": 0.1, "log_seconds": 1}
    if service == "emr":
        return EmrEngine(cluster=name, **more)
    return EmrServerlessEngine(application=name, release="emr-7.10.0", role=ROLE, delta_jars="", **more)


@pytest.fixture(scope="module")
def bucket(s3_folder) -> Path:
    """The folder of the lakes' bucket."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    return s3_folder / BUCKET


@pytest.fixture
def shop(service, cluster, bucket, small_package):
    """An empty lake with a day's sellers delivered, and a cluster that is still to be created."""
    name = f"lake-{uuid.uuid4().hex[:8]}"
    engine = engine_of(service, f"s3://{BUCKET}/{name}", small_package, name)
    lake = LakeOnS3(bucket / name, engine)
    lake.deliver(DAY, NAME, SELLERS)
    for left in (cluster.calls, cluster.jobs, cluster.faults, cluster.before):
        left.clear()
    yield Shop(service, cluster, lake)
    cluster.faults.clear()
    for job, _ in engine.live():
        engine.cancel(job)
    for job in cluster.jobs:
        job.cancelled = True
    cluster.hold.clear()


def assert_private(text: str) -> None:
    """No bucket, account or key is in the text."""
    for secret in (BUCKET, ACCOUNT, "shops-secret-key"):
        assert secret not in text, [line for line in text.splitlines() if secret in line]


def clusters_of(shop: Shop) -> int:
    """How many clusters or applications of the shop's name there are."""
    there = shop.cluster.emr.clusters if shop.service == "emr" else shop.cluster.serverless.applications
    return sum(made.name == shop.lake.root.name for made in there.values())


def leave_a_job(shop: Shop, day: str, run_id: str = "a-run-that-was-killed") -> str:
    """Another run's job on raw/sellers, for a landing date; its id."""
    window = Window.from_day(date.fromisoformat(day))
    request = StepRequest(
        output=shop.lake.table("raw/sellers", window), window=window, run_id=run_id, code_version="any"
    )
    return shop.engine.submit(submission(JobKey.from_request(request).name), print)


def submission(name: str) -> Submission:
    """A job that fails once it runs: its request is not there."""
    place = f"s3://{BUCKET}/nothing"
    return Submission(
        name, f"{place}/a.zip", f"{place}/b.tar.gz", f"{place}/c.py", f"{place}/d.json", f"{place}/e.json"
    )


# --- Steps that fail -------------------------------------------------------------------------------------------------


def test_a_delivery_that_cannot_be_read_is_told_in_the_steps_own_line(shop):
    shop.lake.deliver(DAY, NAME, WITHOUT_A_COLUMN)
    error = shop.run()
    assert re.fullmatch(
        r"raw/sellers: \S+ of 2018-05-10 lacks the column seller_zip_code_prefix; take it out .*", error
    )
    assert len(shop.cluster.jobs) == 1
    assert_private(shop.all_told())


def test_a_driver_that_crashes_is_told_with_its_reason_and_the_end_of_its_log(shop):
    def spoil() -> None:
        [path] = shop.lake.objects("control/requests")
        key = f"{shop.lake.root.name}/{path}"
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=f'{{"output": "s3://{BUCKET}/x'.encode())

    shop.cluster.before[SUBMITS[shop.service]] = spoil
    error = shop.run()
    first, *lines = error.splitlines()
    reason = {"emr": "FAILED: Unknown Error.; exit code 1", "emr-serverless": "FAILED: exit code 1"}[shop.service]
    log = {"emr": r"\S+/steps/\S+", "emr-serverless": r"applications/\S+/jobs/\S+/SPARK_DRIVER"}[shop.service]
    assert re.fullmatch(rf"raw/sellers: \S+ is {reason}; its log, s3://…/emr/{log}/stderr.gz, ends:", first)
    assert lines[-1].startswith("json.decoder.JSONDecodeError: Unterminated string")
    assert len(lines) <= 15
    assert_private(shop.all_told())


def test_what_a_driver_says_of_buckets_and_accounts_is_not_told(shop):
    def take_away() -> None:
        [path] = shop.lake.objects("control/requests")
        boto3.client("s3").delete_object(Bucket=BUCKET, Key=f"{shop.lake.root.name}/{path}")

    shop.cluster.before[SUBMITS[shop.service]] = take_away
    error = shop.run()
    assert "FileNotFoundError" in error
    assert_private(shop.all_told())


@pytest.mark.parametrize("service", ["emr"], indirect=True)
@pytest.mark.parametrize("also_fails", [False, True])
def test_a_control_object_that_cannot_be_written_is_told_without_the_bucket(shop, monkeypatch, also_fails):
    def refuse(*_) -> None:
        raise PermissionDeniedError(f"PUT http://127.0.0.1/{BUCKET}/control/steps failed: 403")

    def fail(*_) -> None:
        raise OlistError("the step failed")

    monkeypatch.setattr(StepRecords, "write", refuse)
    if also_fails:
        monkeypatch.setattr(Landzone, "land", fail)
    error = shop.run("landzone/sellers")
    told = "the step's record cannot be written: PUT http://… failed: 403"
    assert error == ("the step failed" if also_fails else told)
    assert told in shop.all_told()
    assert_private(shop.all_told())


def test_a_step_that_never_starts_is_cancelled(shop):
    shop.cluster.hold.set()
    engine = shop.engine
    shop.lake.engine = engine_of(shop.service, engine.lake, engine.package, shop.lake.root.name, start_minutes=0.02)
    error = shop.run()
    state = {"emr": "PENDING", "emr-serverless": "SUBMITTED"}[shop.service]
    assert re.fullmatch(
        rf"\S+ is {state}, and did not start within 0.02 minutes: it was canceled; check the cluster's capacity, "
        "or set OLIST_EMR_START_MINUTES",
        error,
    )
    assert shop.nothing_runs()
    assert shop.lake.objects("raw") == []


# --- Clusters that end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["emr"], indirect=True)
def test_a_cluster_that_ends_while_a_step_is_added_is_replaced(shop):
    def end() -> None:
        [cluster] = [c for c in shop.cluster.emr.clusters.values() if c.name == shop.lake.root.name]
        cluster.terminate()

    shop.cluster.before["AddJobFlowSteps"] = end
    assert shop.run() == ""
    assert (clusters_of(shop), len(shop.cluster.jobs)) == (2, 1)
    assert shop.sellers() == ["s1", "s2"]


@pytest.mark.parametrize("service", ["emr"], indirect=True)
def test_a_cluster_that_ends_while_a_step_waits_is_told(shop):
    def end() -> None:
        [cluster] = [c for c in shop.cluster.emr.clusters.values() if c.name == shop.lake.root.name]
        cluster.terminate()

    shop.cluster.hold.set()
    shop.cluster.before["DescribeStep"] = end
    error = shop.run()
    assert re.match(
        r"raw/sellers: \S+ is PENDING, and its cluster TERMINATED; its log has not been written yet: s3://…/", error
    )
    assert len(error.splitlines()) == 1


# --- Calls that fail -------------------------------------------------------------------------------------------------


def assert_made_once_whatever_happens(shop: Shop) -> None:
    """Run the shop's day: all faults happen, and there is one cluster, one job, and each row once."""
    assert shop.run() == ""
    assert [fault for fault in shop.cluster.faults if fault.times] == []
    assert (clusters_of(shop), len(shop.cluster.jobs)) == (1, 1)
    assert shop.sellers() == ["s1", "s2"]


def test_calls_that_are_throttled_or_broken_are_made_again(shop):
    calls = CALLS[shop.service]
    shop.cluster.faults += [Fault(action, kind) for action in calls for kind in ("throttled", "broken")]
    assert_made_once_whatever_happens(shop)


def test_a_run_is_ended_though_calls_are_throttled_or_broken(shop):
    shop.cluster.hold.set()
    job = leave_a_job(shop, DAY, "run-a")
    actions = (LISTS_JOBS[shop.service], CANCELS[shop.service])
    shop.cluster.faults += [Fault(action, kind) for action in actions for kind in ("throttled", "broken")]
    assert shop.engine.cancel_jobs("run-a") == [job]
    assert [fault for fault in shop.cluster.faults if fault.times] == []
    assert shop.nothing_runs()


@pytest.mark.parametrize(
    ("service", "action"),
    [(service, action) for service, actions in CALLS.items() for action in actions],
    indirect=["service"],
)
def test_a_call_that_is_denied_is_not_made_again(shop, action):
    shop.cluster.hold.set()
    shop.cluster.faults += [Fault(action, "denied", times=99)]
    error = shop.run()
    assert re.fullmatch(
        rf"AWS error: An error occurred \(AccessDeniedException\) .* arn:aws:iam::…:user/a is not authorized: "
        rf"{action}",
        error,
    )
    asked_after_cancelling = action == DESCRIBES[shop.service]
    assert shop.cluster.times(action) == (2 if asked_after_cancelling else 1)
    shop.cluster.faults.clear()
    assert_private(shop.all_told())
    assert shop.nothing_runs()


def test_answers_that_get_lost_make_nothing_twice(shop):
    actions = (CREATES[shop.service], SUBMITS[shop.service])
    shop.cluster.faults += [Fault(action, "lost") for action in actions]
    assert_made_once_whatever_happens(shop)


def test_of_many_who_find_no_cluster_one_creates_it(shop):
    shop.cluster.hold.set()
    root, package, name = shop.engine.lake, shop.engine.package, shop.lake.root.name
    jobs: list[str] = []
    at_once = threading.Barrier(8)

    def submit(number: int) -> None:
        engine = engine_of(shop.service, root, package, name)
        at_once.wait()
        jobs.append(engine.submit(submission(f"job {number}"), print))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (clusters_of(shop), len(jobs), len({job.split("/")[0] for job in jobs})) == (1, 8, 1)


# --- Runs that end ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("when", "how"), [("waiting", signal.SIGINT), ("running", signal.SIGTERM)])
def test_a_run_that_is_terminated_cancels_its_job(shop, when, how):
    def look() -> None:
        if when == "waiting" or shop.cluster.running:
            os.kill(os.getpid(), how)
        else:
            shop.cluster.before[DESCRIBES[shop.service]] = look

    if when == "waiting":
        shop.cluster.hold.set()
    shop.cluster.before[DESCRIBES[shop.service]] = look
    result = shop.lake.materialize(*ASSETS, day=DAY, raise_on_error=False)
    [failure] = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    assert failure.cls_name == dg.DagsterExecutionInterruptedError.__name__
    [job] = shop.cluster.jobs
    assert job.cancelled
    assert shop.nothing_runs()
    assert shop.sellers() == []


def run_alone(service: str, root: Path, package: str) -> None:
    """A run in a process of its own."""
    lake = LakeOnS3(root, engine_of(service, f"s3://{BUCKET}/{root.name}", package, root.name))
    lake.materialize(*ASSETS, day=DAY)


def test_a_run_that_was_killed_and_starts_again_waits_for_the_job_that_it_left(shop):
    shop.cluster.hold.set()
    spawned = multiprocessing.get_context("spawn")
    killed = spawned.Process(target=run_alone, args=(shop.service, shop.lake.root, shop.engine.package))
    killed.start()
    until(lambda: shop.cluster.jobs and shop.cluster.times(DESCRIBES[shop.service]) > 1)
    killed.kill()
    killed.join()
    shop.cluster.before[DESCRIBES[shop.service]] = shop.cluster.hold.clear
    assert shop.run() == ""
    [job] = shop.cluster.jobs
    assert not job.cancelled
    assert shop.sellers() == ["s1", "s2"]
    assert f"found identical job {next(iter(made_by(shop)))}/{job.id} of run" in shop.all_told()


def made_by(shop: Shop) -> list[str]:
    """The ids of the clusters or applications of the shop's name."""
    there = shop.cluster.emr.clusters if shop.service == "emr" else shop.cluster.serverless.applications
    return [made.id for made in there.values() if made.name == shop.lake.root.name]


def test_what_a_killed_run_left_for_another_day_is_cancelled_before_the_step_is_submitted(shop):
    shop.cluster.hold.set()
    leave_a_job(shop, NEXT_DAY)
    [left] = shop.cluster.jobs
    seen: list[bool] = []

    def look() -> None:
        seen.append(left.cancelled)
        shop.cluster.hold.clear()

    shop.cluster.before[SUBMITS[shop.service]] = look
    assert shop.run() == ""
    assert seen == [True]
    assert left.process is None
    assert shop.sellers() == ["s1", "s2"]


def test_what_a_killed_run_left_is_ended_by_the_sensor_and_nothing_else_is(shop):
    shop.cluster.hold.set()
    run = dg.DagsterRun(job_name="lakehouse", run_id=str(uuid.uuid4()))
    leave_a_job(shop, DAY, run.run_id)
    other = leave_a_job(shop, DAY, "another-run")
    [sensor, _] = orphaned_job_sensors(shop.engine)
    failed = dg.DagsterEvent("PIPELINE_FAILURE", "lakehouse")
    with dg.build_run_status_sensor_context(sensor.name, failed, dg.DagsterInstance.ephemeral(), run) as context:
        sensor(context)
    assert [job for job, _ in shop.engine.live()] == [other]


# --- S3 on a bad day -------------------------------------------------------------------------------------------------


_THIRD_COMMIT = r"_delta_log/0*(?:[2-9]|[1-9]\d+)\.json$"
"""And later ones: after a lost answer the engine commits the same files anew, and gives up after so many times."""


@pytest.fixture
def bad_day(request, shop, monkeypatch):
    """S3 in front of which a proxy answers as the parameter says: each request for each object, once."""
    day = BadDay(os.environ["AWS_ENDPOINT_URL_S3"], request.param, spared=_THIRD_COMMIT)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, day.url)
        monkeypatch.setitem(shop.cluster.environment, name, day.url)
    yield day
    day.stop()


@pytest.mark.parametrize("service", ["emr-serverless"], indirect=True)
@pytest.mark.parametrize("bad_day", ["500", "503", "unsure", "lost"], indirect=True)
def test_a_lease_is_taken_and_given_back_on_a_bad_day(shop, bad_day):
    store = shop.lake.lake.store
    for run_id in ("run-a", "run-b"):
        with (
            hold_lease(store, "raw/sellers", run_id),
            pytest.raises(LeaseUnavailableError),
            hold_lease(store, "raw/sellers", "run-c"),
        ):
            pass
    assert bad_day.met


@pytest.mark.parametrize("service", ["emr-serverless"], indirect=True)
@pytest.mark.parametrize("bad_day", ["503", "lost"], indirect=True)
def test_rows_come_out_once_on_a_bad_day(shop, bad_day):
    ids = [f"s{number:02}" for number in range(20)]
    rows = "".join(f"{seller},1001,sao paulo,SP\n" for seller in ids)
    shop.lake.deliver(DAY, NAME, f"{SELLERS.splitlines()[0]}\n{rows}")  # more than the text of an error
    assert shop.run() == ""
    assert {method for method, _ in bad_day.met} >= {"PUT"}
    assert len(shop.cluster.jobs) == 1
    assert shop.sellers() == ids


# --- All engines -----------------------------------------------------------------------------------------------------


def test_tables_are_equal_whichever_engine_ran_the_steps(shop, tmp_path):
    assets = (*ASSETS, "trusted/sellers")
    assert shop.run(*assets) == ""
    local = TestLake(tmp_path / "lake", SailEngine())
    local.deliver(DAY, NAME, SELLERS)
    modified = (shop.lake.source / DAY / NAME).stat().st_mtime
    os.utime(local.source / DAY / NAME, (modified, modified))
    local.materialize(*assets, day=DAY)
    for table in assets[1:]:
        rows = [[{**row, "_run_id": ""} for row in lake.read(table)] for lake in (shop.lake, local)]
        assert rows[0] == rows[1]
        assert len(rows[0]) == 2
