"""The contract of an engine: a step request in, a step result out."""

from abc import abstractmethod

import dagster as dg

from spark_steps.contract import StepRequest, StepResult


class Engine(dg.ConfigurableResource):
    """Something that can run a step. Assets do not know which one it is."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that settings and control objects know the engine by."""

    @abstractmethod
    def run(self, context: dg.AssetExecutionContext, request: StepRequest) -> StepResult:
        """Run the step to its end.

        Raises:
            StepError: the step cannot be done; nothing of it was committed.
        """
