"""A stand-in for Amazon EMR: the API of moto's server, and a machine that runs the steps and job runs.

The machine runs a step's arguments unchanged, as it runs those of a job run of EMR Serverless. `StepProgram` chooses
what its `spark-submit` is. Spark's is the real one, on local Spark that reads and writes S3 through S3A. The machine
provides Delta's jars and Spark's defaults, and unpacks archives as YARN does. The rest of the API is moto's.
"""

import gzip
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import psutil
from moto.core import DEFAULT_ACCOUNT_ID
from moto.emr.models import emr_backends
from moto.emrserverless.models import emrserverless_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug import Request, Response
from werkzeug.serving import make_server

from olist_assets.engines.local.jars import delta_jars, find, s3_jars
from olist_assets.engines.spark_properties import s3_properties
from olist_assets_tests.conftest import SMALL_AND_QUICK
from spark_steps.protocol import FileCounts, RowCounts, StepError, StepResult

REGION = "us-east-1"
REPOSITORY = Path(__file__).parents[2]
_FETCH = """#!{python}
import shutil, sys
import boto3
_, _, _, _, uri, _ = sys.argv  # aws s3 cp --only-show-errors URI -
bucket, _, key = uri.removeprefix("s3://").partition("/")
shutil.copyfileobj(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"], sys.stdout.buffer)
"""
# EMR starts a step by a program of its own. An interrupt reaches that program only, not what it has started.
_COMMAND_RUNNER = """#!{python}
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.exit(subprocess.Popen(sys.argv[1:]).wait())
"""

# The system's Python has none of the packages that steps import. A local executor would inherit the driver's path.
_SYSTEM_PYTHON = """#!/bin/sh
PYTHONPATH=$(echo "$PYTHONPATH" | tr ':' '\\n' | grep -v -e /archives/ -e /olist/environment- | paste -sd:)
export PYTHONPATH
exec "{python}" -S "$@"
"""

QUOTAS = {
    "DescribeStep": (10, 0.5),
    "DescribeCluster": (10, 1.0),
    "ListSteps": (10, 0.5),
    "ListClusters": (10, 0.5),
    "AddJobFlowSteps": (10, 0.5),
    "CancelSteps": (10, 0.5),
}
"""Quotas of EMR on EC2 by action: the size of the bucket of tokens, and the tokens that return per second."""

_MIN_EXECUTORS = 3
"""EMR Serverless rejects job runs with fewer initial executors."""

_NO_CAPACITY = (
    "ApplicationMaxCapacityExceededException: Worker could not be allocated as the application has exceeded "
    "maximumCapacity settings: [CPU]"
)

_ALL_CALLS = (25, 5.0)
"""The quota of all calls of EMR on EC2 together."""

_SUBMIT_TO_SAIL = """#!{python}
import os, sys
sys.path.insert(0, "{repository}")
from olist_assets.engines.local.sail import SailEngine
from spark_steps.worker import Worker
_, *words = sys.argv
folder = words[words.index("--requests") + 1]
session = SailEngine().session()
Worker(folder, lambda table: session, slots=1, idle_seconds=60).run()
"""

# Waits while it is paused, appends two sellers, and answers with the prepared result.
_SUBMIT_PREPARED = """#!{python}
import datetime, os, sys, time
sys.path.insert(0, "{repository}")
import deltalake, pyarrow
from spark_steps import worker
from spark_steps.protocol import StepResult

if os.path.exists("{crash}"):
    raise MemoryError(open("{crash}").read())

worker.POLL_SECONDS = worker.HEARTBEAT_SECONDS = 0.1

class Session:
    interrupted = False
    def interruptAll(self):
        self.interrupted = True

def run_step(session, request, on_progress, *, before_commit):
    while os.path.exists("{pause}"):
        if session.interrupted:
            raise RuntimeError("the query was interrupted")
        time.sleep(0.05)
    before_commit()
    key = {{"_landing_date": ["2018-05-10"] * 2, "_file_id": ["prepared"] * 2, "_row": [0, 1]}}
    time_ = datetime.datetime(2018, 5, 10, tzinfo=datetime.timezone.utc)
    lineage = {{"_file_name": ["sellers.csv"] * 2, "_extracted_at": [time_] * 2, "_run_id": ["prepared"] * 2}}
    sellers = pyarrow.table({{"seller_id": ["s1", "s2"], **key, **lineage}})
    deltalake.write_deltalake(request.output.uri, sellers, mode="append")
    with open("{result}") as file:
        return StepResult.from_json(file.read())

worker.run_step = run_step
_, *words = sys.argv
folder = words[words.index("--requests") + 1]
worker.Worker(folder, lambda table: Session(), slots=4, idle_seconds=60).run()
"""
_PREPARED_RESULT = StepResult(
    table="raw/sellers",
    version_before=-1,
    version_after=0,
    rows=RowCounts(read=2, inserted=2),
    files=FileCounts(added=1),
)

