"""The process of a run, recorded in a tag of the run, so that a run whose process has died does not count as running.

A killed process cannot report the end of its run. Dagster's queue would wait for that run forever.
"""

import os
import socket
from dataclasses import dataclass
from typing import Self

import dagster as dg
import msgspec

from olist_assets.lake import process_identity

TAG = "olist/process"

_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
"""The statuses of runs that have, or soon have, a process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProcess:
    """The process that executes a run.

    Attributes:
        run_id: the run. A repeated run may have a copy of the tag of another one, which says nothing about it.
        host: the name of the host.
        installation: the `process_identity.installation_id` of the host; None if unknown.
        machine: the `process_identity.boot_id` within which `pid` is unique.
        pid: the id of the process on that host.
        started: the `process_identity.start_time` of the process; None if unknown.
    """

    run_id: str
    host: str
    installation: str | None
    machine: str
    pid: int
    started: str | None

    @classmethod
    def current(cls, run_id: str) -> Self:
        """This process, as the one that executes a run."""
        pid = os.getpid()
        return cls(
            run_id=run_id,
            host=socket.gethostname(),
            installation=process_identity.installation_id(),
            machine=process_identity.boot_id(),
            pid=pid,
            started=process_identity.start_time(pid),
        )

    @classmethod
    def of(cls, run: dg.DagsterRun) -> Self | None:
        """The process in a run's tag; None if the run has no readable tag of its own."""
        try:
            process = msgspec.json.decode(run.tags.get(TAG, ""), type=cls)
        except msgspec.DecodeError:
            return None
        return process if process.run_id == run.run_id else None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    @property
    def tags(self) -> dict[str, str]:
        """The tag for its run."""
        return {TAG: msgspec.json.encode(self).decode()}

    @property
    def has_died(self) -> bool:
        """Whether it is a process of this host that is known to have ended, perhaps because the host was restarted."""
        if self.machine == process_identity.boot_id():
            return process_identity.has_exited(self.pid, self.started)
        is_this_host = self.installation is not None and self.installation == process_identity.installation_id()
        return is_this_host and process_identity.is_earlier_boot(self.machine)


def dead_process(run: dg.DagsterRun) -> RunProcess | None:
    """The process of a run, if it has died on this host; None if it lives, or if that cannot be known from here."""
    process = RunProcess.of(run)
    return process if process and process.has_died else None


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report each unfinished run whose process has died on this host as failed, or as canceled if that was requested.

    The slots of its pools become free. Other runs are not changed.

    Returns:
        The ids of these runs.
    """
    ended: list[str] = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        process = dead_process(run)
        if process is None:
            continue
        run = instance.get_run_by_id(run.run_id)  # noqa: PLW2901 - the process may have finished it before it ended
        if run is None or run.is_finished:
            continue
        message = f"The {process} has died before the end of the run."
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message)
        else:
            instance.report_run_failed(run, message)
        if instance.event_log_storage.supports_global_concurrency_limits:
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended.append(run.run_id)
    return ended
