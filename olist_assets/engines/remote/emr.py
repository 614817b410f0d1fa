"""Amazon EMR on EC2: steps of a shared cluster, which is found by its name or created, and ends when it is idle.

A step is `spark-submit` in client mode, so that cancelling the step reaches Spark's driver. The driver's Python
environment is unpacked on the primary node, once; YARN unpacks it for the executors.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError
from pydantic import Field

from olist_assets.aws.clients import call_at_most_once, create_client, create_client_without_retries
from olist_assets.engines.remote.base import RemoteEngine, log_changes
from olist_assets.engines.remote.job import JobPhase, JobStatus, Submission
from olist_assets.errors import OlistError

_LIVE_CLUSTER = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
_READY_CLUSTER = {"RUNNING", "WAITING"}
_LIVE_STEP = ["PENDING", "CANCEL_PENDING", "RUNNING"]
_PHASES = {
    "PENDING": JobPhase.WAITING,
    "RUNNING": JobPhase.RUNNING,
    "CANCEL_PENDING": JobPhase.CANCELLING,
    "COMPLETED": JobPhase.SUCCEEDED,
    "CANCELLED": JobPhase.FAILED,
    "FAILED": JobPhase.FAILED,
    "INTERRUPTED": JobPhase.FAILED,
}
_VCPUS = 4
"""Of an instance type of `instance_types`, which all are xlarge ones."""

# Arguments: the URI of the environment's archive, its name, and the command. `exec` has signals reach Spark's driver.
_SUBMIT = """set -eu
archive=$1 folder="${HOME:-/tmp}/olist/$2"
shift 2
if [ ! -x "$folder/bin/python" ]; then
  mkdir -p "${folder%/*}"
  scratch=$(mktemp -d "$folder.XXXXXX")
  aws s3 cp --only-show-errors "$archive" - | tar -xz -C "$scratch"
  chmod 755 "$scratch"
  mv -T "$scratch" "$folder" 2>/dev/null || rm -rf "$scratch"
