"""The worker of a run as the engine sees it: submitted once, watched rarely, replaced once, and stopped for certain."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import dagster as dg
import msgspec
import pytest
from botocore.exceptions import ClientError
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from olist_assets.engines.remote import worker
from olist_assets.engines.remote.exchange import Exchange
from olist_assets.engines.remote.job import JobPhase, JobStatus
from olist_assets.engines.remote.worker import Limits, RunWorker, end_job, withdraw
from olist_assets.errors import EngineError, OutageError
from spark_steps.protocol import StepRequest, StepResult, TableHandle
from spark_steps.worker import Heartbeat, Phase

RESULT = StepResult(table="raw/orders", version_before=0, version_after=1).to_json()
WAITING = JobStatus(JobPhase.WAITING, "PENDING")
RUNNING = JobStatus(JobPhase.RUNNING, "RUNNING")
FAILED = JobStatus(JobPhase.FAILED, "FAILED", "out of memory")
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "DescribeStep")


class Service:
    """A service whose jobs have one state each, or which answers with an error."""

    def __init__(self):
        self.states = {}
        self.asked = 0
        self.canceled = []

    def status(self, job):
        """The state of the job, or the error."""
        self.asked += 1
        state = self.states.get(job, RUNNING)
        if isinstance(state, Exception):
            raise state
        return state

    def cancel(self, job, *, force=False):
        """Record the call."""
        self.canceled.append((job, force))


class Cluster:
    """Workers without a life of their own: the test writes their objects.

    Attributes:
        store: the lake.
        service: the service of the jobs.
        submitted: the numbers of the submitted jobs, and whether each runs one step at a time.
        stopped: set when the run is interrupted.
    """

    def __init__(self):
        self.store = MemoryStore()
        self.service = Service()
        self.submitted = []
        self.stopped = threading.Event()
        self.error = None

    def exchange(self, attempt=1):
        """The folder of an attempt."""
        return Exchange(self.store, f"control/requests/run/{attempt}", "emr", f"job-{attempt}")

    def submit(self, number, _on_progress, *, one_at_a_time):
        """Record the number, and whether the worker runs one step at a time."""
        self.submitted.append((number, one_at_a_time))
        if self.error:
            raise self.error
        return self.exchange(number)

    def worker(self, **limits):
        """The worker of the run."""
        defaults = {
            "poll_seconds": 0.0,
            "start_minutes": 1.0,
            "run_minutes": 1.0,
            "stop_seconds": 1.0,
            "log_seconds": 0.0,
        }
        return RunWorker(self.service, self.submit, Limits(**defaults | limits), self.stopped, "s3://secret/lake")

    def names(self, attempt=1):
        """The names of the requests that have been posted, withdrawn ones left out."""
        listed = [meta["path"] for page in self.store.list(self.exchange(attempt).folder) for meta in page]
        return [path.split("/")[-2] for path in listed if path.endswith("/request.json")]

    def write(self, name, text, attempt=1):
        """Write an object, as the worker of an attempt does."""
        self.store.put(f"{self.exchange(attempt).folder}/{name}", text.encode())

    def beat(self, attempt=1, **phases):
        """Give a heartbeat with the phases of steps, by name."""
        text = msgspec.json.encode(Heartbeat(datetime.now(UTC), phases))
        self.write("worker.json", text.decode(), attempt)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(worker, "_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(worker, "_END_SECONDS", 0.01)
    monkeypatch.setattr(worker, "_SILENCE", 0.2)


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def running(cluster):
    """Starts steps in threads; they have ended when the test ends."""
    with ThreadPoolExecutor(8) as pool:

        def start(run_worker, table="raw/orders", lines=None):
            return pool.submit(run_worker.run, request_on(table), (lines if lines is not None else []).append)

        yield start
        cluster.stopped.set()


def wait_for(probe, seconds=20):
    """The first true value of `probe`."""
    until = time.monotonic() + seconds
    while not (value := probe()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return value


def test_concurrent_steps_share_one_worker(cluster, running):
    run_worker = cluster.worker()
    steps = [running(run_worker, table) for table in ("raw/orders", "raw/sellers", "raw/products")]
    for name in wait_for(lambda: cluster.names() if len(cluster.names()) == 3 else None):
        cluster.write(f"{name}/result.json", RESULT)
    assert [step.result(20).text for step in steps] == [RESULT] * 3
    assert cluster.submitted == [(1, False)]


def test_a_submission_that_fails_is_not_repeated_by_other_steps(cluster, running):
    cluster.error = EngineError("not authorized")
    run_worker = cluster.worker()
    for table in ("raw/orders", "raw/sellers"):
        with pytest.raises(EngineError, match=r"^not authorized$"):
            running(run_worker, table).result(20)
    assert cluster.submitted == [(1, False)]


def test_the_service_is_asked_rarely_however_many_steps_wait(cluster, running):
    run_worker = cluster.worker(poll_seconds=30)
    steps = [running(run_worker, f"raw/{number}") for number in range(8)]
    names = wait_for(lambda: cluster.names() if len(cluster.names()) == 8 else None)
    time.sleep(0.3)
    for name in names:
        cluster.write(f"{name}/result.json", RESULT)
    for step in steps:
        step.result(20)
    assert cluster.service.asked == 1


def test_log_and_phase_of_the_step_are_passed_on_once(cluster, running):
    lines = []
    step = running(cluster.worker(), lines=lines)
    [name] = wait_for(cluster.names)
    cluster.write(f"{name}/log.txt", "reading s3://secret/a\n")
    wait_for(lambda: len(lines) > 2)
    cluster.beat(**{name: Phase.COMMITTING})
    wait_for(lambda: "committing" in lines)
    cluster.write(f"{name}/log.txt", "reading s3://secret/a\ndone\n")
    cluster.write(f"{name}/result.json", RESULT)
    step.result(20)
    assert lines == [
        "job-1: the worker of this run",
        "waiting for the worker job-1, which is RUNNING",
        "reading s3://…/a",
        "committing",
        "done",
    ]


def test_the_answer_has_the_time_and_the_steps_share_of_the_worker(cluster, running):
    step = running(cluster.worker())
    [name] = wait_for(cluster.names)
    cluster.beat(**{name: Phase.RUNNING, "raw.sellers.0": Phase.RUNNING})
    time.sleep(0.3)
    cluster.write(f"{name}/result.json", RESULT)
    answer = step.result(20)
    assert answer.job == "job-1"
    assert answer.share == 0.5
    assert 0.3 <= answer.seconds < 20


def test_a_lost_worker_is_replaced_once(cluster, running):
    cluster.service.states["job-1"] = FAILED
    lines = []
    step = running(cluster.worker(), lines=lines)
    [name] = wait_for(lambda: cluster.names(2))
    assert cluster.names(1) == []  # withdrawn, so that a driver that still lives cannot commit
    cluster.write(f"{name}/result.json", RESULT, 2)
    assert step.result(20).text == RESULT
    assert any("job-1 is FAILED: out of memory" in line and "another worker" in line for line in lines)


def test_a_second_lost_worker_is_an_error(cluster, running):
    cluster.service.states |= {"job-1": FAILED, "job-2": FAILED}
    run_worker = cluster.worker()
    with pytest.raises(EngineError, match=r"^job-2 is FAILED: out of memory"):
        running(run_worker).result(20)
    with pytest.raises(EngineError, match=r"^job-2 is FAILED: out of memory"):
        running(run_worker, "raw/sellers").result(20)
    assert cluster.submitted == [(1, False), (2, True)]


def test_a_retried_step_submits_a_worker_again_for_all_retried_steps(cluster, running):
    cluster.service.states |= {"job-1": FAILED, "job-2": FAILED}
    run_worker = cluster.worker()
    with pytest.raises(OutageError):
        running(run_worker).result(20)
    retried = [running(run_worker, table) for table in ("raw/orders", "raw/sellers")]
    for name in wait_for(lambda: cluster.names(3) if len(cluster.names(3)) == 2 else None):
        cluster.write(f"{name}/result.json", RESULT, 3)
    assert [step.result(20).text for step in retried] == [RESULT] * 2
    assert cluster.submitted == [(1, False), (2, True), (3, True)]  # they may have lacked memory


def test_a_canceled_worker_is_replaced_only_when_it_is_silent(cluster, running):
    """A service may report a job as ended while its driver still runs."""
    step = running(cluster.worker())
    wait_for(cluster.names)
    cluster.beat()
    cluster.service.states["job-1"] = FAILED
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        cluster.beat()
        assert cluster.submitted == [(1, False)]
        time.sleep(0.05)
    [name] = wait_for(lambda: cluster.names(2))
    cluster.write(f"{name}/result.json", RESULT, 2)
    assert step.result(20).text == RESULT


def test_an_error_of_the_service_is_reported_once_and_stops_nothing(cluster, running):
    cluster.service.states["job-1"] = THROTTLED
    lines = []
    step = running(cluster.worker(), lines=lines)
    [name] = wait_for(cluster.names)
    wait_for(lambda: cluster.service.asked > 5)
    cluster.write(f"{name}/result.json", RESULT)
    assert step.result(20).text == RESULT
    assert sum("does not answer" in line for line in lines) == 1


def test_a_long_outage_with_a_silent_worker_is_an_error(cluster, running, monkeypatch):
    monkeypatch.setattr(worker, "_OUTAGE_SECONDS", 0.2)
    cluster.service.states["job-1"] = THROTTLED
    with pytest.raises(EngineError, match=r"^neither job-1 nor its service has answered for 0 minutes$"):
        running(cluster.worker()).result(20)


def test_a_worker_that_does_not_start_in_time_is_canceled(cluster, running):
    cluster.service.states["job-1"] = WAITING
    with pytest.raises(
        EngineError, match=r"^job-1 is PENDING, and did not start within 0.001 minutes: .*START_MINUTES"
    ):
        running(cluster.worker(start_minutes=0.001)).result(20)
    assert cluster.service.canceled == [("job-1", False)]
    assert cluster.submitted == [(1, False)]


def test_an_interrupted_run_submits_no_worker(cluster, running):
    cluster.stopped.set()
    with pytest.raises(dg.DagsterExecutionInterruptedError):
        running(cluster.worker()).result(20)
    assert cluster.submitted == []


def test_a_step_that_takes_too_long_is_withdrawn(cluster, running):
    step = running(cluster.worker(run_minutes=0.001))
    [name] = wait_for(cluster.names)
    cluster.beat(**{name: Phase.RUNNING})
    wait_for(lambda: cluster.names() == [])
    cluster.write(f"{name}/result.json", RESULT)
    with pytest.raises(EngineError, match=r"^the step did not end within 0.001 minutes: it was withdrawn"):
        step.result(20)


def test_an_interrupted_step_is_withdrawn_and_waited_for(cluster, running):
    step = running(cluster.worker(stop_seconds=20))
    [name] = wait_for(cluster.names)
    cluster.beat(**{name: Phase.RUNNING})
    cluster.stopped.set()
    wait_for(lambda: cluster.names() == [])
    for _ in range(5):
        cluster.beat(**{name: Phase.RUNNING})
        time.sleep(0.05)
    assert not step.done()
    cluster.write(f"{name}/result.json", RESULT)
    with pytest.raises(dg.DagsterExecutionInterruptedError):
        step.result(20)
    assert cluster.service.canceled == []
    assert Exchange.find_last(cluster.store, "raw/orders") is None


def test_a_worker_that_does_not_stop_a_step_is_ended(cluster, running):
    step = running(cluster.worker(stop_seconds=4))
    [name] = wait_for(cluster.names)
    cluster.stopped.set()
    while not cluster.service.canceled:
        cluster.beat(**{name: Phase.RUNNING})
        time.sleep(0.02)
    cluster.service.states["job-1"] = FAILED
    with pytest.raises(dg.DagsterExecutionInterruptedError):
        step.result(20)


def test_a_folder_is_closed_at_the_end_and_a_worker_that_never_started_canceled(cluster, running):
    run_worker = cluster.worker()
    step = running(run_worker)
    [name] = wait_for(cluster.names)
    cluster.write(f"{name}/result.json", RESULT)
    step.result(20)
    run_worker.close()
    assert cluster.store.head(f"{cluster.exchange().folder}/closed.json")
    assert cluster.service.canceled == [("job-1", False)]  # it has given no sign of life


def test_a_run_without_steps_has_no_worker(cluster):
    cluster.worker().close()
    assert cluster.submitted == []


def request_on(table="raw/orders"):
    return StepRequest(output=TableHandle(table, f"s3://shop/{table}"), run_id="run", code_version="1")


@pytest.fixture
def posted(cluster):
    """The name of a posted request."""
    cluster.exchange().post("raw.orders.0", request_on())
    return "raw.orders.0"


def test_a_withdrawn_request_without_a_heartbeat_is_not_known_to_a_worker(cluster, posted):
    assert withdraw(cluster.exchange(), posted, 0)
    assert cluster.names() == []


def test_a_withdrawn_request_that_waited_for_the_worker_ends_with_its_next_heartbeat(cluster, posted):
    cluster.beat(other=Phase.RUNNING)
    threading.Timer(0.1, cluster.beat, kwargs={"other": Phase.RUNNING}).start()
    assert withdraw(cluster.exchange(), posted, 20)


def test_a_withdrawn_request_of_a_silent_worker_may_still_be_committed(cluster, posted):
    cluster.beat(**{posted: Phase.COMMITTING})
    assert not withdraw(cluster.exchange(), posted, 20)


def test_a_withdrawn_request_that_still_runs_is_not_over(cluster, posted):
    cluster.beat(**{posted: Phase.COMMITTING})
    threading.Timer(0.1, cluster.beat, kwargs={posted: Phase.COMMITTING}).start()
    assert not withdraw(cluster.exchange(), posted, 0.5)


def test_the_last_request_on_a_table_is_found(cluster):
    assert Exchange.find_last(cluster.store, "raw/orders") is None
    cluster.exchange(1).post("raw.orders.0", request_on())
    cluster.exchange(2).post("raw.orders.1", request_on())
    exchange, last = Exchange.find_last(cluster.store, "raw/orders")
    assert (exchange.folder, exchange.job, last) == (cluster.exchange(2).folder, "job-2", "raw.orders.1")
    exchange.forget("raw/orders")
    assert Exchange.find_last(cluster.store, "raw/orders") is None


def test_a_job_that_survives_an_interrupt_is_ended_with_all_its_processes(cluster):
    with pytest.raises(EngineError, match=r"^job-1 was canceled, and did not end within 0.1 seconds$"):
        end_job(cluster.service, cluster.exchange(), 0.1)
    assert cluster.service.canceled == [("job-1", False), ("job-1", True)]


def test_a_job_has_ended_when_its_worker_is_silent_too(cluster):
    cluster.service.states["job-1"] = FAILED
    cluster.beat()
    started = time.monotonic()
    end_job(cluster.service, cluster.exchange(), 20)
    assert time.monotonic() - started > 0.2


def test_no_other_worker_starts_beside_one_that_cannot_be_ended(cluster, running):
    run_worker = cluster.worker(stop_seconds=0.4, run_minutes=0.001)
    step = running(run_worker)
    [name] = wait_for(cluster.names)
    while not step.done():
        cluster.beat(**{name: Phase.COMMITTING})
        time.sleep(0.02)
    with pytest.raises(EngineError, match="did not end within"):
        step.result()
    with pytest.raises(EngineError, match="did not end within"):
        running(run_worker, "raw/sellers").result(20)
    assert cluster.submitted == [(1, False)]


def test_a_worker_that_ended_because_it_was_idle_is_no_crash(cluster, running):
    run_worker = cluster.worker()
    for number in (1, 2, 3):
        cluster.service.states[f"job-{number}"] = JobStatus(JobPhase.SUCCEEDED, "COMPLETED")
    step = running(run_worker)
    [name] = wait_for(lambda: cluster.names(4))
    cluster.write(f"{name}/result.json", RESULT, 4)
    assert step.result(20).text == RESULT
    assert cluster.submitted == [(number, False) for number in (1, 2, 3, 4)]


def test_a_worker_that_is_silent_while_its_job_runs_is_ended(cluster, running, monkeypatch):
    monkeypatch.setattr(worker, "_OUTAGE_SECONDS", 0.4)
    step = running(cluster.worker(stop_seconds=20))
    wait_for(cluster.names)
    cluster.beat()
    wait_for(lambda: cluster.service.canceled)
    cluster.service.states["job-1"] = FAILED
    [name] = wait_for(lambda: cluster.names(2))
    cluster.write(f"{name}/result.json", RESULT, 2)
    assert step.result(20).text == RESULT


def test_a_lake_that_does_not_answer_for_a_while_stops_nothing(cluster, running, monkeypatch):
    lines = []
    step = running(cluster.worker(), lines=lines)
    [name] = wait_for(cluster.names)
    with monkeypatch.context() as outage:

        def refuse(*_):
            raise GenericError("PUT http://secret/lake: 503")

        outage.setattr(Exchange, "read_answer", refuse)
        wait_for(lambda: any("the lake does not answer" in line for line in lines))
    cluster.write(f"{name}/result.json", RESULT)
    assert step.result(20).text == RESULT
    assert not any("secret" in line for line in lines)


def test_a_lake_that_does_not_answer_for_long_is_an_outage(cluster, running, monkeypatch):
    monkeypatch.setattr(worker, "_OUTAGE_SECONDS", 0.2)
    step = running(cluster.worker())
    wait_for(cluster.names)

    def refuse(*_):
        raise GenericError("PUT http://secret/lake: 503")

    monkeypatch.setattr(Exchange, "read_answer", refuse)
    monkeypatch.setattr(Exchange, "withdraw", refuse)
    with pytest.raises(OutageError, match="the lake has not answered for"):
        step.result(20)
    assert Exchange.find_last(cluster.store, "raw/orders")  # so that a retry withdraws the request
