"""Amazon EMR Serverless: a job run a step, of an application that is found by its name or created."""

import shlex
import uuid
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from olist_assets.aws.clients import create_client
from olist_assets.engines.remote.base import RemoteEngine
from olist_assets.engines.remote.job import ENVIRONMENT, JobPhase, JobStatus, Submission

_PYTHON = f"./{ENVIRONMENT}/bin/python"
_LIVE_APPLICATION = ["CREATING", "CREATED", "STARTING", "STARTED", "STOPPING", "STOPPED"]
_PHASES = {
    "SUBMITTED": JobPhase.WAITING,
    "PENDING": JobPhase.WAITING,
    "QUEUED": JobPhase.WAITING,
    "SCHEDULED": JobPhase.WAITING,
    "RUNNING": JobPhase.RUNNING,
    "CANCELLING": JobPhase.CANCELLING,
    "SUCCESS": JobPhase.SUCCEEDED,
    "FAILED": JobPhase.FAILED,
    "CANCELLED": JobPhase.FAILED,
}
_LIVE_JOB = [state for state, phase in _PHASES.items() if not phase.ended]


class EmrServerlessEngine(RemoteEngine):
    """Runs each step as a job run of EMR Serverless.

    Attributes:
        application: name of the application that is found, or created.
        release: release label of an application that is created.
        role: ARN of the role that jobs run under.
        subnets: where its workers may be, the ids of subnets; outside of any VPC if there are none.
        security_groups: of its workers, if they are in a VPC.
        delta_jars: Delta's jars on its image.
        max_vcpus: the vCPUs that an application that is created may have at a time.
        idle_minutes: how long the application may be idle before it stops.
        logs: where logs are put, an s3:// URI.
        tags: of what is created.
        vcpu_price, memory_price: prices in US dollars of a vCPU and of a GB of memory for an hour, for the estimate in
            metadata.
    """

    application: str = "olist"
    release: str = "emr-spark-8.2.0"
    role: str = ""
    subnets: list[str] = Field(default=[])
    security_groups: list[str] = Field(default=[])
    delta_jars: str = "/usr/share/aws/delta/lib/*.jar"
    max_vcpus: int = 64
    idle_minutes: int = 15
    logs: str = ""
    tags: dict[str, str] = Field(default={})
    vcpu_price: float = 0.052624
    memory_price: float = 0.0057785

    variables: ClassVar = ("OLIST_EMR_SERVERLESS_", "OLIST_EMR_")

    @property
    def name(self) -> str:
        """As in OLIST_ENGINE."""
        return "emr-serverless"

    def submit(self, submission: Submission, on_progress: Callable[[str], None]) -> str:
        """Start a job run; its client token has AWS start it once, however often the call is repeated."""
        python = {"PYSPARK_PYTHON": _PYTHON}
        driver = {**python, "PYSPARK_DRIVER_PYTHON": _PYTHON, **submission.variables}
        variables = {f"spark.emr-serverless.driverEnv.{name}": value for name, value in driver.items()}
        properties = {**variables, "spark.executorEnv.PYSPARK_PYTHON": _PYTHON, "spark.jars": self.delta_jars}
        options = [word for name, value in properties.items() for word in ("--conf", f"{name}={value}")]
        monitoring = {"s3MonitoringConfiguration": {"logUri": self.logs}} if self.logs else {}
        application = self._find_or_create(
            f"emr-serverless/{self.application}", self._found, lambda: self._create(on_progress)
        )
        job = self._serverless.start_job_run(
            applicationId=application,
            clientToken=str(uuid.uuid4()),
            executionRoleArn=self.role,
            name=submission.name,
            jobDriver={
                "sparkSubmit": {
                    "entryPoint": submission.main,
                    "entryPointArguments": submission.arguments,
                    "sparkSubmitParameters": shlex.join([*options, *submission.spark_arguments]),
                }
            },
            configurationOverrides={"monitoringConfiguration": monitoring},
            tags=self._tags,
        )
        return f"{application}/{job['jobRunId']}"

    def status(self, job: str) -> JobStatus:
        """How a job run stands."""
        application, run = job.split("/")
        described = self._serverless.get_job_run(applicationId=application, jobRunId=run)["jobRun"]
        phase, state, reason = _PHASES[described["state"]], described["state"], described.get("stateDetails", "")
        log = f"{self.logs.rstrip('/')}/applications/{application}/jobs/{run}/SPARK_DRIVER/stderr.gz"
        figures = self._figures(described) if phase.ended else {}
        return JobStatus(phase, state, reason.strip(), log if self.logs else None, figures)

    def live(self) -> Iterator[tuple[str, str]]:
        """The job runs of the application of this name that have not ended."""
        if application := self._found():
            pages = self._serverless.get_paginator("list_job_runs").paginate(
                applicationId=application, states=_LIVE_JOB
            )
            yield from (
                (f"{application}/{run['id']}", run.get("name", "")) for page in pages for run in page["jobRuns"]
            )

    def cancel(self, job: str) -> None:
        """Cancel a job run."""
        application, run = job.split("/")
        self._serverless.cancel_job_run(applicationId=application, jobRunId=run)

    def _figures(self, described: dict[str, Any]) -> dict[str, Any]:
        """Seconds waiting and running, and the vCPU-hours and memory-hours that are billed, with what they cost."""
        used = described.get("billedResourceUtilization") or described.get("totalResourceUtilization") or {}
        vcpus, memory = float(used.get("vCPUHour", 0)), float(used.get("memoryGBHour", 0))
        running = float(described.get("totalExecutionDurationSeconds") or 0)
        from_start_to_end = (described["updatedAt"] - described["createdAt"]).total_seconds()
        return {
            "seconds_waiting": round(max(from_start_to_end - running, 0), 1),
            "seconds_running": running,
            "vcpu_hours": vcpus,
            "memory_gb_hours": memory,
            "estimated_cost_usd": round(vcpus * self.vcpu_price + memory * self.memory_price, 6),
        }

    # --- The application ---------------------------------------------------------------------------------------

    def _found(self) -> str | None:
        pages = self._serverless.get_paginator("list_applications").paginate(states=_LIVE_APPLICATION)
        found = [app for page in pages for app in page["applications"] if app.get("name") == self.application]
        return min(found, key=lambda app: app["createdAt"])["id"] if found else None

    def _create(self, on_progress: Callable[[str], None]) -> str:
        on_progress(f"creating the application {self.application}, {self.release}")
        network = {"subnetIds": self.subnets, "securityGroupIds": self.security_groups}
        return self._serverless.create_application(
            name=self.application,
            releaseLabel=self.release,
            type="SPARK",
            clientToken=str(uuid.uuid4()),
            maximumCapacity={"cpu": f"{self.max_vcpus} vCPU", "memory": f"{4 * self.max_vcpus} GB"},
            autoStartConfiguration={"enabled": True},
            autoStopConfiguration={"enabled": True, "idleTimeoutMinutes": self.idle_minutes},
            tags=self._tags,
            **({"networkConfiguration": network} if self.subnets else {}),
        )["applicationId"]

    @property
    def _tags(self) -> dict[str, str]:
        """What the roles of deploy/ know the project's own by, and those that are asked for."""
        return {"olist:lakehouse": self.application, **self.tags}

    @cached_property
    def _serverless(self) -> Any:
        return create_client("emr-serverless")
