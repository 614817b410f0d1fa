"""A step as a job of a cluster: its key, its submission and its status."""

import os
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self

from olist_assets.engines.spark_properties import SPARK, s3_encryption
from spark_steps.protocol import StepRequest

ENVIRONMENT = "environment"
"""Folder that the packed environment is unpacked into on the machine of a step."""

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
        metadata: of a job that has ended, for Dagster's metadata: `seconds_waiting`, `seconds_running` and
            `estimated_cost_usd` (US dollars); on EMR Serverless `vcpu_hours` and `memory_gb_hours` too.
    """

    phase: JobPhase
    state: str
    reason: str = ""
    log: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class JobKey:
    """What a job does, and for which run. Its name encodes all of it.

    Attributes:
        lake: digest of the table's URI.
        table: the id of the table.
        request: digest of the step request without its run id. Equal digests mean identical work.
        run_id: the Dagster run that submitted the job.
    """

    lake: str
    table: str
    request: str
    run_id: str

    @classmethod
    def from_request(cls, request: StepRequest) -> Self:
        """The key of a request."""
        without_run = replace(request, run_id="")
        return cls(_digest(request.output.uri), request.table, _digest(without_run.to_json()), request.run_id)

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The key that a job's name encodes; None for jobs that others submitted."""
        prefix, *parts = name.split(" ")
        return cls(*parts) if prefix == "olist" and len(parts) == 4 else None  # noqa: PLR2004 - the fields

    @property
    def name(self) -> str:
        """The name of the job."""
        return f"olist {self.lake} {self.table} {self.request} {self.run_id}"

    @property
    def folder(self) -> str:
        """Path in the lake of the folder with its request and result."""
        return f"control/requests/{self.run_id}/{self.table.replace('/', '.')}.{self.request}"


@dataclass(frozen=True, slots=True)
class Submission:
    """What a service needs to start a job.

    Attributes:
        name: the job's name.
        steps, environment, main: URIs of the code.
        request, result: URIs of the step request, which exists, and of the result that the job writes.
    """

    name: str
    steps: str
    environment: str
    main: str
    request: str
    result: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of Spark's driver and executors, by name."""
        return {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}

    @property
    def spark_arguments(self) -> list[str]:
        """The options of spark-submit, which precede the main script."""
        properties = SPARK | _encryption()
        properties |= {f"spark.executorEnv.{name}": value for name, value in self.variables.items()}
        options = [word for name, value in properties.items() for word in ("--conf", f"{name}={value}")]
        return [*options, "--py-files", self.steps, "--archives", f"{self.environment}#{ENVIRONMENT}"]

    @property
    def arguments(self) -> list[str]:
        """The arguments of the main script."""
        return ["--request", self.request, "--result", self.result]


def _encryption() -> dict[str, str]:
    """Spark properties that make S3A and EMR's own file system encrypt as the variables say."""
    properties = s3_encryption()
    if properties:
        properties["spark.hadoop.fs.s3.enableServerSideEncryption"] = "true"
    if key := properties.get("spark.hadoop.fs.s3a.encryption.key"):
        properties["spark.hadoop.fs.s3.serverSideEncryption.kms.keyId"] = key
    return properties


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
