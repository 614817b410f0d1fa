"""Amazon EMR on EC2: workers on a shared cluster, which is found by its name or created, and terminates when idle.

A worker is a step with `spark-submit` in client mode. The driver's Python environment is unpacked once on the primary
node; YARN unpacks it for the executors.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

from botocore.exceptions import ClientError  # pyright: ignore[reportMissingTypeStubs] - it has none

from olist_assets.aws.clients import call_at_most_once, create_client, create_client_without_retries
from olist_assets.engines.base import Machine
from olist_assets.engines.remote.base import RemoteEngine
from olist_assets.engines.remote.job import TAG, JobPhase, JobStatus, LiveJob, Submission, spark_options
from olist_assets.engines.remote.settings import VCPUS, EmrFields, EmrSettings
from olist_assets.engines.remote.waiting import log_changes
from olist_assets.errors import EngineError, OutageError
from spark_steps.protocol import Progress

_LIVE_CLUSTER = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
_READY_CLUSTER = {"RUNNING", "WAITING"}
_OUTAGES = {"INTERNAL_ERROR", "INSTANCE_FAILURE", "INSTANCE_FLEET_TIMEOUT"}
"""Reasons for the end of a cluster that are outages, and no mistakes of a user."""

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
_SPOT = {
    "AllocationStrategy": "price-capacity-optimized",
    "TimeoutDurationMinutes": 10,
    "TimeoutAction": "SWITCH_TO_ON_DEMAND",
}
"""How EMR chooses spot instances; if it finds none in time, it takes on-demand ones."""

_CORE_ONLY = {"yarn.node-labels.enabled": "true", "yarn.node-labels.am.default-node-label-expression": "CORE"}
"""Application masters run on core nodes, because a spot instance may be taken away."""

_GLUE_CATALOG = "com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory"

# Arguments: the URI of the environment's archive, its name, variables, `--`, and the arguments of spark-submit.
# EMR interrupts only the program that starts this one, so the driver ends with its parent. EMR's spark-env.sh sets
# PYSPARK_PYTHON to the system's Python; properties take precedence over it.
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
while [ "$1" != -- ]; do export "$1"; shift; done
shift
exec setpriv --pdeathsig TERM spark-submit --deploy-mode client \\
  --conf "spark.pyspark.driver.python=$folder/bin/python" --conf spark.pyspark.python=./environment/bin/python "$@"
"""


