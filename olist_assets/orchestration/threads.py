"""The executor of runs: independent steps of a run at the same time, in threads of its process."""

import os
from collections.abc import Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, cast

import dagster as dg
from dagster._core.errors import raise_execution_interrupts
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig

from olist_assets.engines.base import Engine

if TYPE_CHECKING:
    from dagster._core.execution.context.system import (
        PlanExecutionContext,
        PlanOrchestrationContext,
        StepExecutionContext,
    )
    from dagster._core.execution.plan.plan import ExecutionPlan

_INTERRUPT_SECONDS = 0.2
_MIN_PAUSE = 0.01


class ExecutorWrapper(dg.Executor):
    """An executor with the retries and the dependency rules of another one."""

    def __init__(self, executor: dg.Executor) -> None:
        self._executor = executor

    @property
    def retries(self) -> RetryMode:
        """Whether steps may ask for a retry."""
        return self._executor.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        """When a step is ready."""
        return self._executor.step_dependency_config


class ThreadedExecutor(ExecutorWrapper):
    """Runs up to `parallelism` steps at the same time. They share the run's resources, and so the engine's session.

    When the run is interrupted, no further step starts. Queries of the running steps are stopped, also of those that
    were waiting for memory; what a step does without the engine, such as copying a file into the landing zone,
    continues to its end.
    """

    def __init__(self, executor: dg.Executor, engine: Engine, parallelism: int) -> None:
        """An executor.

        Args:
            executor: the executor whose retries and dependency rules apply.
            engine: the engine of the steps.
            parallelism: the greatest number of concurrent steps.
        """
        super().__init__(executor)
        self._engine = engine
        self._parallelism = parallelism

    def execute(
        self, plan_context: "PlanOrchestrationContext", execution_plan: "ExecutionPlan"
    ) -> Iterator[dg.DagsterEvent]:
        """Run the steps of a plan, and yield their events."""
        yield dg.DagsterEvent.engine_event(
            plan_context,
            f"Executing up to {self._parallelism} steps at the same time in this process (pid: {os.getpid()})",
            event_specific_data=EngineEventData.in_process(os.getpid(), execution_plan.step_keys_to_execute),
        )
        yield from ExecuteRunWithPlanIterable(
            execution_plan=execution_plan,
            iterator=self._run_steps,
            execution_context_manager=PlanExecutionContextManager(
                job=plan_context.job,
                retry_mode=plan_context.retry_mode,
                execution_plan=execution_plan,
                run_config=plan_context.run_config,
                dagster_run=plan_context.dagster_run,
                instance=plan_context.instance,
                raise_on_error=plan_context.raise_on_error,
                output_capture=plan_context.output_capture,
                step_dependency_config=self.step_dependency_config,
            ),
        )

    def _run_steps(
        self, job_context: "PlanExecutionContext", execution_plan: "ExecutionPlan"
    ) -> Iterator[dg.DagsterEvent]:
        self._engine.interrupted.clear()
        events: SimpleQueue[dg.DagsterEvent | str] = SimpleQueue()
        running: dict[str, Thread] = {}
        with (
            InstanceConcurrencyContext(job_context.instance, job_context.dagster_run) as pools,
            execution_plan.start(
                retry_mode=self.retries,
                instance_concurrency_context=pools,
                step_dependency_config=self.step_dependency_config,
            ) as active,
        ):
            while not active.is_complete:
                for step in active.get_steps_to_execute(self._parallelism - len(running)):
                    step_context = job_context.for_step(step, active.get_known_state())
                    running[step.key] = _start(step_context, events)
                yield from active.concurrency_event_iterator(job_context)
                pause = cast("float", active.sleep_interval())  # until a retry or a pool; 0 if no step waits for one
                try:
                    with raise_execution_interrupts():
                        event = events.get(timeout=None if running and pause == 0 else max(pause, _MIN_PAUSE))
                except Empty:
                    continue
                except dg.DagsterExecutionInterruptedError:
                    active.mark_interrupted()
                    self._interrupt(running.values())
                    raise
                if isinstance(event, str):
                    running.pop(event).join()
                    active.verify_complete(job_context, event)
                    yield from active.plan_events_iterator(job_context)
                else:
                    yield event
                    active.handle_event(event)

    def _interrupt(self, threads: Iterable[Thread]) -> None:
        """Stop the queries of running steps until all of them have ended."""
        self._engine.interrupted.set()
        for thread in threads:
            while thread.is_alive():
                self._engine.stop_queries()
                thread.join(_INTERRUPT_SECONDS)


def _start(step_context: "StepExecutionContext", events: "SimpleQueue[dg.DagsterEvent | str]") -> Thread:
    """Start a step in a thread, which puts its events into the queue, and its key at the end."""

    def run() -> None:
        try:
            for event in dagster_event_sequence_for_step(step_context):
                events.put(event)
        except dg.DagsterExecutionInterruptedError:
            pass  # the main thread knows, and its event has been put
        finally:
            events.put(step_context.step.key)

    thread = Thread(target=run, name=step_context.step.key, daemon=True)
    thread.start()
    return thread
