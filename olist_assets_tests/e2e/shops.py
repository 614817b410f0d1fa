"""A small lake on S3 with an EMR engine of its own, for tests of what surrounds a step."""

import uuid
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import dagster as dg

from olist_assets.engines.remote.base import RemoteEngine
from olist_assets.engines.remote.emr import EmrEngine
from olist_assets.engines.remote.emr_serverless import EmrServerlessEngine
from olist_assets.engines.remote.job import Submission, WorkerKey
from olist_assets.lake.layout import Lake
from olist_assets_tests.e2e.cluster import Cluster
from olist_assets_tests.lakes import TestLake
from spark_steps.protocol import StepRequest, Window

BUCKET = "olist-secret-lake"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/olist"
DAY, NEXT_DAY = "2018-05-10", "2018-05-11"
ASSETS = ("landzone/sellers", "raw/sellers")
SELLERS = "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns1,1001,sao paulo,SP\ns2,2002,rio,RJ\n"
FILE_NAME = "olist_sellers_dataset.csv"

LIST_JOBS = {"emr": "ListSteps", "emr-serverless": "ListJobRuns"}
SUBMIT = {"emr": "AddJobFlowSteps", "emr-serverless": "StartJobRun"}
CREATE = {"emr": "RunJobFlow", "emr-serverless": "CreateApplication"}
DESCRIBE = {"emr": "DescribeStep", "emr-serverless": "GetJobRun"}
CANCEL = {"emr": "CancelSteps", "emr-serverless": "CancelJobRun"}
"""The calls of each service."""


class LakeOnS3(TestLake):
    """A lake in a bucket, whose objects are files in the S3 server's folder."""

    __test__ = False

    @property
    def lake(self) -> Lake:
        """The lake that assets use."""
        return Lake(f"s3://{BUCKET}/{self.root.name}", self.after_raw)

    @property
    def source(self) -> Path:
        """The folder of this lake's deliveries, outside the buckets."""
        return self.root.parent.parent / "sources" / self.root.name


@dataclass
class Shop:
    """A lake of its own, and a cluster or application of the same name.

    Attributes:
        service: the engine's name.
        cluster: the stand-in for EMR that all tests share.
        lake: the lake.
        result: the result of the last run.
    """

    service: str
    cluster: Cluster
    lake: LakeOnS3
    result: dg.ExecuteInProcessResult | None = field(default=None)

    @property
    def engine(self) -> RemoteEngine:
        """The engine of the lake's steps."""
        return self.lake.engine

    def run(self, *assets: str, day: str = DAY, to: str | None = None) -> str:
        """Materialize assets, by default ASSETS. Returns the error of the run, or an empty text."""
        self.result = self.lake.materialize(*(assets or ASSETS), day=day, to=to, raise_on_error=False)
        failures = [event.step_failure_data for event in self.result.all_events if event.is_step_failure]
        if not failures:
            assert self.result.success
            return ""
        [failure] = failures
        assert failure.user_failure_data, failure.error.to_string()
        return failure.user_failure_data.description

    def configure(self, **settings: float) -> None:
        """Let the engine have these settings."""
        engine = self.engine
        self.lake.engine = create_engine(self.service, engine.lake, engine.package, self.lake.root.name, **settings)

    def sellers(self) -> list[str]:
        """The ids of the sellers in raw, one per row."""
        return sorted(row["seller_id"] for row in self.lake.read("raw/sellers", "seller_id"))

    def messages(self) -> str:
        """All texts of the last run in Dagster's events and log, and the control objects."""
        assert self.result is not None
        records = self.lake.instance.all_logs(self.result.run_id)
        objects = [(self.lake.root / path).read_text() for path in self.lake.objects("control/steps")]
        return "\n".join([*(f"{record.user_message}\n{record!r}" for record in records), *objects])

    def is_idle(self) -> bool:
        """Whether no job is live, and no process of a job runs."""
        return not list(self.engine.live()) and not self.cluster.running

    def cluster_ids(self) -> list[str]:
        """The ids of the clusters or applications of the shop's name."""
        own = self.cluster.emr.clusters if self.service == "emr" else self.cluster.serverless.applications
        return [entry.id for entry in own.values() if entry.name == self.lake.root.name]

    def leave_behind(self, day: str, run_id: str = "killed-run") -> str:
        """Leave behind what a killed run does: its worker, with a request on raw/sellers. Returns the worker's job."""
        window = Window.from_day(date.fromisoformat(day))
        request = StepRequest(
            output=self.lake.table("raw/sellers", window), window=window, run_id=run_id, code_version="any"
        )
        exchange = self.engine.submit_worker(WorkerKey.create(self.engine.lake, run_id), print)
        exchange.post(exchange.new_name(request), request)
        return exchange.job


def create_shop(service: str, cluster: Cluster, bucket: Path, package: str) -> Shop:
    """An empty lake with one day's delivery of sellers. Its cluster does not exist yet."""
    name = f"lake-{uuid.uuid4().hex[:8]}"
    lake = LakeOnS3(bucket / name, create_engine(service, f"s3://{BUCKET}/{name}", package, name))
    lake.deliver(DAY, FILE_NAME, SELLERS)
    return Shop(service, cluster, lake)


def create_engine(service: str, lake: str, package: str, name: str, **settings: float) -> RemoteEngine:
    """An engine that polls often, waits briefly, and retries nothing, except for these settings."""
    fields = {
        "lake": lake,
        "package": package,
        "logs": "s3://logs/emr",
        "start_minutes": 1,
        "poll_seconds": 0.1,
        "retries": 0,
        "retry_seconds": 0.1,
        "stop_seconds": 20,
        "log_seconds": 1,
        **settings,
    }
    if service == "emr":
        return EmrEngine(cluster=name, **fields)
    return EmrServerlessEngine(application=name, release="emr-7.10.0", role=ROLE, delta_jars="", **fields)


def submission(name: str) -> Submission:
    """A worker whose folder has no requests."""
    folder = f"s3://{BUCKET}/nothing"
    return Submission(
        name=name,
        steps=f"{folder}/a.zip",
        environment=f"{folder}/b.tar.gz",
        main=f"{folder}/c.py",
        requests=f"{folder}/requests",
        slots=1,
        idle_seconds=1,
    )


def assert_private(text: str) -> None:
    """Assert that no bucket, account or key is in the text."""
    for secret in (BUCKET, ACCOUNT, "shops-secret-key"):
        assert secret not in text, [line for line in text.splitlines() if secret in line]