fi
exec env PYSPARK_DRIVER_PYTHON="$folder/bin/python" PYSPARK_PYTHON=./environment/bin/python "$@"
"""


class EmrEngine(RemoteEngine):
    """Runs each step as a step of an EMR cluster.

    Attributes:
        cluster: name of the cluster that is found, or created.
        release: release label of a cluster that is created.
        applications: what is installed on it.
        service_role: the role of EMR.
        instance_profile: the instance profile of its nodes.
        subnets: where its nodes may be, the ids of subnets.
        instance_types: what its nodes may be, types of 4 vCPUs; EMR takes what there is.
        primary_type: what its primary node is.
        units: the vCPUs that its core and task nodes have at least.
        max_units: the vCPUs that they have at most.
        spot: whether task nodes beyond `units` are spot instances.
        idle_minutes: how long it may be idle before it ends.
        step_concurrency: how many steps run at a time.
        logs: where EMR puts logs, an s3:// URI.
        tags: of what is created.
        unit_price: estimated price of a vCPU for an hour, EC2 and EMR, in US dollars, for the estimate in metadata.
    """

    cluster: str = "olist"
    release: str = "emr-spark-8.2.0"
    applications: list[str] = Field(default=["Spark", "Livy", "JupyterEnterpriseGateway"])
    service_role: str = "EMR_DefaultRole"
    instance_profile: str = "EMR_EC2_DefaultRole"
    subnets: list[str] = Field(default=[])
    instance_types: list[str] = Field(default=["m6i.xlarge", "m5.xlarge", "m6a.xlarge"])
    primary_type: str = "m6i.xlarge"
    units: int = 4
    max_units: int = 32
    spot: bool = False
    idle_minutes: int = 15
    step_concurrency: int = 8
    logs: str = ""
    tags: dict[str, str] = Field(default={})
    unit_price: float = 0.06

    @property
    def name(self) -> str:
        """As in OLIST_ENGINE."""
        return "emr"

    # --- Steps -------------------------------------------------------------------------------------------------

    def submit(self, submission: Submission, on_progress: Callable[[str], None]) -> str:
        """Add a step to the cluster; if it ends meanwhile, to another."""
        cluster = self._ready_cluster(on_progress)
        try:
            return self._add_step(cluster, submission)
        except ClientError:
            if not self._is_ending(cluster):
                raise
        on_progress(f"cluster {cluster} is ending: looking for another")
        return self._add_step(self._ready_cluster(on_progress), submission)

    def status(self, job: str) -> JobStatus:
        """How a step stands; one whose cluster has ended has failed, whatever EMR still says of it."""
        cluster, step = job.split("/")
        described = self._emr.describe_step(ClusterId=cluster, StepId=step)["Step"]
        status = described["Status"]
        phase, state, reason = _PHASES[status["State"]], status["State"], _reason(status)
        if not phase.ended:
            of_cluster = self._emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]
            if of_cluster["State"].startswith("TERMINATED"):
                phase, state = JobPhase.FAILED, f"{state}, and its cluster {of_cluster['State']}"
                reason = of_cluster.get("StateChangeReason", {}).get("Message", "")
        log = f"{self.logs.rstrip('/')}/{cluster}/steps/{step}/stderr.gz" if self.logs else None
        return JobStatus(phase, state, reason, log, self._figures(status) if phase.ended else {})

    def live(self) -> Iterator[tuple[str, str]]:
        """The steps of the cluster of this name that have not ended."""
        for cluster in self._clusters():
            pages = self._emr.get_paginator("list_steps").paginate(ClusterId=cluster, StepStates=_LIVE_STEP)
            yield from ((f"{cluster}/{step['Id']}", step["Name"]) for page in pages for step in page["Steps"])

    def cancel(self, job: str) -> None:
        """Cancel a step that is pending, interrupt one that runs."""
        cluster, step = job.split("/")
        self._emr.cancel_steps(ClusterId=cluster, StepIds=[step], StepCancellationOption="SEND_INTERRUPT")

    def _add_step(self, cluster: str, submission: Submission) -> str:
        archive = submission.environment
        step = {
            "Name": submission.name,
            "ActionOnFailure": "CONTINUE",  # the only one that steps at the same time may have
            "HadoopJarStep": {
                "Jar": "command-runner.jar",
                "Args": [
                    *("bash", "-c", _SUBMIT, "olist", archive, archive.rpartition("/")[2].removesuffix(".tar.gz")),
                    *(f"{name}={value}" for name, value in submission.variables.items()),
                    *("spark-submit", "--deploy-mode", "client", "--name", submission.name),
                    *submission.spark_arguments,
                    *(submission.main, *submission.arguments),
                ],
            },
        }

        def add() -> str:
            return self._emr_asking_once.add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"][0]

        def added() -> str | None:
            return next((job.split("/")[1] for job, name in self.live() if name == submission.name), None)

        return f"{cluster}/{call_at_most_once(add, added)}"

    def _figures(self, status: dict[str, Any]) -> dict[str, Any]:
        """Seconds waiting and running, and what they cost as if the step had the least cluster for itself."""
        line = status.get("Timeline", {})
        created, started, ended = (line.get(f"{name}DateTime") for name in ("Creation", "Start", "End"))
        running = _seconds(started, ended)
        return {
            "seconds_waiting": _seconds(created, started or ended),
            "seconds_running": running,
            "estimated_cost_usd": round(running / 3600 * self.units * self.unit_price, 6),
        }

    # --- The cluster -------------------------------------------------------------------------------------------

    def _ready_cluster(self, on_progress: Callable[[str], None]) -> str:
        """A cluster of this name that takes steps; waited for, and created if there is none.

        Raises:
            OlistError: it ends instead, or does not come up in time.
        """
        cluster = self._find_or_create(f"emr/{self.cluster}", self._found, lambda: self._create(on_progress))
        tell = log_changes(on_progress)
        for _ in self._poll_until_start(f"the cluster {self.cluster}"):
            status = self._emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]
            why = status.get("StateChangeReason", {}).get("Message", "")
            line = tell(f"cluster {cluster} is {status['State']}", why)
            if status["State"] in _READY_CLUSTER:
                return cluster
            if status["State"] not in _LIVE_CLUSTER:
                raise OlistError(f"{line}; see its log, or set OLIST_EMR_LOGS to have one")
        raise AssertionError  # patience ends with an error

    def _found(self) -> str | None:
        return next(self._clusters(), None)

    def _clusters(self) -> Iterator[str]:
        """The clusters of this name that live, the oldest first: should there be two, all processes take the same."""
        pages = self._emr.get_paginator("list_clusters").paginate(ClusterStates=_LIVE_CLUSTER)
        found = [cluster for page in pages for cluster in page["Clusters"] if cluster["Name"] == self.cluster]
        found.sort(key=lambda cluster: cluster["Status"]["Timeline"]["CreationDateTime"])
        yield from (cluster["Id"] for cluster in found)

    def _create(self, on_progress: Callable[[str], None]) -> str:
        on_progress(f"creating the cluster {self.cluster}, {self.release}: it takes some minutes")
        return call_at_most_once(
            lambda: self._emr_asking_once.run_job_flow(**self.job_flow())["JobFlowId"], self._found
        )

    def job_flow(self) -> dict[str, Any]:
        """The arguments of RunJobFlow."""
        glue = "com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory"
        # What the roles of deploy/ know the project's own by, and the tag that EMR's managed policies ask for.
        tags = {"olist:lakehouse": self.cluster, "for-use-with-amazon-emr-managed-policies": "true", **self.tags}
        types = [{"InstanceType": name, "WeightedCapacity": _VCPUS} for name in self.instance_types]
        flow = {
            "Name": self.cluster,
            "ReleaseLabel": self.release,
            "Applications": [{"Name": name} for name in self.applications],
            "ServiceRole": self.service_role,
            "JobFlowRole": self.instance_profile,
            "VisibleToAllUsers": True,
            "StepConcurrencyLevel": self.step_concurrency,
            "AutoTerminationPolicy": {"IdleTimeout": 60 * self.idle_minutes},
            "ManagedScalingPolicy": {
                "ComputeLimits": {
                    "UnitType": "InstanceFleetUnits",
                    "MinimumCapacityUnits": self.units,
                    "MaximumCapacityUnits": self.max_units,
                    "MaximumCoreCapacityUnits": self.units,
                    "MaximumOnDemandCapacityUnits": self.units if self.spot else self.max_units,
                }
            },
            "Instances": {
                "KeepJobFlowAliveWhenNoSteps": True,
                "TerminationProtected": False,
                "InstanceFleets": [
                    {
                        "Name": "primary",
                        "InstanceFleetType": "MASTER",
                        "TargetOnDemandCapacity": 1,
                        "InstanceTypeConfigs": [{"InstanceType": self.primary_type}],
                    },
                    {
                        "Name": "core",
                        "InstanceFleetType": "CORE",
                        "TargetOnDemandCapacity": self.units,
                        "InstanceTypeConfigs": types,
                    },
                ],
            },
            "Configurations": [
                {"Classification": "delta-defaults", "Properties": {"delta.enabled": "true"}},
                {
                    "Classification": "spark-hive-site",
                    "Properties": {"hive.metastore.client.factory.class": glue},
                },
            ],
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }
        if self.subnets:
            flow["Instances"]["Ec2SubnetIds"] = self.subnets
        if self.logs:
            flow["LogUri"] = self.logs
        return flow

    def _is_ending(self, cluster: str) -> bool:
        state = self._emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["State"]
        return state not in _LIVE_CLUSTER

    @cached_property
    def _emr(self) -> Any:
        return create_client("emr")

    @cached_property
    def _emr_asking_once(self) -> Any:
        return create_client_without_retries("emr")


def _reason(status: dict[str, Any]) -> str:
    """Why a step has failed, in EMR's words."""
    details = status.get("FailureDetails", {})
    words = [details.get("Reason"), details.get("Message"), status.get("StateChangeReason", {}).get("Message")]
    return "; ".join(dict.fromkeys(word for word in words if word))


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return round((end - start).total_seconds(), 1) if start and end else 0.0
