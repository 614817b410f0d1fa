"""How the steps of a run are carried out: one after the other, or many at a time."""

import dagster as dg

from olist_assets.engine_names import LOCAL_ENGINES
from olist_assets.engines.base import Engine

STEPS_AT_A_TIME = 8
"""Of a run whose engine works elsewhere. A cluster has at most 256 steps that wait or run."""


def create_executor(engine: Engine) -> dg.ExecutorDefinition:
    """The executor of an engine's runs.

    Local steps share one engine in this process: a process a step would cost more than the step. Where steps run
    elsewhere, processes only wait for them.
    """
    if engine.is_remote:
        # Processes are forks of one that has imported the code location: a step would import it for seconds.
        forks = {"forkserver": {"preload_modules": ["olist_assets.definitions"]}}
        return dg.multiprocess_executor.configured({"max_concurrent": STEPS_AT_A_TIME, "start_method": forks})
    return dg.in_process_executor


def pool_for(table_id: str, engine: str) -> str:
    """The pool of a table's asset: one writer a table among Dagster's runs; of a cluster's steps, one for all."""
    return table_id.replace("/", ".") if engine in LOCAL_ENGINES else "emr"
