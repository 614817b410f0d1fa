"""A stand-in for Amazon EMR: the API of moto's server, and a machine that carries out what its steps and jobs say.

Each step's arguments are run as they are, by a real spark-submit on local Spark that reads and writes S3 through S3A;
each job run of EMR Serverless likewise. The first of each service is a process of its own, the others are carried out
by Spark's SparkSubmit in JVMs that are kept (see `kept_jvm`). What a cluster has, Delta's jars and Spark's defaults, is
given; what YARN does with archives, to unpack them where a driver runs, is done. moto has the rest of the API, except
what is written here.
"""

import gzip
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from queue import Queue
from typing import Any

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.emr.models import emr_backends
from moto.emrserverless.models import emrserverless_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug import Request, Response
from werkzeug.serving import make_server

from olist_assets.engines.local.jars import delta_jars, find, s3_jars
from olist_assets.engines.spark_properties import s3_properties
from olist_assets_tests.conftest import SMALL_AND_QUICK
from olist_assets_tests.e2e.warm_jvm import KeptJvm

REGION = "us-east-1"
REPOSITORY = Path(__file__).parents[2]
_STEPS_AT_A_TIME = 2
_FETCH = """#!{python}
import shutil, sys
import boto3
_, _, _, _, uri, _ = sys.argv  # aws s3 cp --only-show-errors URI -
bucket, _, key = uri.removeprefix("s3://").partition("/")
shutil.copyfileobj(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"], sys.stdout.buffer)
"""
# Steps on Sail, for tests of what is around them: the same script, in a second.
_SUBMIT_TO_SAIL = """#!{python}
import os, sys
sys.path.insert(0, "{repository}")
os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
from olist_assets.engines.local import sail
_, port = sail._server().listening_address
os.environ["SPARK_REMOTE"] = f"sc://127.0.0.1:{{port}}"
from spark_steps.__main__ import main
sys.exit(main(sys.argv[sys.argv.index("--request"):]))
"""

# Archives are for YARN, which unpacks them; a local Spark would do so once more, in every step.
_SPARK_SUBMIT = """#!/usr/bin/env python3.11
import os, sys
from multiprocessing.connection import Client
_, *words = sys.argv
if "--archives" in words:
    at = words.index("--archives")
    del words[at : at + 2]
if jvm := os.environ.get("KEPT_JVM"):
    pythons = (("driver.python", "PYSPARK_DRIVER_PYTHON"), ("python", "PYSPARK_PYTHON"))
    for name, variable in pythons:
        words[:0] = ["--conf", f"spark.pyspark.{name}={os.path.abspath(os.environ[variable])}"]
    with Client(jvm) as asked:
        asked.send(words)
        sys.exit(asked.recv())
command = os.environ["SPARK_HOME"] + "/bin/spark-submit"
os.execv(command, [command, *words])
"""


@dataclass
class Fault:
    """What happens to the next calls of an action: throttled, broken (a server's error), denied, lost (but done)."""

    action: str
    kind: str
    times: int = 1


@dataclass
class Job:
    """A step or a job run: how its state is set, its process while it runs, and whether its service had none before."""

    id: str
    name: str
    command: list[str]
    log: str | None
    set_state: Callable[..., None]
    variables: dict[str, str] = field(default_factory=dict)
    archives: list[str] = field(default_factory=list)
    process: subprocess.Popen | None = None
    cancelled: bool = False
    first: bool = False


