"""A step as a job of a cluster: what it is for, what a service has to know of it, and how it stands."""

import os
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self

from olist_assets.engines.spark_properties import SPARK, s3_encryption
from spark_steps.protocol import StepRequest

ENVIRONMENT = "environment"
"""The folder that the packed environment is unpacked into where a step runs."""

_VARIABLES = ("AWS_REGION", "AWS_SERVER_SIDE_ENCRYPTION", "AWS_SSE_KMS_KEY_ID")
"""What a step's own S3 clients are told; credentials are those of the cluster's role."""


class JobPhase(StrEnum):
    """Where a job stands, in the same words for every service."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "ending"  # cancelled, but not yet at its end
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Nothing of it runs any more."""
        return self in (JobPhase.SUCCEEDED, JobPhase.FAILED)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as its service describes it.

    Attributes:
        phase: where it stands.
        state: that in the service's own word.
        reason: why it waits or has failed, if the service says so.
        log: the URI of the driver's log, gzipped, if there is one.
        metadata: what is told of a job that has ended: seconds waiting and running, cost.
    """

    phase: JobPhase
    state: str
    reason: str = ""
    log: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobKey:
    """What a job is for; its name carries all of it.

    Attributes:
        lake: digest of the table's URI.
        table: the id of the table.
        request: digest of what is asked of the step.
        run_id: the Dagster run that asks.
    """

    lake: str
    table: str
    request: str
    run_id: str

    @classmethod
    def from_request(cls, request: StepRequest) -> Self:
        """What a request asks for."""
        asked = replace(request, run_id="")
        return cls(_digest(request.output.uri), request.table, _digest(asked.to_json()), request.run_id)

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The work of a job of this name; None if it is not one of these."""
        prefix, *parts = name.split(" ")
        return cls(*parts) if prefix == "olist" and len(parts) == 4 else None  # noqa: PLR2004 - the fields

    @property
    def name(self) -> str:
        """The name of its job."""
        return f"olist {self.lake} {self.table} {self.request} {self.run_id}"

    @property
    def folder(self) -> str:
        """Where in the lake its request and result lie."""
        return f"control/requests/{self.run_id}/{self.table.replace('/', '.')}.{self.request}"


@dataclass(frozen=True, slots=True)
class Submission:
    """All that a service needs to know of a job.

    Attributes:
        name: the job's name.
        steps, environment, main: URIs of the code.
        request, result: URIs of what goes in and comes out.
    """

    name: str
    steps: str
    environment: str
    main: str
    request: str
    result: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of Spark's driver and executors."""
        return {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}

    @property
    def spark_arguments(self) -> list[str]:
        """The options of spark-submit that say what runs, before the main script."""
        properties = SPARK | _encryption()
        properties |= {f"spark.executorEnv.{name}": value for name, value in self.variables.items()}
        options = [word for name, value in properties.items() for word in ("--conf", f"{name}={value}")]
        return [*options, "--py-files", self.steps, "--archives", f"{self.environment}#{ENVIRONMENT}"]

    @property
    def arguments(self) -> list[str]:
        """The arguments of the main script."""
        return ["--request", self.request, "--result", self.result]


def _encryption() -> dict[str, str]:
    """Spark properties by which S3A, and EMR's own file system, encrypt as the variables say."""
    properties = s3_encryption()
    if properties:
        properties["spark.hadoop.fs.s3.enableServerSideEncryption"] = "true"
    if key := properties.get("spark.hadoop.fs.s3a.encryption.key"):
        properties["spark.hadoop.fs.s3.serverSideEncryption.kms.keyId"] = key
    return properties


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
