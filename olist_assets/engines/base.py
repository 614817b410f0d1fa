"""The contract of an engine: a step request in, a step result out."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import dagster as dg
from pyspark.sql import SparkSession

from spark_steps.protocol import StepRequest, StepResult
from spark_steps.steps import run_step


class Engine(dg.ConfigurableResource):
    """Something that can run a step. Assets do not know which one it is."""

    is_remote: ClassVar[bool] = False
    """Whether steps run on other machines, and this one only waits for them."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that settings and control objects know the engine by."""

    def prepare(self, on_progress: Callable[[str], None] = lambda _: None) -> None:
        """See that all is there that the engine needs, and fetch what can be fetched; a run calls it before its steps.

        Args:
            on_progress: called with a line for each thing that takes long.

        Raises:
            OlistError: something is missing; the message says how to bring it here.
        """

    @abstractmethod
    def run(self, context: dg.AssetExecutionContext, request: StepRequest) -> StepResult:
        """Run the step to its end.

        Raises:
            StepError: the step cannot be done; nothing of it was committed.
        """

    def cancel_jobs(self, run_id: str) -> list[str]:  # noqa: ARG002 - the contract
        """End what a run has left running elsewhere, and return the ids of the jobs; a local engine's end with it."""
        return []


class LocalEngine(Engine):
    """An engine of this machine: steps run in this process, on a session that the first of them starts."""

    @abstractmethod
    def session(self, on_progress: Callable[[str], None] = lambda _: None) -> SparkSession:
        """The engine's session, in UTC, started if there is none; pyspark's functions speak to it afterwards.

        Args:
            on_progress: called with a line for each thing that takes long.

        Raises:
            OlistError: as `prepare` does.
        """

    def run(self, context: dg.AssetExecutionContext, request: StepRequest) -> StepResult:
        """Run the step in process.

        Raises:
            OlistError: as `prepare` does.
        """
        return run_step(self.session(context.log.info), request)