class Cluster:
    """EMR's API at `url`, and the machine behind it.

    Attributes:
        folder: where the machine's commands, configuration and work lie.
        calls: the action of each call that was made, in order.
        jobs: every step and job run that was submitted, in order.
        faults: what is to go wrong.
        hold: jobs wait while it is set: there is no capacity.
        environment: the variables of the machine.
        before: what happens just before the next call of an action is heard, by action.
    """

    def __init__(self, folder: Path, *, spark: bool = True) -> None:
        self.calls: list[str] = []
        self.jobs: list[Job] = []
        self.faults: list[Fault] = []
        self.hold = threading.Event()
        self.before: dict[str, Callable[[], None]] = {}
        self.folder = folder
        self._spark = spark
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._jvms = [KeptJvm(folder / f"jvm-{number}") for number in range(_STEPS_AT_A_TIME)]
        self._free: Queue[KeptJvm] = Queue()
        for jvm in self._jvms:
            self._free.put(jvm)
        self._failures: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, dict[str, Any]] = {}
        self._lock = threading.RLock()
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=MotoRequestHandler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._prepare_machine()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End the server and all that runs."""
        self._server.shutdown()
        for job in self.jobs:
            self._kill(job, signal.SIGKILL)
        for jvm in self._jvms:
            jvm.stop()

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
        """The jobs whose process runs."""
        return [job for job in self.jobs if job.process is not None and job.process.poll() is None]

    def times(self, action: str) -> int:
        """How often a call was made."""
        return self.calls.count(action)

    # --- The API -----------------------------------------------------------------------------------------------

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        action, body = _action_of(request), request.get_data()
        self.calls.append(action)
        fault = next((f for f in self.faults if f.action == action and f.times > 0), None)
        if fault:
            fault.times -= 1
        if fault and fault.kind == "throttled":
            response = _error(400, "ThrottlingException", "Rate exceeded")
        elif fault and fault.kind == "broken":
            response = _error(500, "InternalServerException", "try again")
        elif fault and fault.kind == "denied":
            response = _error(
                400, "AccessDeniedException", f"User: arn:aws:iam::123456789012:user/a is not authorized: {action}"
            )
        else:
            if happens := self.before.pop(action, None):
                happens()
            with self._lock:
                response = self._handle(action, request, json.loads(body) if body else {})
        if fault and fault.kind == "lost":
            response = _error(503, "ServiceUnavailableException", "the answer was lost")
        return response(environ, start_response)

    def _handle(self, action: str, request: Request, asked: dict[str, Any]) -> Response:
        if response := self._handled_here(action, request, asked):
            return response
        environ = {**request.environ, "wsgi.input": io.BytesIO(request.get_data())}  # which has been read
        response = Response.from_app(self._moto, environ)
        if response.status_code < 400:
            answer = json.loads(response.get_data() or b"{}")
            self._handled_by_moto(action, asked, answer)
            if action in ("DescribeStep", "StartJobRun"):
                return _json(answer)
        return response

    def _handled_here(self, action: str, request: Request, asked: dict[str, Any]) -> Response | None:
        """The answer to what moto does not know, or takes too lightly."""
        if action == "CancelSteps":
            for step in asked["StepIds"]:
                self._cancel(step)
            return _json({"CancelStepsInfoList": [{"StepId": s, "Status": "SUBMITTED"} for s in asked["StepIds"]]})
        if action == "CancelJobRun":
            job = request.path.rpartition("/")[2]
            self._cancel(job)
            return _json({"applicationId": request.path.split("/")[2], "jobRunId": job})
        if action == "AddJobFlowSteps" and self.emr.clusters[asked["JobFlowId"]].state.startswith("TERMINAT"):
            return _error(400, "InvalidRequestException", "A job flow that is terminated may not be modified.")
        if action in ("CreateApplication", "StartJobRun") and asked["clientToken"] in self._tokens:
            return _json(self._tokens[asked["clientToken"]])
        return None

    def _handled_by_moto(self, action: str, asked: dict[str, Any], answer: dict[str, Any]) -> None:
        if action == "CreateApplication":
            self._tokens[asked["clientToken"]] = answer
            self.serverless.job_runs[answer["applicationId"]] = []  # moto refuses to list none
        if action == "AddJobFlowSteps":
            for step_id in answer["StepIds"]:
                self._take_step(asked["JobFlowId"], step_id)
        if action == "StartJobRun":
            self._tokens[asked["clientToken"]] = answer
            self._take_job_run(answer["applicationId"], answer["jobRunId"])
        if action == "DescribeStep" and (details := self._failures.get(answer["Step"]["Id"])):
            answer["Step"]["Status"]["FailureDetails"] = details

    # --- What is submitted -------------------------------------------------------------------------------------

    def _take_step(self, cluster: str, step_id: str) -> None:
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
        self._take(Job(step_id, step.name, list(step.args), log, set_state, archives=_archives(step.args)))

    def _take_job_run(self, application: str, run_id: str) -> None:
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
        self._take(Job(run_id, run.name, command, log, set_state, driver, _archives(options)))

    def _take(self, job: Job) -> None:
        job.first = job.command[0] not in {other.command[0] for other in self.jobs}  # services begin differently
        self.jobs.append(job)
        threading.Thread(target=self._carry_out, args=(job,), daemon=True).start()

    def _cancel(self, job_id: str) -> None:
        job = next(job for job in self.jobs if job.id == job_id)
        job.cancelled = True
        self._kill(job, signal.SIGINT)
        if job.process is None:
            job.set_state("CANCELLED")

    # --- The machine -------------------------------------------------------------------------------------------

    def _prepare_machine(self) -> None:
        commands = self.folder / "bin"
        commands.mkdir(parents=True)
        (commands / "python3.11").symlink_to(Path(sys._base_executable))  # noqa: SLF001 - the venv's own Python has its packages
        (commands / "aws").write_text(_FETCH.format(python=sys.executable))
        (commands / "aws").chmod(0o755)
        submit = _SPARK_SUBMIT if self._spark else _SUBMIT_TO_SAIL.format(python=sys.executable, repository=REPOSITORY)
        (commands / "spark-submit").write_text(submit)
        (commands / "spark-submit").chmod(0o755)
        jars = find((*delta_jars(), *s3_jars()))
        properties = {
            **SMALL_AND_QUICK,
            **s3_properties(),
            "spark.driver.extraClassPath": ":".join(map(str, jars)),  # spark-submit itself reads s3://
            "spark.ui.enabled": "false",
            "spark.driver.memory": "2g",
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmn1g",
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
        }
        conf = self.folder / "conf"
        conf.mkdir()
        lines = [f"{name} {value}" for name, value in properties.items()]
        (conf / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
        home = Path(sys.modules["pyspark"].__file__ or "").parent
        path = os.pathsep.join([str(commands), os.environ["PATH"]])
        own = {"HOME": str(self.folder), "SPARK_HOME": str(home), "SPARK_CONF_DIR": str(conf), "PATH": path}
        kept = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("AWS_") or name in ("JAVA_HOME", "TMPDIR")
        }
        self.environment = {**kept, **own, "SPARK_LOCAL_IP": "127.0.0.1"}

    def _carry_out(self, job: Job) -> None:
        jvm = self._free.get()
        try:
            code = self._run(job, jvm)
        finally:
            self._free.put(jvm)
        with self._lock:
            if job.cancelled:
                job.set_state("CANCELLED")
            elif code == 0:
                job.set_state("COMPLETED")
            else:
                job.set_state("FAILED", f"exit code {code}")

    def _run(self, job: Job, jvm: KeptJvm) -> int | None:
        """The exit code of a job's process; nothing if it was cancelled before."""
        while self.hold.is_set() and not job.cancelled:
            time.sleep(0.05)
        environment = self.environment | job.variables
        if self._spark and not job.first:
            environment["KEPT_JVM"] = jvm.address(environment)
        with self._lock:
            if job.cancelled:
                return None
            place = self.folder / "work" / job.id
            place.mkdir(parents=True)
            self._unpack(job.archives, place)
            with (place / "stderr").open("wb") as said:
                job.process = subprocess.Popen(
                    job.command,
                    cwd=place,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,
                )
            job.set_state("RUNNING")
        code = job.process.wait()
        if job.log:
            packed = gzip.compress((place / "stderr").read_bytes())
            boto3.client("s3").put_object(**_object(job.log), Body=packed)
        return code

    def _unpack(self, archives: list[str], place: Path) -> None:
        """What YARN and EMR Serverless do with --archives, each of them once."""
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
        if job.process is not None and job.process.poll() is None:
            os.killpg(job.process.pid, how)


def _object(uri: str) -> dict[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


def _archives(arguments: list[str]) -> list[str]:
    return [value for option, value in pairwise(arguments) if option == "--archives"]


def _action_of(request: Request) -> str:
    """The API's name of a call."""
    if target := request.headers.get("X-Amz-Target"):
        return target.partition(".")[2]
    parts = request.path.strip("/").split("/")
    names = {
        ("GET", 1): "ListApplications",
        ("POST", 1): "CreateApplication",
        ("GET", 2): "GetApplication",
        ("GET", 3): "ListJobRuns",
        ("POST", 3): "StartJobRun",
        ("GET", 4): "GetJobRun",
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
