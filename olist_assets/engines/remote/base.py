"""What engines that run steps on a cluster share: code and request go to the lake, the result comes back from there.

A job's name encodes lake, table, request and run. A restarted run can therefore find the jobs of a crashed one: an
identical job is adopted, any other job on the same table is canceled first.
"""

import json
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs] - it has none
from obstore.store import ObjectStore

from olist_assets.aws.clients import describe_error
from olist_assets.aws.environment import is_s3
from olist_assets.aws.redaction import redact
from olist_assets.engines.base import Engine
from olist_assets.engines.remote.job import JobKey, JobPhase, JobStatus, Submission
from olist_assets.engines.remote.logs import read_log_tail
from olist_assets.engines.remote.package import Package, Uploaded
from olist_assets.engines.remote.settings import RemoteFields, RemoteSettings
from olist_assets.engines.remote.waiting import JobWaiter, T, wait_for_capacity
from olist_assets.errors import EngineError, OlistError, SettingsError
from olist_assets.lake.leases import LeaseUnavailableError, hold_lease
from olist_assets.lake.storage import open_store, read_object
from spark_steps.protocol import Progress, StepRequest, StepResult, ignore_progress


class RemoteEngine(RemoteFields, Engine):
    """An engine whose steps run on a cluster, from this project's package, on a lake in a bucket.

    Attributes:
        lake: root of the lake, an s3:// URI.
    """

    lake: str
    is_remote: ClassVar[bool] = True
    settings_class: ClassVar[type[RemoteSettings]]

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
    def live(self) -> Iterator[tuple[str, str]]:
        """The ids and names of all jobs that have not ended."""

    @abstractmethod
    def cancel(self, job: str) -> None:
        """Request the cancellation of a job. A job that has ended is left alone."""

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
        """Run the step as a job and wait for its end. Any interruption of the waiting cancels the job.

        Raises:
            StepError: as `Engine.run` does.
            EngineError: the job failed in another way or did not start in time, AWS refused a request, or the package
                is missing, as for `prepare`.
            SettingsError, LakeNotFoundError: as `prepare` does.
        """
        code = self._upload_package(context.log.info)
        try:
            started = time.monotonic()
            job, key = self._find_or_submit(request, code, context.log.info)
            seconds_for_capacity = time.monotonic() - started
            status = self._wait_or_cancel(job, context)
        except (BotoCoreError, ClientError) as error:
            raise EngineError(describe_error(error)) from error
        waiting = round(seconds_for_capacity + status.metadata.get("seconds_waiting", 0), 1)
        context.add_asset_metadata({"job": job, **status.metadata, "seconds_waiting": waiting})
        return self._read_result(job, key, status)

    def cancel_jobs(self, run_id: str) -> list[str]:
        """Cancel the jobs of a run that have not ended, and return their ids.

        Raises:
            EngineError: AWS refused a request.
        """
        try:
            jobs = [job for job, name in self.live() if (key := JobKey.parse(name)) and key.run_id == run_id]
            for job in jobs:
                self.cancel(job)
        except (BotoCoreError, ClientError) as error:
            raise EngineError(describe_error(error)) from None  # Dagster stores the texts of all causes of a tick
        return jobs

    # --- Submission --------------------------------------------------------------------------------------------

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

    def _find_or_submit(self, request: StepRequest, code: Uploaded, on_progress: Progress) -> tuple[str, JobKey]:
        """The job of a request and its key: an identical job that is running already, or else a new one."""
        key = JobKey.from_request(request)
        adopted = self._adopt_or_cancel_orphans(key, on_progress)
        return adopted or (self.submit(self._write_request(request, key, code), on_progress), key)

    def _adopt_or_cancel_orphans(self, key: JobKey, on_progress: Progress) -> tuple[str, JobKey] | None:
        """An identical job that is running, if any. Other jobs on the table are canceled, and have ended on return.

        The caller holds the table's lease, so the runs that submitted these jobs have ended.
        """
        adopted = None
        for job, name in self.live():
            other = JobKey.parse(name)
            if other is None or (other.lake, other.table) != (key.lake, key.table):
                continue
            identical = other.request == key.request
            if adopted is None and identical and self.status(job).phase is not JobPhase.CANCELLING:
                on_progress(f"found identical job {job} of run {other.run_id}: waiting for it")
                adopted = job, other
            else:
                on_progress(f"canceling {job}, an orphaned job of run {other.run_id} on {key.table}")
                self._waiter.cancel_and_wait(job)
        return adopted

    def _write_request(self, request: StepRequest, key: JobKey, code: Uploaded) -> Submission:
        """Write a request into the lake, delete an earlier result, and describe the job."""
        for name in ("result.json", "request.json"):
            with suppress(FileNotFoundError):
                self._store.delete(f"{key.folder}/{name}")
        self._store.put(f"{key.folder}/request.json", request.to_json().encode())
        return Submission(
            name=key.name,
            steps=f"{self.lake}/{code.steps}",
            environment=f"{self.lake}/{code.environment}",
            main=f"{self.lake}/{code.main}",
            request=f"{self.lake}/{key.folder}/request.json",
            result=f"{self.lake}/{key.folder}/result.json",
        )

    # --- Waiting -----------------------------------------------------------------------------------------------

    @property
    def _waiter(self) -> JobWaiter:
        return JobWaiter(self, self.poll_seconds, self.start_minutes, self.stop_seconds)

    def _wait_or_cancel(self, job: str, context: dg.AssetExecutionContext) -> JobStatus:
        """Wait for a job's end. Any interruption of the waiting cancels the job."""
        try:
            return self._waiter.wait_for_end(job, context.log.info)
        except BaseException:  # Dagster interrupts a run by a subclass of BaseException
            try:
                self._waiter.cancel_and_wait(job)
            except (BotoCoreError, ClientError, OlistError) as error:
                context.log.warning(redact(f"{job} may still run: {error}"))
            raise

    def _wait_for_capacity(self, probe: Callable[[], T | None], what: str) -> T:
        return wait_for_capacity(probe, what, poll_seconds=self.poll_seconds, start_minutes=self.start_minutes)

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

    # --- The result --------------------------------------------------------------------------------------------

    def _read_result(self, job: str, key: JobKey, status: JobStatus) -> StepResult:
        """The result that a job wrote into the lake.

        Raises:
            StepError: the step cannot be done; the job wrote the reason.
            EngineError: the job failed in another way; the message has the service's reason and the log's last lines.
        """
        try:
            text = read_object(self._store, f"{key.folder}/result.json").decode()
        except FileNotFoundError:
            text = None
        if text is not None and (status.phase is JobPhase.SUCCEEDED or "error" in json.loads(text)):
            return StepResult.from_json(text)
        reason = f": {status.reason}" if status.reason else ""
        state = (
            f"is {status.state} without a result"
            if status.phase is JobPhase.SUCCEEDED
            else f"is {status.state}{reason}"
        )
        log = read_log_tail(status.log, pause=self.poll_seconds, deadline=self.log_seconds)
        raise EngineError(redact(f"{key.table}: {job} {state}; {log}", self.lake, status.log or ""))
