"""The executors of runs: the steps of a run are threads of one process."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import dagster as dg

from olist_assets.engines.base import Engine
from olist_assets.orchestration.instance.run_process import RunProcess
from olist_assets.orchestration.threads import ExecutorWrapper, ThreadedExecutor
from olist_assets.settings.engine_names import LOCAL_ENGINES

if TYPE_CHECKING:
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan

MAX_CONCURRENT_STEPS = 8
"""Concurrent steps of a run whose engine is remote. Some of them wait for the worker."""


def create_executor(
    engine: Engine, parallelism: int, *, at_end: Callable[[], None] = lambda: None
) -> dg.ExecutorDefinition:
    """The executor of an engine's runs. It records the process that executes a run.

    Steps run in threads and share one engine: one process per step would cost more than a local step, and a remote step
    only waits for the run's worker.

    Args:
        engine: the engine.
        parallelism: how many steps run at the same time on a local engine.
        at_end: called after the last step of each run, in the process that executes the run.
    """
    if engine.is_remote:
        parallelism = MAX_CONCURRENT_STEPS
    return _recording(
        dg.in_process_executor, at_end, lambda in_process: ThreadedExecutor(in_process, engine, parallelism)
    )


def pool_for(table_id: str, engine: str) -> str:
    """The pool of a table's asset.

    Local engines have one pool per table, so that only one run writes a table. Remote engines share one pool.
    """
    return table_id.replace("/", ".") if engine in LOCAL_ENGINES else "emr"


def _recording(
    definition: dg.ExecutorDefinition,
    at_end: Callable[[], None],
    replace: Callable[[dg.Executor], dg.Executor],
) -> dg.ExecutorDefinition:
    """An executor whose runs record the process that executes them.

    Args:
        definition: one of Dagster's executors, whose name and configuration are kept.
        at_end: called after the last step of each run.
        replace: returns the executor that runs the steps in its place.
    """

    def create(context: dg.InitExecutorContext) -> dg.Executor:
        create_executor = definition.executor_creation_fn
        assert create_executor is not None  # noqa: S101 - Dagster's own executors have one
        return _RecordingExecutor(replace(create_executor(context)), at_end)

    return dg.ExecutorDefinition(
        name=definition.name,
        config_schema=definition.config_schema,  # pyright: ignore[reportArgumentType] - accepted, but not declared
        requirements=definition.get_requirements,
        executor_creation_fn=create,
        description=definition.description,
    )


class _RecordingExecutor(ExecutorWrapper):
    """Another executor that first writes the run's process into a tag of the run, and calls `at_end` at its end."""

    def __init__(self, executor: dg.Executor, at_end: Callable[[], None]) -> None:
        super().__init__(executor)
        self._at_end = at_end

    def execute(
        self, plan_context: "PlanOrchestrationContext", execution_plan: "ExecutionPlan"
    ) -> Iterator[dg.DagsterEvent]:
        run_id = plan_context.run_id
        plan_context.instance.add_run_tags(run_id, RunProcess.current(run_id).tags)
        try:
            yield from self._executor.execute(plan_context, execution_plan)
        finally:
            self._at_end()
