"""Amazon EMR Serverless: a worker is a job run of an application that is found by its name or created."""

import math
import shlex
import uuid
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

from olist_assets.aws.clients import create_client
from olist_assets.engines.base import Machine
from olist_assets.engines.remote.base import RemoteEngine
from olist_assets.engines.remote.job import ENVIRONMENT, TAG, JobPhase, JobStatus, LiveJob, Submission, spark_options
from olist_assets.engines.remote.settings import EmrServerlessFields, EmrServerlessSettings
from olist_assets.engines.remote.waiting import DeadlineError, poll_until
from olist_assets.errors import EngineError
from spark_steps.protocol import Progress

_PYTHON = f"./{ENVIRONMENT}/bin/python"
_MIN_EXECUTORS = 3
"""The service rejects fewer initial executors."""

_END_SECONDS = 2.0
"""The pause between two questions whether job runs have ended."""

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
            executionTimeoutMinutes=self.worker_minutes,
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

    def live_jobs(self, host: str) -> Iterator[LiveJob]:
        """The job runs of an application that have not ended."""
        pages = self._serverless.get_paginator("list_job_runs").paginate(applicationId=host, states=_LIVE_JOB)
        for run in (run for page in pages for run in page["jobRuns"]):
            yield LiveJob(f"{host}/{run['id']}", run.get("name", ""), run["state"])

    def cancel(self, job: str, *, force: bool = False) -> None:  # noqa: ARG002 - there is one way
        """Cancel a job run."""
        application, run = job.split("/")
        self._serverless.cancel_job_run(applicationId=application, jobRunId=run)

    def request_spark_ui(self, job: str) -> str:
        """A URL of the job run's Spark UI, or of its history server after its end."""
        application, run = job.split("/")
        return self._serverless.get_dashboard_for_job_run(applicationId=application, jobRunId=run)["url"]

    @property
    def price_per_hour(self) -> float:
        """The price of a driver and of the smallest number of executors, in US dollars per hour."""
        cores = self.driver_cores + _MIN_EXECUTORS * self.executor_cores
        memory = _gigabytes(self.driver_memory) + _MIN_EXECUTORS * _gigabytes(self.executor_memory)
        return cores * self.vcpu_price + memory * self.memory_price

    # --- The application ---------------------------------------------------------------------------------------

    def _find_application(self) -> str | None:
        return next((application.id for application in self.hosts()), None)

    def hosts(self) -> Iterator[Machine]:
        """The application of this name; the oldest, if there are several."""
        pages = self._serverless.get_paginator("list_applications").paginate(states=_LIVE_APPLICATION)
        applications = [app for page in pages for app in page["applications"] if app.get("name") == self.application]
        if applications:
            oldest = min(applications, key=lambda app: app["createdAt"])
            yield Machine(kind="application", id=oldest["id"], state=oldest["state"])

    def end_host(self, host: str) -> None:
        """Stop an application as soon as its job runs have ended; the next one starts it again.

        Raises:
            EngineError: its job runs do not end in time.
        """

        def has_no_jobs() -> bool | None:
            return None if any(self.live_jobs(host)) else True

        try:
            poll_until(has_no_jobs, pause=_END_SECONDS, deadline=self.stop_seconds)
        except DeadlineError as error:
            raise EngineError(f"the job runs of {host} have not ended within {self.stop_seconds:g} seconds") from error
        self._serverless.stop_application(applicationId=host)

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
        return {TAG: self.application, **self.tags}

    @cached_property
    def _serverless(self) -> Any:
        return create_client("emr-serverless")


def _gigabytes(memory: str) -> float:
    """The size of a worker with this memory, such as 7g: Spark adds a tenth, and the service rounds up."""
    units = {"m": 1 / 1024, "g": 1}
    return math.ceil(float(memory[:-1]) * units[memory[-1].lower()] * 1.1)
