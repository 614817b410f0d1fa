"""The launcher of the runs of the Dagster UI: Dagster's own, with a health check for its run monitoring."""

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

from olist_assets.orchestration.instance.run_process import dead_process


class MonitoredRunLauncher(DefaultRunLauncher):
    """Dagster's default launcher, which also knows whether the process of a run has died.

    Dagster's daemon asks it for every unfinished run, also for those of `olist run`, and reports dead ones as failed.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Always."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """The state of a run's process. One that cannot be seen from this host counts as running."""
        if process := dead_process(run):
            return CheckRunHealthResult(WorkerStatus.FAILED, f"the {process} has died")
        return CheckRunHealthResult(WorkerStatus.RUNNING)
