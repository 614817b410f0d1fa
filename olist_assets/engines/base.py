"""The contract of an engine: a step request in, a step result out."""

from abc import abstractmethod
from dataclasses import dataclass
from threading import Event
from typing import ClassVar

import dagster as dg
from pyspark.sql import SparkSession

from olist_assets.errors import EngineError
from spark_steps.protocol import Progress, StepRequest, StepResult, ignore_progress
from spark_steps.steps import run_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A cluster, an application or a worker of an engine on AWS.

    Attributes:
        kind: cluster, application or worker.
        id: its id, such as j-1ABC, or j-1ABC/s-2DEF for a worker.
        state: its state in the service's own word.
        run_id: the run whose steps a worker executes; empty for a job that is not this project's.
        is_own: whether it works for this lake alone.
        folder: the folder in the lake with the requests of a worker.
        price_per_hour: the estimated price of what it occupies at least, in US dollars; 0 for a worker within a
            cluster, and for an application.
    """

    kind: str
    id: str
    state: str
    run_id: str = ""
    is_own: bool = False
    folder: str = ""
    price_per_hour: float = 0.0

    @property
    def is_worker(self) -> bool:
        """Whether it is a worker, or a job of others, and not what it runs on."""
        return self.kind == "worker"

    @property
    def host(self) -> str:
        """The id of the cluster or application."""
        return self.id.split("/")[0]


class Engine(dg.ConfigurableResource):  # pyright: ignore[reportMissingTypeArgument] - Dagster's own form
    """Runs steps. Assets do not depend on which engine it is."""

    is_remote: ClassVar[bool] = False
    """Whether steps run on other machines, and this one only waits for them."""

    limits_memory: ClassVar[bool] = False
    """The request's field of that name."""

    interrupted: ClassVar[Event] = Event()
    """Whether the run of this process has been interrupted: a failure of a step is then its interruption."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The engine's name in settings and step records."""

    def prepare(self, on_progress: Progress = ignore_progress) -> None:
        """Check what the engine needs, and fetch what can be fetched. A run calls it before its steps.

        Raises:
            OlistError: something is missing; the message says how to get it.
        """

    @abstractmethod
    def run(self, context: dg.AssetExecutionContext, request: StepRequest) -> StepResult:
        """Run the step to its end.

        Raises:
            StepError: the step cannot be done. The table was not changed; its quarantine may have been, and a rerun
                of the step repairs that.
        """

    def retry_after_outage(self, retry_number: int) -> dg.RetryRequested | None:  # noqa: ARG002 - the contract
        """The request to retry a step that an OutageError has ended; None if it has been retried often enough."""
        return None

    def stop_queries(self) -> None:
        """Let the running queries of all threads fail. Steps may start others. A remote engine has none here."""

    def cancel_jobs(self, run_id: str) -> list[str]:  # noqa: ARG002 - the contract
        """Cancel the jobs of a run that have not ended, and return their ids. A local engine has no jobs."""
        return []

    def machines(self) -> list[Machine]:
        """The live clusters or applications, each followed by its jobs. A local engine has none."""
        return []

    def end_machine(self, machine: Machine) -> None:
        """Request the end of a machine. Ending one that has ended does nothing."""

    def create_spark_ui(self, job: str) -> str:
        """Create a URL of the Spark UI of a worker, which gives access for a short time.

        Raises:
            EngineError: the engine has none, or AWS refused a request.
        """
        raise EngineError(f"{job}: the engine {self.name} has no workers on AWS; set OLIST_ENGINE")


class LocalEngine(Engine):
    """An engine of this machine. Steps run in this process, on a session that the first step starts."""

    @abstractmethod
    def session(self, on_progress: Progress = ignore_progress) -> SparkSession:
        """The engine's session, in UTC, started if there is none. It becomes the session of pyspark's functions.

        All threads of this process share it; another process starts its own.

        Raises:
            OlistError: as `prepare` does.
        """

    @abstractmethod
    def stop_queries(self) -> None:
        """Let the running queries of all threads fail. Steps may start others."""

    def run(self, context: dg.AssetExecutionContext, request: StepRequest) -> StepResult:
        """Run the step in this process.

        Raises:
            StepError: as `Engine.run` does.
            OlistError: as `prepare` does.
            DagsterExecutionInterruptedError: the step failed after the run was interrupted.
        """
        try:
            return run_step(self.session(context.log.info), request, context.log.info)
        except Exception as error:
            if self.interrupted.is_set():
                raise dg.DagsterExecutionInterruptedError from error
            raise