# YARN unpacks archives. A local Spark would unpack them again in every step, so it does not get the option.
_SPARK_SUBMIT = """#!/usr/bin/env python3.11
import os, sys
_, *words = sys.argv
if "--archives" in words:
    at = words.index("--archives")
    del words[at : at + 2]
command = os.environ["SPARK_HOME"] + "/bin/spark-submit"
os.execv(command, [command, *words])
"""


class StepProgram(StrEnum):
    """What the machine's `spark-submit` does."""

    SPARK = "spark"
    """The worker on local Spark."""
    SAIL = "sail"
    """The worker on Sail."""
    PREPARED = "prepared"
    """Answers each request at once: appends two sellers to the output, and returns a prepared result or error."""


@dataclass
class Fault:
    """The fault of the next calls of an action: throttled, server_error, denied, expired, lost (done, no answer)."""

    action: str
    kind: str
    times: int = 1


@dataclass
class Job:
    """A step or a job run.

    Attributes:
        id, name: those of its service.
        command: its arguments, the program first.
        log: the URI that its log is written to.
        set_state: sets its state in the service: the state, and the reason of a failure.
        variables: the environment variables of its driver.
        archives: the values of --archives.
        application: the application of a job run.
        cores: the vCPUs of a job run's driver and initial executors.
        process: its process, once it has started.
        cancelled: whether it was canceled.
    """

    id: str
    name: str
    command: list[str]
    log: str | None
    set_state: Callable[..., None]
    variables: dict[str, str] = field(default_factory=dict)
    archives: list[str] = field(default_factory=list)
    application: str = ""
    cores: int = 0
    process: subprocess.Popen | None = None
    cancelled: bool = False


