"""A worker as a job of a service: its key, its submission and its status."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple, Self

from olist_assets.engines.spark_properties import SPARK, s3_encryption

TAG = "olist:lakehouse"
"""The tag of the project's own clusters, applications and job runs, which the roles in deploy/ require."""

ENVIRONMENT = "environment"
"""Folder that the packed environment is unpacked into on the machine of a step."""

_WORKER = {
    "spark.scheduler.mode": "FAIR",  # concurrent steps share the executors
    # The defaults, 200 and 50, are for tables that are thousand times as large.
    "spark.sql.shuffle.partitions": "16",
    "spark.databricks.delta.snapshotPartitions": "4",
}
"""Spark properties of a worker."""

_NAME = re.compile(r"olist (?P<lake>[0-9a-f]{12}) (?P<run_id>\S+) (?P<attempt>\d+)")

_VARIABLES = ("AWS_REGION", "AWS_SERVER_SIDE_ENCRYPTION", "AWS_SSE_KMS_KEY_ID")
"""Variables that a step's S3 clients need. Credentials are those of the cluster's role."""


class JobPhase(StrEnum):
    """The state of a job, in the same terms for every service."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"  # canceled, but still running
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing of the job runs any more."""
        return self in (JobPhase.SUCCEEDED, JobPhase.FAILED)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as its service describes it.

    Attributes:
        phase: its state in the common terms.
        state: its state in the service's own word.
        reason: why it waits or has failed, if the service gives a reason.
        log: the URI of the driver's log, gzipped, if there is one.
    """

    phase: JobPhase
    state: str
    reason: str = ""
    log: str | None = None


@dataclass(frozen=True, slots=True)
class WorkerKey:
    """Which worker a job is. The job's name encodes it.

    Attributes:
        lake: digest of the lake's URI.
        run_id: the Dagster run whose steps it executes.
        attempt: 1, and more if earlier workers of the run have ended too early.
    """

    lake: str
    run_id: str
    attempt: int = 1

    @classmethod
    def create(cls, lake: str, run_id: str, attempt: int = 1) -> Self:
        """The key of a worker on the lake at a URI."""
        return cls(sha256(lake.encode()).hexdigest()[:12], run_id, attempt)

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The key that a job's name encodes; None for jobs that others submitted."""
        match = _NAME.fullmatch(name)
        return cls(match["lake"], match["run_id"], int(match["attempt"])) if match else None

    @property
    def name(self) -> str:
        """The name of the job."""
        return f"olist {self.lake} {self.run_id} {self.attempt}"

    @property
    def folder(self) -> str:
        """Path in the lake of the folder with its requests."""
        return f"control/requests/{self.run_id}/{self.attempt}"


class LiveJob(NamedTuple):
    """A job that has not ended.

    Attributes:
        id: its id.
        name: its name.
        state: its state in the service's own word.
    """

    id: str
    name: str
    state: str

    @property
    def key(self) -> WorkerKey | None:
        """Which worker it is; None for a job that others submitted."""
        return WorkerKey.parse(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a service needs to start a worker.

    Attributes:
        name: the job's name.
        steps, environment, main: URIs of the code.
        requests: URI of the folder with the requests.
        slots: how many steps the worker executes at the same time.
        idle_seconds: seconds without a request after which it ends.
    """

    name: str
    steps: str
    environment: str
    main: str
    requests: str
    slots: int
    idle_seconds: int

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of Spark's driver and executors, by name."""
        return {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}

    @property
    def spark_arguments(self) -> list[str]:
        """The options of spark-submit, which precede the main script."""
        properties = SPARK | _encryption() | _WORKER
        properties |= {f"spark.executorEnv.{name}": value for name, value in self.variables.items()}
        return [*spark_options(properties), "--py-files", self.steps, "--archives", f"{self.environment}#{ENVIRONMENT}"]

    @property
    def arguments(self) -> list[str]:
        """The arguments of the main script."""
        return ["--requests", self.requests, "--slots", f"{self.slots}", "--idle-seconds", f"{self.idle_seconds}"]


def spark_options(properties: Mapping[str, str]) -> list[str]:
    """The options of spark-submit that set properties."""
    return [word for name, value in properties.items() for word in ("--conf", f"{name}={value}")]


def _encryption() -> dict[str, str]:
    """Spark properties that make S3A and EMR's own file system encrypt as the variables say."""
    properties = s3_encryption()
    if properties:
        properties["spark.hadoop.fs.s3.enableServerSideEncryption"] = "true"
    if key := properties.get("spark.hadoop.fs.s3a.encryption.key"):
        properties["spark.hadoop.fs.s3.serverSideEncryption.kms.keyId"] = key
    return properties