class EmrEngine(EmrFields, RemoteEngine):
    """Runs the steps of a run by a worker on an EMR cluster."""

    settings_class: ClassVar = EmrSettings

    @property
    def name(self) -> str:
        """The name in OLIST_ENGINE."""
        return "emr"

    # --- Workers -----------------------------------------------------------------------------------------------

    def submit(self, submission: Submission, on_progress: Progress) -> str:
        """Add a step to the cluster. If the cluster terminates meanwhile, add it to another one."""
        cluster = self._ready_cluster(on_progress)
        try:
            return self._add_step(cluster, submission)
        except ClientError:
            if not self._is_terminating(cluster):
                raise
        on_progress(f"cluster {cluster} is terminating: looking for another")
        return self._add_step(self._ready_cluster(on_progress), submission)

    def status(self, job: str) -> JobStatus:
        """The status of a step. A step whose cluster has terminated has failed, even if EMR reports another state."""
        cluster, step = job.split("/")
        status = self._emr.describe_step(ClusterId=cluster, StepId=step)["Step"]["Status"]
        phase, state, reason = _PHASES[status["State"]], status["State"], _failure_reason(status)
        if not phase.ended:
            cluster_status = self._cluster_status(cluster)
            if cluster_status["State"].startswith("TERMINATED"):
                phase, state = JobPhase.FAILED, f"{state}, and its cluster {cluster_status['State']}"
                reason = _state_change_reason(cluster_status)
        log = f"{self.logs.rstrip('/')}/{cluster}/steps/{step}/stderr.gz" if self.logs else None
        return JobStatus(phase, state, reason, log)

    def live_jobs(self, host: str) -> Iterator[LiveJob]:
        """The steps of a cluster that have not ended."""
        pages = self._emr.get_paginator("list_steps").paginate(ClusterId=host, StepStates=_LIVE_STEP)
        for step in (step for page in pages for step in page["Steps"]):
            yield LiveJob(f"{host}/{step['Id']}", step["Name"], step["Status"]["State"])

    def cancel(self, job: str, *, force: bool = False) -> None:
        """Cancel a pending step; interrupt a running one, or end all its processes."""
        cluster, step = job.split("/")
        option = "TERMINATE_PROCESS" if force else "SEND_INTERRUPT"
        self._emr.cancel_steps(ClusterId=cluster, StepIds=[step], StepCancellationOption=option)

    def request_spark_ui(self, job: str) -> str:
        """A URL of the history server that EMR keeps for the job's cluster, also after its end."""
        arn = self._describe_cluster(job.split("/", maxsplit=1)[0])["ClusterArn"]
        created = self._emr.create_persistent_app_ui(TargetResourceArn=arn)["PersistentAppUIId"]

        def probe() -> str | None:
            answer = self._emr.get_persistent_app_ui_presigned_url(PersistentAppUIId=created, PersistentAppUIType="SHS")
            return answer["PresignedURL"] if answer.get("PresignedURLReady") else None

        return self._wait_for_capacity(probe, "the Spark history server")

    def _add_step(self, cluster: str, submission: Submission) -> str:
        archive = submission.environment
        step = {
            "Name": submission.name,
            "ActionOnFailure": "CONTINUE",  # concurrent steps may have no other
            "HadoopJarStep": {
                "Jar": "command-runner.jar",
                "Args": [
                    *("bash", "-c", _SUBMIT, "olist", archive, archive.rpartition("/")[2].removesuffix(".tar.gz")),
                    *(f"{name}={value}" for name, value in submission.variables.items()),
                    *("--", "--name", submission.name),
                    *spark_options(self._sizes()),
                    *submission.spark_arguments,
                    *(submission.main, *submission.arguments),
                ],
            },
        }

        def add() -> str:
            return self._emr_without_retries.add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"][0]

        def find() -> str | None:
            return next((job.id.split("/")[1] for job in self.live() if job.name == submission.name), None)

        return f"{cluster}/{call_at_most_once(add, find)}"

    def _sizes(self) -> dict[str, str]:
        """The Spark properties of the driver's and the executors' size. Executors are added as steps need them."""
        return {
            "spark.driver.memory": self.driver_memory,
            "spark.executor.cores": f"{self.executor_cores}",
            "spark.executor.memory": self.executor_memory,
            "spark.dynamicAllocation.maxExecutors": f"{self.max_executors}",
        }

    @property
    def price_per_hour(self) -> float:
        """The price of the smallest cluster, its primary node included, in US dollars per hour."""
        return (self.units + VCPUS) * self.unit_price

    # --- The cluster -------------------------------------------------------------------------------------------

    def _ready_cluster(self, on_progress: Progress) -> str:
        """A cluster of this name that accepts steps. It is created if there is none, and waited for.

        Raises:
            OutageError: machines failed or lacked capacity, or the cluster is not ready in time.
            EngineError: a user terminates the cluster, or its configuration is refused.
        """
        cluster = self._find_or_create(f"emr/{self.cluster}", self._find_cluster, lambda: self._create(on_progress))
        log = log_changes(on_progress)

        def probe() -> str | None:
            described = self._describe_cluster(cluster)
            status = described["Status"]
            line = log(f"cluster {cluster} is {status['State']}", _state_change_reason(status))
            if status["State"] not in _LIVE_CLUSTER:
                is_outage = status.get("StateChangeReason", {}).get("Code") in _OUTAGES
                error = OutageError if is_outage else EngineError
                raise error(f"{line}; see its log, or set OLIST_EMR_LOGS to have one")
            if status["State"] not in _READY_CLUSTER:
                return None
            for difference in self._differences(described):
                on_progress(f"cluster {cluster} {difference}")
            return cluster

        return self._wait_for_capacity(probe, f"the cluster {self.cluster}")

    def _differences(self, described: dict[str, Any]) -> Iterator[str]:
        """How a cluster that was found differs from one that would be created, as far as it matters to workers."""
        if (release := described.get("ReleaseLabel")) != self.release:
            yield f"has the release {release}, not {self.release} (OLIST_EMR_RELEASE)"
        if TAG not in {tag["Key"] for tag in described.get("Tags", ())}:
            yield f"lacks the tag {TAG}, which the roles in deploy/ require: they may refuse its use"

    def _find_cluster(self) -> str | None:
        return next((cluster.id for cluster in self.hosts()), None)

    def hosts(self) -> Iterator[Machine]:
        """The live clusters of this name, oldest first: if there are several, all processes use the same one."""
        pages = self._emr.get_paginator("list_clusters").paginate(ClusterStates=_LIVE_CLUSTER)
        clusters = [cluster for page in pages for cluster in page["Clusters"] if cluster["Name"] == self.cluster]
        clusters.sort(key=lambda cluster: cluster["Status"]["Timeline"]["CreationDateTime"])
        for cluster in clusters:
            yield Machine(
                kind="cluster",
                id=cluster["Id"],
                state=cluster["Status"]["State"],
                price_per_hour=self.price_per_hour,
            )

    def end_host(self, host: str) -> None:
        """Terminate a cluster."""
        self._emr.terminate_job_flows(JobFlowIds=[host])

    def _create(self, on_progress: Progress) -> str:
        on_progress(f"creating the cluster {self.cluster}, {self.release}: it takes some minutes")

        def run_job_flow() -> str:
            return self._emr_without_retries.run_job_flow(**self.job_flow())["JobFlowId"]

        return call_at_most_once(run_job_flow, self._find_cluster)

    def job_flow(self) -> dict[str, Any]:
        """The arguments of RunJobFlow."""
        optional = {"LogUri": self.logs} if self.logs else {}
        return {
            "Name": self.cluster,
            "ReleaseLabel": self.release,
            "Applications": [{"Name": name} for name in self.applications],
            "ServiceRole": self.service_role,
            "JobFlowRole": self.instance_profile,
            "VisibleToAllUsers": True,
            "StepConcurrencyLevel": self.step_concurrency,
            "AutoTerminationPolicy": {"IdleTimeout": 60 * self.idle_minutes},
            "ManagedScalingPolicy": {"ComputeLimits": self._compute_limits()},
            "Instances": self._instances(),
            "Configurations": [
                {"Classification": "delta-defaults", "Properties": {"delta.enabled": "true"}},
                {"Classification": "yarn-site", "Properties": _CORE_ONLY},
                {
                    "Classification": "spark-hive-site",
                    "Properties": {"hive.metastore.client.factory.class": _GLUE_CATALOG},
                },
            ],
            "Tags": self._cluster_tags(),
            **optional,
        }

    def _compute_limits(self) -> dict[str, Any]:
        return {
            "UnitType": "InstanceFleetUnits",
            "MinimumCapacityUnits": self.units,
            "MaximumCapacityUnits": self.max_units,
            "MaximumCoreCapacityUnits": self.units,
            "MaximumOnDemandCapacityUnits": self.units if self.spot else self.max_units,
        }

    def _instances(self) -> dict[str, Any]:
        types = [{"InstanceType": name, "WeightedCapacity": VCPUS} for name in self.instance_types]
        primary = {
            "Name": "primary",
            "InstanceFleetType": "MASTER",
            "TargetOnDemandCapacity": 1,
            "InstanceTypeConfigs": [{"InstanceType": self.primary_type}],
        }
        core = {
            "Name": "core",
            "InstanceFleetType": "CORE",
            "TargetOnDemandCapacity": self.units,
            "InstanceTypeConfigs": types,
        }
        # Managed scaling adds task nodes to a fleet, and creates none. EMR refuses a fleet without a node.
        task = {"Name": "task", "InstanceFleetType": "TASK", "InstanceTypeConfigs": types} | (
            {"TargetSpotCapacity": VCPUS, "LaunchSpecifications": {"SpotSpecification": _SPOT}}
            if self.spot
            else {"TargetOnDemandCapacity": VCPUS}
        )
        grows = self.max_units > self.units
        optional = {"Ec2SubnetIds": self.subnets} if self.subnets else {}
        return {
            "KeepJobFlowAliveWhenNoSteps": True,
            "TerminationProtected": False,
            "InstanceFleets": [primary, core, *([task] if grows else [])],
            **optional,
        }

    def _cluster_tags(self) -> list[dict[str, str]]:
        """The tag that the roles in deploy/ require of the project's clusters, EMR's own, and the configured tags."""
        tags = {TAG: self.cluster, "for-use-with-amazon-emr-managed-policies": "true", **self.tags}
        return [{"Key": key, "Value": value} for key, value in tags.items()]

    def _is_terminating(self, cluster: str) -> bool:
        return self._cluster_status(cluster)["State"] not in _LIVE_CLUSTER

    def _cluster_status(self, cluster: str) -> dict[str, Any]:
        return self._describe_cluster(cluster)["Status"]

    def _describe_cluster(self, cluster: str) -> dict[str, Any]:
        return self._emr.describe_cluster(ClusterId=cluster)["Cluster"]

    @cached_property
    def _emr(self) -> Any:
        return create_client("emr")

    @cached_property
    def _emr_without_retries(self) -> Any:
        return create_client_without_retries("emr")


def _failure_reason(status: dict[str, Any]) -> str:
    """The reason of a step's failure, in EMR's words."""
    details = status.get("FailureDetails", {})
    parts = [details.get("Reason"), details.get("Message"), _state_change_reason(status)]
    return "; ".join(dict.fromkeys(part for part in parts if part))


def _state_change_reason(status: dict[str, Any]) -> str:
    return status.get("StateChangeReason", {}).get("Message", "")
