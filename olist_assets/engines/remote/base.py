"""What engines that run steps elsewhere have in common: the code and the request go to the lake, the result comes back.

A step's work has a name that tells the lake, the table, what is asked, and the run that asks. So who starts again after
a crash finds what still runs: equal work is waited for, other work on the table is cancelled before its own begins.
"""

import gzip
import json
import os
import random
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError
from obstore.store import ObjectStore
from pydantic import ValidationError

from olist_assets.aws.clients import to_user_error
from olist_assets.aws.environment import is_s3
from olist_assets.aws.redaction import redact, summarize_error
from olist_assets.engines.base import Engine
from olist_assets.engines.remote.job import JobKey, JobPhase, JobStatus, Submission
from olist_assets.engines.remote.package import FOLDER, Package, Uploaded
from olist_assets.errors import OlistError
from olist_assets.lake.leases import LeaseUnavailableError, hold_lease
from olist_assets.lake.storage import open_store
from spark_steps.protocol import StepRequest, StepResult

_LOG_LINES = 15
_TELLS_NOTHING = ("at ", "... ")  # lines of Java's stack traces


class RemoteEngine(Engine):
    """An engine whose steps run on a cluster, from this project's package, on a lake in a bucket.

    Attributes:
        lake: root of the lake, an s3:// URI.
        package: folder of the package that `make package` built.
        poll_seconds: how often a job is asked for its state, more or less.
        start_minutes: how long a job may wait for capacity before it is cancelled.
        stop_seconds: how long a cancelled job may take to end.
        log_seconds: how long the log of a failed job is waited for; services bring it with a delay.
    """

    lake: str
    package: str = str(FOLDER)
    poll_seconds: float = 5.0
    start_minutes: float = 30.0
    stop_seconds: float = 120.0
    log_seconds: float = 60.0
    is_remote: ClassVar[bool] = True
    variables: ClassVar[tuple[str, ...]] = ("OLIST_EMR_",)

    @classmethod
    def from_environment(cls, lake: str, environment: Mapping[str, str] = os.environ) -> Self:
        """The engine as variables describe it: an attribute's name in capitals, after one of the prefixes `variables`.

        Lists are written with commas, tags as key=value with commas.

        Raises:
            OlistError: a value is not accepted; the message names the variable and what it takes.
        """
        given: dict[str, Any] = {"lake": lake}
        named: dict[str, str] = {}
        for attribute, declared in cls.model_fields.items():
            names = [f"{prefix}{attribute.upper()}" for prefix in cls.variables]
            name = next((name for name in names if environment.get(name)), None)
            if name is not None and attribute != "lake":
                named[attribute] = name
                given[attribute] = _parsed(environment[name], declared.annotation)
        try:
            return cls(**given)
        except ValidationError as error:
            [first, *_] = error.errors()
            name = named[str(first["loc"][0])]
            raise OlistError(f"{name}={environment[name]}: {first['msg']}") from error

    # --- What a service has to do ------------------------------------------------------------------------------

    @abstractmethod
    def submit(self, submission: Submission, on_progress: Callable[[str], None]) -> str:
        """Start a job on a cluster that is found or created, and return its id; once, even if answers get lost."""

    @abstractmethod
    def status(self, job: str) -> JobStatus:
        """How a job stands."""

    @abstractmethod
    def live(self) -> Iterator[tuple[str, str]]:
        """The ids and names of all jobs that have not ended."""

    @abstractmethod
    def cancel(self, job: str) -> None:
        """Ask for a job's end; nothing if it has ended."""

    # --- The contract ------------------------------------------------------------------------------------------

    def prepare(self, on_progress: Callable[[str], None] = lambda _: None) -> None:
        """See that the lake lies on S3, and that it holds the code.

        Raises:
            OlistError: the lake is a folder, or the package has not been built of today's code.
        """
        self._code(on_progress)

    def run(self, context: dg.AssetExecutionContext, request: StepRequest) -> StepResult:
        """Run the step as a job, and wait for its end; whatever interrupts the waiting cancels the job."""
        code = self._code(context.log.info)
        try:
            started = time.monotonic()
            job, work = self._job(request, code, context.log.info)
            seconds_for_capacity = time.monotonic() - started
            status = self._wait_or_cancel(job, context)
        except (BotoCoreError, ClientError) as error:
            raise to_user_error(error) from error
        waiting = round(seconds_for_capacity + status.metadata.get("seconds_waiting", 0), 1)
        context.add_asset_metadata({"job": job, **status.metadata, "seconds_waiting": waiting})
        return self._result(job, work, status)

    def cancel_jobs(self, run_id: str) -> list[str]:
        """Cancel what a run has left on the cluster, and return the ids of the jobs."""
        jobs = [job for job, name in self.live() if (work := JobKey.parse(name)) and work.run_id == run_id]
        for job in jobs:
            self.cancel(job)
        return jobs

    # --- How ---------------------------------------------------------------------------------------------------

    @cached_property
    def _store(self) -> ObjectStore:
        if not is_s3(self.lake):
            raise OlistError(f"OLIST_ENGINE={self.name} needs the lake on S3: set OLIST_LAKE to s3://<bucket>/<prefix>")
        return open_store(self.lake, create=True)

    def _code(self, on_progress: Callable[[str], None]) -> Uploaded:
        store = self._store
        return Package.of(Path(self.package)).upload(store, on_progress)

    def _job(self, request: StepRequest, code: Uploaded, on_progress: Callable[[str], None]) -> tuple[str, JobKey]:
        """The job that does what is asked, and whose work it is: one that runs already, else a new one."""
        work = JobKey.from_request(request)
        found = self._adopt_or_cancel_orphans(work, on_progress)
        return found or (self.submit(self._submission(request, work, code), on_progress), work)

    def _wait_or_cancel(self, job: str, context: dg.AssetExecutionContext) -> JobStatus:
        """How a job ended; whatever interrupts the waiting cancels it."""
        try:
            return self._wait_for_end(job, context.log.info)
        except BaseException:  # Dagster interrupts a run with an error of its own that is no Exception
            try:
                self._stop(job)
            except (BotoCoreError, ClientError, OlistError) as error:
                context.log.warning(redact(f"{job} may still run: {error}"))
            raise

    def _submission(self, request: StepRequest, work: JobKey, code: Uploaded) -> Submission:
        """The job of a request, which lies in the lake afterwards; a result from before does not."""
        for name in ("result.json", "request.json"):
            with suppress(FileNotFoundError):
                self._store.delete(f"{work.folder}/{name}")
        self._store.put(f"{work.folder}/request.json", request.to_json().encode())
        return Submission(
            name=work.name,
            steps=f"{self.lake}/{code.steps}",
            environment=f"{self.lake}/{code.environment}",
            main=f"{self.lake}/{code.main}",
            request=f"{self.lake}/{work.folder}/request.json",
            result=f"{self.lake}/{work.folder}/result.json",
        )

    def _adopt_or_cancel_orphans(self, work: JobKey, on_progress: Callable[[str], None]) -> tuple[str, JobKey] | None:
        """A job that does this work already; other jobs on the table are ended first.

        Whoever calls this holds the table's lease, so the run that such a job belongs to is no more.
        """
        found = None
        for job, name in self.live():
            other = JobKey.parse(name)
            if other is None or (other.lake, other.table) != (work.lake, work.table):
                continue
            if found is None and other.request == work.request and self.status(job).phase is not JobPhase.CANCELLING:
                on_progress(f"found {job}, which does this for run {other.run_id}: waiting for it")
                found = job, other
            else:
                on_progress(f"ending {job}, which run {other.run_id} has left on {work.table}")
                self._stop(job)
        return found

    def _wait_for_end(self, job: str, on_progress: Callable[[str], None]) -> JobStatus:
        """Wait for a job's end, telling each change.

        Raises:
            OlistError: it has not started within the time that is allowed.
        """
        tell, deadline = log_changes(on_progress), time.monotonic() + 60 * self.start_minutes
        while True:
            status = self.status(job)
            line = tell(f"{job} is {status.state}", status.reason)
            if status.phase.ended:
                return status
            if status.phase is JobPhase.WAITING and time.monotonic() > deadline:
                raise OlistError(
                    f"{line}, and has not started within {self.start_minutes:g} minutes: it was cancelled; "
                    "see the cluster's capacity, or set OLIST_EMR_START_MINUTES"
                )
            self._pause()

    def _stop(self, job: str) -> None:
        """Cancel a job, and wait until nothing of it runs.

        Raises:
            OlistError: it does not end.
        """
        self.cancel(job)
        deadline = time.monotonic() + self.stop_seconds
        while not self.status(job).phase.ended:
            if time.monotonic() > deadline:
                raise OlistError(f"{job} was cancelled, and has not ended within {self.stop_seconds:g} seconds")
            self._pause()

    def _poll_until_start(self, what: str) -> Iterator[None]:
        """Once, and again after a pause, as long as a job may wait for capacity.

        Raises:
            OlistError: that time is over.
        """
        deadline = time.monotonic() + 60 * self.start_minutes
        while time.monotonic() < deadline:
            yield
            self._pause()
        raise OlistError(f"waited {self.start_minutes:g} minutes for {what}; see OLIST_EMR_START_MINUTES")

    def _find_or_create(self, name: str, find: Callable[[], str | None], create: Callable[[], str]) -> str:
        """What is found, or else created; of processes that find nothing, one creates it while the others wait.

        Args:
            name: of what is shared, for the lease and for messages.
            find: its id, if it is there.
            create: makes it, and returns its id.

        Raises:
            OlistError: another process takes too long to create it.
        """
        for _ in self._poll_until_start(f"another process to create {name}"):
            if found := find():
                return found
            with suppress(LeaseUnavailableError), hold_lease(self._store, name, "its creation"):
                return find() or create()
        raise AssertionError  # patience ends with an error

    def _pause(self) -> None:
        time.sleep(self.poll_seconds * random.uniform(0.6, 1.4))  # noqa: S311 - so that steps do not ask all at once

    def _result(self, job: str, work: JobKey, status: JobStatus) -> StepResult:
        """What the job left in the lake.

        Raises:
            StepError: the step could not be done, and says why.
            OlistError: it failed in another way: the service's words and the last lines of the driver's log.
        """
        try:
            text = bytes(self._store.get(f"{work.folder}/result.json").bytes()).decode()
        except FileNotFoundError:
            text = None
        if text is not None and (status.phase is JobPhase.SUCCEEDED or "error" in json.loads(text)):
            return StepResult.from_json(text)
        reason = f": {status.reason}" if status.reason else ""
        what = (
            f"is {status.state} without a result"
            if status.phase is JobPhase.SUCCEEDED
            else f"is {status.state}{reason}"
        )
        told = f"{work.table}: {job} {what}; {self._log_tail(status.log)}"
        raise OlistError(redact(told, self.lake, status.log or ""))

    def _log_tail(self, log: str | None) -> str:
        """The last lines of a driver's log, which may take its time to come."""
        if log is None:
            return "there is no log: set OLIST_EMR_LOGS to s3://<bucket>/<prefix>"
        folder, _, name = log.rpartition("/")
        store, deadline = None, time.monotonic() + self.log_seconds
        while True:
            try:
                store = store or open_store(folder, create=False)
                packed = bytes(store.get(name).bytes())
                lines = gzip.decompress(packed).decode(errors="replace").splitlines()
            except FileNotFoundError:
                if time.monotonic() > deadline:
                    return f"its log is still to come: {log}"
            except (BaseError, OlistError) as error:
                return f"its log, {log}, cannot be read: {summarize_error(error)}"
            else:
                told = [line for line in lines if not line.strip().startswith(_TELLS_NOTHING)]
                return "\n".join([f"its log, {log}, ends:", *told[-_LOG_LINES:]])
            self._pause()


def log_changes(on_progress: Callable[[str], None]) -> Callable[[str, str], str]:
    """A function that tells what stands and why, redacted and only where it has changed, and returns that line."""
    told = ""

    def tell(what: str, why: str) -> str:
        nonlocal told
        line = redact(f"{what}: {why}" if why else what)
        if line != told:
            on_progress(line)
            told = line
        return line

    return tell


def _parsed(text: str, type_: Any) -> Any:
    """A variable's text as what an attribute's type is made from."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if type_ == list[str]:
        return words
    if type_ == dict[str, str]:
        return {key: value for key, _, value in (word.partition("=") for word in words)}
    return text
