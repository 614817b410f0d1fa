"""What engines that run steps on a cluster share: one worker per run, which gets its code and requests from the lake.

A table's newest request has a pointer in the lake. A run that takes a table over from a killed run thus finds the
request that may still be executed, and withdraws it first.
"""

import re
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs] - it has none
from obstore.store import ObjectStore
from pydantic import PrivateAttr

from olist_assets.aws.clients import describe_error, is_transient
from olist_assets.aws.environment import is_s3
from olist_assets.engines.base import Engine, Machine
from olist_assets.engines.remote.exchange import Exchange
from olist_assets.engines.remote.job import JobStatus, LiveJob, Submission, WorkerKey
from olist_assets.engines.remote.package import Package, Uploaded
from olist_assets.engines.remote.settings import RemoteFields, RemoteSettings
from olist_assets.engines.remote.waiting import T, wait_for_capacity
from olist_assets.engines.remote.worker import Limits, RunWorker, end_job, withdraw
from olist_assets.errors import EngineError, OutageError, SettingsError
from olist_assets.lake.leases import LeaseUnavailableError, hold_lease
from olist_assets.lake.storage import open_store
from spark_steps.protocol import Progress, StepCrashError, StepRequest, StepResult, ignore_progress

_DEAD = timedelta(minutes=10)
"""A worker whose newest heartbeat is so old is dead, even if its clock differs."""

_STOPPED = {"CREATED", "STOPPING", "STOPPED"}
"""States of an application that runs nothing, and costs nothing."""

_MAX_PAUSE = 10.0
"""The greatest pause between two questions about a cluster that is not ready; an interruption takes as long."""


