"""The contract of an engine: a step request in, a step result out."""

from abc import abstractmethod
from threading import Event
from typing import ClassVar

import dagster as dg
from pyspark.sql import SparkSession

from spark_steps.protocol import Progress, StepRequest, StepResult, ignore_progress
from spark_steps.steps import run_step


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

    def stop_queries(self) -> None:
        """Let the running queries of all threads fail. Steps may start others. A remote engine has none here."""

    def cancel_jobs(self, run_id: str) -> list[str]:  # noqa: ARG002 - the contract
        """Cancel the jobs of a run that have not ended, and return their ids. A local engine has no jobs."""
        return []


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
