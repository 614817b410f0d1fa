"""The executors of runs: steps one after the other, or several at a time."""

import dagster as dg

from olist_assets.engines.base import Engine
from olist_assets.settings.engine_names import LOCAL_ENGINES

MAX_CONCURRENT_STEPS = 8
"""Concurrent steps of a run whose engine is remote. A cluster accepts at most 256 steps that wait or run."""


def create_executor(engine: Engine) -> dg.ExecutorDefinition:
    """The executor of an engine's runs.

    Local steps share one engine in this process; one process per step would cost more than the step. With a remote
    engine, each step has a process that only waits for its job.
    """
    if engine.is_remote:
        # Workers are forked from a server that has already imported the code location; otherwise every step spends
        # seconds importing it.
        forks = {"forkserver": {"preload_modules": ["olist_assets.definitions"]}}
        return dg.multiprocess_executor.configured({"max_concurrent": MAX_CONCURRENT_STEPS, "start_method": forks})
    return dg.in_process_executor


def pool_for(table_id: str, engine: str) -> str:
    """The pool of a table's asset.

    Local engines have one pool per table, so that only one run writes a table. Remote engines share one pool.
    """
    return table_id.replace("/", ".") if engine in LOCAL_ENGINES else "emr"
