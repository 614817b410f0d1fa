"""Amazon EMR Serverless: a worker is a job run of an application that is found by its name or created."""

import math
import shlex
import uuid
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

from olist_assets.aws.clients import create_client
from olist_assets.engines.remote.base import RemoteEngine
from olist_assets.engines.remote.job import ENVIRONMENT, JobPhase, JobStatus, Submission, spark_options
from olist_assets.engines.remote.settings import EmrServerlessFields, EmrServerlessSettings
from spark_steps.protocol import Progress

_PYTHON = f"./{ENVIRONMENT}/bin/python"
_MIN_EXECUTORS = 3
"""The service rejects fewer initial executors."""

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


class EmrServerlessEngine(EmrServerlessFields, RemoteEngine):
    """Runs the steps of a run by a worker, a job run of EMR Serverless."""

    settings_class: ClassVar = EmrServerlessSettings

    @property
    def name(self) -> str:
        """The name in OLIST_ENGINE."""
        return "emr-serverless"

    # --- Job runs ----------------------------------------------------------------------------------------------

    def submit(self, submission: Submission, on_progress: Progress) -> str:
        """Start a job run. Its client token makes AWS start it once even if the call is repeated."""
        monitoring = {"s3MonitoringConfiguration": {"logUri": self.logs}} if self.logs else {}
        application = self._find_or_create(
            f"emr-serverless/{self.application}", self._find_application, lambda: self._create(on_progress)
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
                    "sparkSubmitParameters": shlex.join(
                        [*self._spark_options(submission), *submission.spark_arguments]
                    ),
                }
            },
            configurationOverrides={"monitoringConfiguration": monitoring},
            tags=self._tags,
        )
        return f"{application}/{job['jobRunId']}"

    def _spark_options(self, submission: Submission) -> list[str]:
        """The options of spark-submit that only this service needs."""
        python = {"PYSPARK_PYTHON": _PYTHON}
        driver = {**python, "PYSPARK_DRIVER_PYTHON": _PYTHON, **submission.variables}
        variables = {f"spark.emr-serverless.driverEnv.{name}": value for name, value in driver.items()}
        python = {"spark.executorEnv.PYSPARK_PYTHON": _PYTHON}
        return spark_options({**variables, **python, "spark.jars": self.delta_jars, **self._sizes()})

    def _sizes(self) -> dict[str, str]:
        """The Spark properties of the driver's and the executors' size. The service's defaults fill an application."""
        return {
            "spark.driver.cores": f"{self.driver_cores}",
            "spark.driver.memory": self.driver_memory,
            "spark.executor.cores": f"{self.executor_cores}",
            "spark.executor.memory": self.executor_memory,
            "spark.executor.instances": f"{_MIN_EXECUTORS}",
            "spark.dynamicAllocation.initialExecutors": f"{_MIN_EXECUTORS}",
            "spark.dynamicAllocation.maxExecutors": f"{max(self.max_executors, _MIN_EXECUTORS)}",
        }

    def status(self, job: str) -> JobStatus:
        """The status of a job run."""
        application, run = job.split("/")
        described = self._serverless.get_job_run(applicationId=application, jobRunId=run)["jobRun"]
        phase, state, reason = _PHASES[described["state"]], described["state"], described.get("stateDetails", "")
        log = f"{self.logs.rstrip('/')}/applications/{application}/jobs/{run}/SPARK_DRIVER/stderr.gz"
        return JobStatus(phase, state, reason.strip(), log if self.logs else None)

    def live(self) -> Iterator[tuple[str, str]]:
        """The job runs of the application of this name that have not ended."""
        application = self._find_application()
        if application is None:
            return
        pages = self._serverless.get_paginator("list_job_runs").paginate(applicationId=application, states=_LIVE_JOB)
        yield from ((f"{application}/{run['id']}", run.get("name", "")) for page in pages for run in page["jobRuns"])

    def cancel(self, job: str, *, force: bool = False) -> None:  # noqa: ARG002 - there is one way
        """Cancel a job run."""
        application, run = job.split("/")
        self._serverless.cancel_job_run(applicationId=application, jobRunId=run)

    @property
    def price_per_hour(self) -> float:
        """The price of a driver and of the smallest number of executors, in US dollars per hour."""
        cores = self.driver_cores + _MIN_EXECUTORS * self.executor_cores
        memory = _gigabytes(self.driver_memory) + _MIN_EXECUTORS * _gigabytes(self.executor_memory)
        return cores * self.vcpu_price + memory * self.memory_price

    # --- The application ---------------------------------------------------------------------------------------

    def _find_application(self) -> str | None:
        pages = self._serverless.get_paginator("list_applications").paginate(states=_LIVE_APPLICATION)
        applications = [app for page in pages for app in page["applications"] if app.get("name") == self.application]
        return min(applications, key=lambda app: app["createdAt"])["id"] if applications else None

    def _create(self, on_progress: Progress) -> str:
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
        """The tag by which the roles in deploy/ recognize the project's own resources, and the configured tags."""
        return {"olist:lakehouse": self.application, **self.tags}

    @cached_property
    def _serverless(self) -> Any:
        return create_client("emr-serverless")


def _gigabytes(memory: str) -> float:
    """The size of a worker with this memory, such as 7g: Spark adds a tenth, and the service rounds up."""
    units = {"m": 1 / 1024, "g": 1}
    return math.ceil(float(memory[:-1]) * units[memory[-1].lower()] * 1.1)