class Cluster:
    """EMR's API at `url`, and the machine behind it.

    Attributes:
        folder: the machine's commands, configuration and working directories.
        program: what its `spark-submit` does.
        calls: the action of each call that was made, in order.
        jobs: every step and job run that was submitted, in order.
        faults: faults of calls to come.
        hold: while it is set, jobs wait for capacity.
        quotas: while it is set, calls of EMR on EC2 beyond its quotas are refused.
        refused: the number of these calls.
        log_delay: seconds after its end after which the log of a job appears.
        pause: while this file exists, steps of the prepared program run without an end.
        crash: while this file exists, workers of the prepared program crash when they start; its text is the reason.
        environment: the environment variables of the machine.
        before: by action, a function that is called just before the next call of the action is handled.
    """

    def __init__(self, folder: Path, program: StepProgram = StepProgram.SPARK) -> None:
        self.calls: list[str] = []
        self.jobs: list[Job] = []
        self.faults: list[Fault] = []
        self.hold = threading.Event()
        self.quotas = threading.Event()
        self.refused = 0
        self.log_delay = 0.5
        self._tokens_left: dict[str, tuple[float, float]] = {}
        self.before: dict[str, Callable[[], None]] = {}
        self.folder = folder
        self.pause = folder / "pause"
        self.crash = folder / "crash"
        self.program = program
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._failures: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, dict[str, Any]] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.RLock()
        self._server = make_server("127.0.0.1", 0, self._respond, threaded=True, request_handler=MotoRequestHandler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._prepare_machine()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop the server and all processes."""
        self._server.shutdown()
        for job in self.jobs:
            job.cancelled = True
            self._kill(job, signal.SIGKILL)
        for thread in self._threads:  # they write logs to S3
            thread.join(10)

    def prepare_result(self, result: StepResult | StepError = _PREPARED_RESULT) -> None:
        """Prepare what jobs of the prepared program write as their result, by default that two rows were inserted."""
        (self.folder / "result.json").write_text(result.to_json())

    @property
    def emr(self) -> Any:
        """Moto's clusters and steps."""
        return emr_backends[DEFAULT_ACCOUNT_ID][REGION]

    @property
    def serverless(self) -> Any:
        """Moto's applications and job runs."""
        return emrserverless_backends[DEFAULT_ACCOUNT_ID][REGION]

    @property
    def running(self) -> list[Job]:
        """The jobs of which a process is running, also one that has survived a cancellation."""
        return [job for job in self.jobs if job.process is not None and _is_alive(job.process.pid)]

    def times(self, action: str) -> int:
        """The number of calls of an action."""
        return self.calls.count(action)

    # --- The API -----------------------------------------------------------------------------------------------

    def _respond(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        action, body = _action_name(request), request.get_data()
        self.calls.append(action)
        fault = next((f for f in self.faults if f.action == action and f.times > 0), None)
        if fault:
            fault.times -= 1
        is_throttled = self.quotas.is_set() and not self._take_token(action)
        self.refused += is_throttled
        if is_throttled or (fault and fault.kind == "throttled"):
            response = _error(400, "ThrottlingException", "Rate exceeded")
        elif fault and fault.kind == "server_error":
            response = _error(500, "InternalServerException", "try again")
        elif fault and fault.kind == "expired":
            response = _error(400, "ExpiredTokenException", "The security token included in the request is expired")
        elif fault and fault.kind == "denied":
            response = _error(
                400, "AccessDeniedException", f"User: arn:aws:iam::123456789012:user/a is not authorized: {action}"
            )
        else:
            if callback := self.before.pop(action, None):
                callback()
            with self._lock:
                response = self._handle(action, request, json.loads(body) if body else {})
        if fault and fault.kind == "lost":
            response = _error(503, "ServiceUnavailableException", "the answer was lost")
        return response(environ, start_response)

    def _take_token(self, action: str) -> bool:
        """Whether a call is within its quotas. Calls of EMR Serverless have none here."""
        if action not in QUOTAS and action != "RunJobFlow":
            return True
        with self._lock:
            limits = {"all": _ALL_CALLS, **({action: QUOTAS[action]} if action in QUOTAS else {})}
            now, left = time.monotonic(), {}
            for name, (size, rate) in limits.items():
                tokens, at = self._tokens_left.get(name, (size, now))
                left[name] = min(size, tokens + rate * (now - at))
            is_within = all(tokens >= 1 for tokens in left.values())
            self._tokens_left |= {name: (tokens - is_within, now) for name, tokens in left.items()}
            return is_within

    def _handle(self, action: str, request: Request, body: dict[str, Any]) -> Response:
        if response := self._handle_here(action, request, body):
            return response
        environ = {**request.environ, "wsgi.input": io.BytesIO(request.get_data())}  # which has been read
        response = Response.from_app(self._moto, environ)
        if response.status_code < 400:
            answer = json.loads(response.get_data() or b"{}")
            self._follow_up(action, body, answer)
            if action in ("DescribeStep", "StartJobRun"):
                return _json(answer)
        return response

    def _handle_here(self, action: str, request: Request, body: dict[str, Any]) -> Response | None:
        """The response to calls that moto lacks, or accepts too easily."""
        if action == "CancelSteps":
            for step in body["StepIds"]:
                self._cancel(step, all_processes=body["StepCancellationOption"] == "TERMINATE_PROCESS")
            return _json({"CancelStepsInfoList": [{"StepId": s, "Status": "SUBMITTED"} for s in body["StepIds"]]})
        if action == "CancelJobRun":
            job = request.path.rpartition("/")[2]
            self._cancel(job, all_processes=True)
            return _json({"applicationId": request.path.split("/")[2], "jobRunId": job})
        if action == "AddJobFlowSteps" and self.emr.clusters[body["JobFlowId"]].state.startswith("TERMINAT"):
            return _error(400, "InvalidRequestException", "A job flow that is terminated may not be modified.")
        if action == "StopApplication" and any(job.application in request.path for job in self.running):
            return _error(400, "ValidationException", "Application has active job runs")
        if action in ("CreateApplication", "StartJobRun") and body["clientToken"] in self._tokens:
            return _json(self._tokens[body["clientToken"]])
        return self._answer_about_spark_ui(action, request, body)

    def _answer_about_spark_ui(self, action: str, request: Request, body: dict[str, Any]) -> Response | None:
        if action == "CreatePersistentAppUI":
            return _json({"PersistentAppUIId": "p-" + body["TargetResourceArn"].rpartition("/")[2]})
        if action == "GetPersistentAppUIPresignedURL":
            is_ready = self.times(action) > 1  # it takes a moment
            url = f"https://{body['PersistentAppUIId']}.emrappui-prod.example/shs?authToken=secret"
            return _json({"PresignedURLReady": is_ready} | ({"PresignedURL": url} if is_ready else {}))
        if action == "GetDashboardForJobRun":
            run = request.path.split("/")[4]
            return _json({"url": f"https://{run}.dashboard.emr-serverless.example/?authToken=secret"})
        return None

    def _follow_up(self, action: str, body: dict[str, Any], answer: dict[str, Any]) -> None:
        if action == "CreateApplication":
            self._tokens[body["clientToken"]] = answer
            self.serverless.job_runs[answer["applicationId"]] = []  # moto refuses to list none
        if action == "AddJobFlowSteps":
            for step_id in answer["StepIds"]:
                self._accept_step(body["JobFlowId"], step_id)
        if action == "StartJobRun":
            self._tokens[body["clientToken"]] = answer
            self._accept_job_run(answer["applicationId"], answer["jobRunId"])
        if action == "DescribeStep" and (details := self._failures.get(answer["Step"]["Id"])):
            answer["Step"]["Status"]["FailureDetails"] = details

    # --- What is submitted -------------------------------------------------------------------------------------

    def _accept_step(self, cluster: str, step_id: str) -> None:
        step = next(s for s in self.emr.clusters[cluster].steps if s.id == step_id)

        def set_state(state: str, reason: str = "") -> None:
            step.state = state
            if state == "RUNNING":
                step.start_date_time = _now()
            if state in ("COMPLETED", "FAILED", "CANCELLED"):
                step.end_date_time = _now()
            if reason:
                self._failures[step_id] = {"Reason": "Unknown Error.", "Message": reason, "LogFile": "stderr"}

        log_uri = self.emr.clusters[cluster].log_uri
        log = f"{log_uri.rstrip('/')}/{cluster}/steps/{step_id}/stderr.gz" if log_uri else None
        set_state("PENDING")
        command = ["command-runner", *step.args]
        own = {"SPARK_CONF_DIR": str(self.folder / "conf-emr")}
        self._accept(Job(step_id, step.name, command, log, set_state, own, _archives(step.args)))

    def _accept_job_run(self, application: str, run_id: str) -> None:
        run = next(r for r in self.serverless.job_runs[application] if r.id == run_id)
        run.created_at = run.updated_at = _now()

        def set_state(state: str, reason: str = "") -> None:
            state = {"COMPLETED": "SUCCESS", "PENDING": "SUBMITTED"}.get(state, state)
            run.state, run.updated_at, run.state_details = state, _now(), reason
            if state == "RUNNING":
                run.started_at = _now()
            elif state != "SUBMITTED" and hasattr(run, "started_at"):
                seconds = (run.updated_at - run.started_at).total_seconds()
                run.total_execution_duration_seconds = int(seconds)
                run.billed_resource_utilization = {
                    "vCPUHour": round(seconds / 3600 * 4, 3),
                    "memoryGBHour": round(seconds / 3600 * 16, 3),
                    "storageGBHour": 0.0,
                }

        submit = run.job_driver["sparkSubmit"]
        options = shlex.split(submit["sparkSubmitParameters"])
        prefix = "spark.emr-serverless.driverEnv."
        driver = dict(o.removeprefix(prefix).split("=", 1) for o in options if o.startswith(prefix))
        monitoring = (run.configuration_overrides or {}).get("monitoringConfiguration", {})
        logs = monitoring.get("s3MonitoringConfiguration", {}).get("logUri")
        log = f"{logs.rstrip('/')}/applications/{application}/jobs/{run_id}/SPARK_DRIVER/stderr.gz" if logs else None
        command = ["spark-submit", *options, submit["entryPoint"], *submit["entryPointArguments"]]
        set_state("PENDING")
        cores = _cores(options)
        self._accept(Job(run_id, run.name, command, log, set_state, driver, _archives(options), application, cores))

    def _accept(self, job: Job) -> None:
        self.jobs.append(job)
        thread = threading.Thread(target=self._run_and_report, args=(job,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _cancel(self, job_id: str, *, all_processes: bool) -> None:
        job = next(job for job in self.jobs if job.id == job_id)
        job.cancelled = True
        if job.process is None:
            job.set_state("CANCELLED")
        elif all_processes:
            self._kill(job, signal.SIGTERM)
        elif job.process.poll() is None:
            job.process.send_signal(signal.SIGINT)

    # --- The machine -------------------------------------------------------------------------------------------

    def _prepare_machine(self) -> None:
        commands = self.folder / "bin"
        commands.mkdir(parents=True)
        (commands / "python3.11").symlink_to(Path(sys._base_executable))  # noqa: SLF001 - the venv's own Python has its packages
        for name, text, python in (
            ("aws", _FETCH, sys.executable),
            ("command-runner", _COMMAND_RUNNER, sys.executable),
            ("python3", _SYSTEM_PYTHON, sys._base_executable),  # noqa: SLF001
        ):
            (commands / name).write_text(text.format(python=python))
            (commands / name).chmod(0o755)
        self._write_spark_submit(commands)
        conf = self.folder / "conf"
        conf.mkdir()
        if self.program is StepProgram.SPARK:
            lines = [f"{name} {value}" for name, value in self._spark_defaults().items()]
            (conf / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
        shutil.copytree(conf, self.folder / "conf-emr")
        (self.folder / "conf-emr" / "spark-env.sh").write_text(f"export PYSPARK_PYTHON={commands}/python3\n")
        home = Path(sys.modules["pyspark"].__file__ or "").parent
        path = os.pathsep.join([str(commands), os.environ["PATH"]])
        own = {"HOME": str(self.folder), "SPARK_HOME": str(home), "SPARK_CONF_DIR": str(conf), "PATH": path}
        kept = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("AWS_") or name in ("JAVA_HOME", "TMPDIR")
        }
        self.environment = {**kept, **own, "SPARK_LOCAL_IP": "127.0.0.1"}

    def _write_spark_submit(self, commands: Path) -> None:
        """Write the programs, and a `spark-submit` that runs the one of the variable STEP_PROGRAM."""
        self.prepare_result()
        python, result = sys.executable, self.folder / "result.json"
        programs = {
            StepProgram.SPARK: _SPARK_SUBMIT,
            StepProgram.SAIL: _SUBMIT_TO_SAIL.format(python=python, repository=REPOSITORY),
            StepProgram.PREPARED: _SUBMIT_PREPARED.format(
                python=python, repository=REPOSITORY, result=result, pause=self.pause, crash=self.crash
            ),
        }
        submit = f'#!/bin/sh\nexec "{commands}/submit-$STEP_PROGRAM" "$@"\n'
        for name, text in {"spark-submit": submit, **{f"submit-{p}": text for p, text in programs.items()}}.items():
            (commands / name).write_text(text)
            (commands / name).chmod(0o755)

    def _spark_defaults(self) -> dict[str, str]:
        jars = find((*delta_jars(), *s3_jars()))
        return {
            **SMALL_AND_QUICK,
            **s3_properties(),
            "spark.driver.extraClassPath": ":".join(map(str, jars)),  # spark-submit itself reads s3://
            "spark.ui.enabled": "false",
            "spark.driver.memory": "2g",
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmn1g",
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
        }

    def _run_and_report(self, job: Job) -> None:
        code = self._run(job)
        with self._lock:
            if job.cancelled:
                job.set_state("CANCELLED")
            elif code == 0:
                job.set_state("COMPLETED")
            else:
                job.set_state("FAILED", f"exit code {code}" if job.process else _NO_CAPACITY)
        self._write_log(job)

    def _run(self, job: Job) -> int | None:
        """Run a job; the exit code of its process, None if it was canceled before, or lacks capacity."""
        while self.hold.is_set() and not job.cancelled:
            time.sleep(0.05)
        environment = self.environment | job.variables | {"STEP_PROGRAM": self.program}
        with self._lock:
            if job.cancelled or not self._has_capacity(job):
                return None
            place = self.folder / "work" / job.id
            place.mkdir(parents=True)
            self._unpack(job.archives, place)
            with (place / "stderr").open("wb") as stderr:
                job.process = subprocess.Popen(
                    job.command,
                    cwd=place,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    start_new_session=True,
                )
            job.set_state("RUNNING")
        return job.process.wait()

    def _has_capacity(self, job: Job) -> bool:
        """Whether the driver and the initial executors of a job run fit into its application."""
        if not job.application:
            return True
        limit = int(self.serverless.applications[job.application].maximum_capacity["cpu"].split()[0])
        used = sum(other.cores for other in self.running if other.application == job.application)
        return used + job.cores <= limit

    def _write_log(self, job: Job) -> None:
        """Write the log of a job that has run, as late as EMR does."""
        text = self.folder / "work" / job.id / "stderr"
        if job.log and text.exists():
            time.sleep(self.log_delay)
            boto3.client("s3").put_object(**_object(job.log), Body=gzip.compress(text.read_bytes()))

    def _unpack(self, archives: list[str], place: Path) -> None:
        """Unpack --archives as YARN and EMR Serverless do, each archive once."""
        for archive in archives:
            uri, _, name = archive.partition("#")
            unpacked = self.folder / "archives" / uri.rpartition("/")[2]
            if not unpacked.exists():
                body = boto3.client("s3").get_object(**_object(uri))["Body"]
                with tarfile.open(fileobj=body, mode="r|gz") as members:
                    members.extractall(unpacked, filter="data")
            (place / name).symlink_to(unpacked)

    @staticmethod
    def _kill(job: Job, how: signal.Signals) -> None:
        if job.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(job.process.pid, how)


def _is_alive(group: int) -> bool:
    """Whether a process of a group runs."""

    def is_member(process: psutil.Process) -> bool:
        with suppress(OSError, psutil.Error):
            return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
        return False

    return any(is_member(process) for process in psutil.process_iter())


def _object(uri: str) -> dict[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


def _cores(options: list[str]) -> int:
    """The vCPUs of a job run's driver and initial executors; without sizes, each has 4, and there are 3 executors."""
    properties = dict(value.split("=", 1) for option, value in pairwise(options) if option == "--conf")
    executors = int(properties.get("spark.executor.instances", _MIN_EXECUTORS))
    return int(properties.get("spark.driver.cores", 4)) + executors * int(properties.get("spark.executor.cores", 4))


def _archives(arguments: list[str]) -> list[str]:
    return [value for option, value in pairwise(arguments) if option == "--archives"]


def _action_name(request: Request) -> str:
    """The name of a call in the API."""
    if target := request.headers.get("X-Amz-Target"):
        return target.partition(".")[2]
    parts = request.path.strip("/").split("/")
    if parts[-1] == "stop":
        return "StopApplication"
    names = {
        ("GET", 1): "ListApplications",
        ("POST", 1): "CreateApplication",
        ("GET", 2): "GetApplication",
        ("GET", 3): "ListJobRuns",
        ("POST", 3): "StartJobRun",
        ("GET", 4): "GetJobRun",
        ("GET", 5): "GetDashboardForJobRun",
        ("DELETE", 4): "CancelJobRun",
    }
    return names.get((request.method, len(parts)), request.method)


def _json(answer: dict[str, Any]) -> Response:
    return Response(json.dumps(answer), content_type="application/x-amz-json-1.1")


def _error(status: int, code: str, message: str) -> Response:
    text = json.dumps({"__type": code, "message": message, "Message": message})
    response = Response(text, status, content_type="application/x-amz-json-1.1")
    response.headers["X-Amzn-ErrorType"] = code
    return response


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)  # as moto writes times