class RemoteEngine(RemoteFields, Engine):
    """An engine whose steps run on a cluster, from this project's package, on a lake in a bucket.

    Attributes:
        lake: root of the lake, an s3:// URI.
    """

    lake: str
    is_remote: ClassVar[bool] = True
    settings_class: ClassVar[type[RemoteSettings]]
    _workers: dict[str, RunWorker] = PrivateAttr(default_factory=dict[str, RunWorker])
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def from_environment(cls, lake: str) -> Self:
        """The engine as the variables of its settings class describe it.

        Raises:
            SettingsError: a value is not accepted; the message names the variable.
        """
        return cls(lake=lake, **cls.settings_class.load().model_dump())

    # --- What a service has to do ------------------------------------------------------------------------------

    @abstractmethod
    def submit(self, submission: Submission, on_progress: Progress) -> str:
        """Start a job on a cluster that is found or created, at most once even if answers get lost; return its id."""

    @abstractmethod
    def status(self, job: str) -> JobStatus:
        """The status of a job."""

    @abstractmethod
    def hosts(self) -> Iterator[Machine]:
        """The live clusters or applications of the configured name, the one in use first."""

    @abstractmethod
    def end_host(self, host: str) -> None:
        """Request the end of a cluster, or that an application stops."""

    @abstractmethod
    def live_jobs(self, host: str) -> Iterator[LiveJob]:
        """The jobs of a cluster or an application that have not ended."""

    @abstractmethod
    def cancel(self, job: str, *, force: bool = False) -> None:
        """Request the end of a job, of all its processes if `force` is set. A job that has ended is left alone."""

    @abstractmethod
    def request_spark_ui(self, job: str) -> str:
        """A URL of the Spark UI of a job, also of one that has ended."""

    @property
    @abstractmethod
    def price_per_hour(self) -> float:
        """The estimated price of a worker, in US dollars per hour."""

    # --- The contract ------------------------------------------------------------------------------------------

    def prepare(self, on_progress: Progress = ignore_progress) -> None:
        """Check that the lake is on S3, and upload the code to it.

        Raises:
            SettingsError: the lake is a folder.
            LakeNotFoundError: the lake's bucket cannot be listed.
            EngineError: the package has not been built, or from other step code.
        """
        self._upload_package(on_progress)

    def run(self, context: dg.AssetExecutionContext, request: StepRequest) -> StepResult:
        """Run the step on the run's worker. Any interruption of the waiting withdraws it.

        Raises:
            StepError: as `Engine.run` does.
            EngineError: the step ended in another way, no worker starts in time, AWS refused a request, or the package
                is missing, as for `prepare`.
            SettingsError, LakeNotFoundError: as `prepare` does.
        """
        worker = self._worker(request.run_id)
        try:
            self._withdraw_orphan(request.table, context.log.info)
            answer = worker.run(request, context.log.info)
            result = StepResult.from_json(answer.text)
        except StepCrashError as error:
            raise EngineError(f"{request.table}: {error}") from error
        except (BotoCoreError, ClientError) as error:
            raise _service_error(error) from error
        context.add_asset_metadata(
            {
                "job": answer.job,
                "spark_ui": dg.MetadataValue.md(f"`olist spark-ui {answer.job}`"),
                "seconds_waiting": round(max(0.0, answer.seconds - result.seconds), 1),
                "seconds_running": round(result.seconds, 1),
                "estimated_cost_usd": round(result.seconds / 3600 * answer.share * self.price_per_hour, 6),
            }
        )
        return result

    def retry_after_outage(self, retry_number: int) -> dg.RetryRequested | None:
        """As the settings say."""
        return dg.RetryRequested(self.retries, self.retry_seconds) if retry_number < self.retries else None

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - the contract
        """Let the worker of the run end."""
        while self._workers:
            _, worker = self._workers.popitem()
            worker.close()

    def cancel_jobs(self, run_id: str) -> list[str]:
        """Cancel the jobs of a run that have not ended, and return their ids.

        Raises:
            EngineError: AWS refused a request.
        """
        try:
            jobs = [job.id for job in self.live() if job.key and job.key.run_id == run_id]
            for job in jobs:
                self.cancel(job)
        except (BotoCoreError, ClientError) as error:
            raise EngineError(describe_error(error)) from None  # Dagster stores the texts of all causes of a tick
        return jobs

    def live(self) -> Iterator[LiveJob]:
        """The jobs of all hosts that have not ended."""
        for host in self.hosts():
            yield from self.live_jobs(host.id)

    def machines(self) -> list[Machine]:
        """The live clusters or applications, each followed by its jobs.

        Raises:
            EngineError: AWS refused a request.
        """
        found: list[Machine] = []
        try:
            for host in (host for host in self.hosts() if host.state not in _STOPPED):
                found += [host, *(self._machine(job, host) for job in self.live_jobs(host.id))]
        except (BotoCoreError, ClientError) as error:
            raise _service_error(error) from error
        return found

    def _machine(self, job: LiveJob, host: Machine) -> Machine:
        return Machine(
            kind="worker",
            id=job.id,
            state=job.state,
            run_id=job.key.run_id if job.key else "",
            folder=job.key.folder if job.key else "",
            is_own=job.key is not None and job.key == WorkerKey.create(self.lake, job.key.run_id, job.key.attempt),
            price_per_hour=0.0 if host.price_per_hour else self.price_per_hour,
        )

    def end_machine(self, machine: Machine) -> None:
        """Request the end of a cluster or an application, or of a worker, whose run then fails without another one.

        Raises:
            EngineError: AWS refused a request.
        """
        try:
            if not machine.is_worker:
                self.end_host(machine.id)
                return
            Exchange(self._store, machine.folder, self.name, machine.id).close()
            self.cancel(machine.id)
        except (BotoCoreError, ClientError) as error:
            raise _service_error(error) from error

    def create_spark_ui(self, job: str) -> str:
        """Create a URL of the Spark UI of a worker, which gives access for a short time.

        Raises:
            EngineError: AWS refused a request, or the UI is not ready in time.
        """
        if not re.fullmatch(r"[\w-]+/[\w-]+", job, re.ASCII):
            raise EngineError(f"{job} is no worker; an asset's metadata and `olist status` name them")
        try:
            return self.request_spark_ui(job)
        except (BotoCoreError, ClientError) as error:
            raise _service_error(error) from error

    def _withdraw_orphan(self, table: str, on_progress: Progress) -> None:
        """Withdraw the request that a killed run left on a table, and wait until nothing of its step runs.

        The caller holds the table's lease, so nobody waits for the answer.
        """
        if (last := Exchange.find_last(self._store, table)) is None:
            return
        exchange, name = last
        heartbeat = exchange.read_heartbeat()
        if heartbeat is not None and datetime.now(UTC) - heartbeat.at > _DEAD:
            return
        if exchange.read_answer(name) is not None:
            return
        on_progress(f"withdrawing the last request on {table}, which nobody waits for: {exchange.folder}/{name}")
        if withdraw(exchange, name, self.stop_seconds / 2):
            return
        if exchange.engine != self.name:
            raise EngineError(
                f"{table}: a worker of the engine {exchange.engine}, {exchange.job}, may still write it: end it, or "
                f"try again after {_DEAD.seconds // 60} minutes"
            )
        end_job(self, exchange, self.stop_seconds / 2)

    # --- The worker of a run -----------------------------------------------------------------------------------

    def _worker(self, run_id: str) -> RunWorker:
        with self._lock:
            if run_id not in self._workers:
                limits = Limits(
                    self.poll_seconds, self.start_minutes, self.run_minutes, self.stop_seconds, self.log_seconds
                )

                def submit(number: int, on_progress: Progress, *, one_at_a_time: bool) -> Exchange:
                    key = WorkerKey.create(self.lake, run_id, number)
                    return self.submit_worker(key, on_progress, one_at_a_time=one_at_a_time)

                self._workers[run_id] = RunWorker(self, submit, limits, self.interrupted, self.lake)
            return self._workers[run_id]

    def submit_worker(self, key: WorkerKey, on_progress: Progress, *, one_at_a_time: bool = False) -> Exchange:
        """Submit a worker, of one step at a time or of several; return the folder of its requests.

        Raises:
            EngineError: AWS refused a request, no cluster is ready in time, or the package is missing.
        """
        code = self._upload_package(on_progress)
        try:
            job = self.submit(
                Submission(
                    name=key.name,
                    steps=f"{self.lake}/{code.steps}",
                    environment=f"{self.lake}/{code.environment}",
                    main=f"{self.lake}/{code.main}",
                    requests=f"{self.lake}/{key.folder}",
                    slots=1 if one_at_a_time else self.slots,
                    idle_seconds=60 * self.idle_minutes,
                ),
                on_progress,
            )
        except (BotoCoreError, ClientError) as error:
            raise _service_error(error) from error
        return Exchange(self._store, key.folder, self.name, job)

    @cached_property
    def _store(self) -> ObjectStore:
        if not is_s3(self.lake):
            raise SettingsError(
                f"OLIST_ENGINE={self.name} needs the lake on S3: set OLIST_LAKE to s3://<bucket>/<prefix>"
            )
        return open_store(self.lake, create=True)

    def _upload_package(self, on_progress: Progress) -> Uploaded:
        store = self._store
        return Package.find(Path(self.package)).upload(store, on_progress)

    # --- Clusters and applications -----------------------------------------------------------------------------

    def _wait_for_capacity(self, probe: Callable[[], T | None], what: str) -> T:
        def probe_unless_interrupted() -> T | None:
            if self.interrupted.is_set():
                raise dg.DagsterExecutionInterruptedError
            return probe()

        pause = min(self.poll_seconds, _MAX_PAUSE)
        return wait_for_capacity(probe_unless_interrupted, what, poll_seconds=pause, start_minutes=self.start_minutes)

    def _find_or_create(self, name: str, find: Callable[[], str | None], create: Callable[[], str]) -> str:
        """The id of a shared cluster or application. If several processes find none, one creates it, the others wait.

        Args:
            name: its name in the lease and in messages.
            find: returns its id, or None.
            create: creates it, and returns its id.

        Raises:
            EngineError: another process takes too long to create it.
        """

        def probe() -> str | None:
            if existing := find():
                return existing
            with suppress(LeaseUnavailableError), hold_lease(self._store, name, "its creation"):
                return find() or create()
            return None

        return self._wait_for_capacity(probe, f"another process to create {name}")


def _service_error(error: BotoCoreError | ClientError) -> EngineError:
    """The error of a service's API as one of this project."""
    return (OutageError if is_transient(error) else EngineError)(describe_error(error))
