"""The worker: it answers each request once, stops withdrawn ones, and ends when there is nothing more to do."""

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
import pytest

from spark_steps import worker
from spark_steps.protocol import StepCrashError, StepError, StepRequest, StepResult, TableHandle
from spark_steps.worker import Heartbeat, Phase, SparkEndedError, Worker

RESULT = StepResult(table="raw/sellers", version_before=0, version_after=1)


class Session:
    """A session whose queries end when they are interrupted."""

    def __init__(self):
        self.interrupted = threading.Event()

    def interruptAll(self):  # noqa: N802 - pyspark's name
        """Record the call."""
        self.interrupted.set()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.02)


@pytest.fixture(autouse=True)
def steps(monkeypatch):
    """What the steps do, by table; by default they answer at once."""
    behavior = {}

    def run_step(session, request, on_progress, *, before_commit):
        if request.table in behavior:
            behavior[request.table](session, on_progress, before_commit)
        return RESULT

    monkeypatch.setattr(worker, "run_step", run_step)
    return behavior


@pytest.fixture
def request_for(tmp_path):
    """Creates the request of a table."""
    return lambda table: StepRequest(output=TableHandle(table, str(tmp_path / table)), run_id="run", code_version="1")


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "requests"
    place.mkdir()
    return place


def post(folder, request):
    """Post a request, as an engine does; return its folder."""
    place = folder / f"{request.table.replace('/', '.')}.0"
    place.mkdir()
    (place / "new").write_text(request.to_json())
    (place / "new").rename(place / "request.json")  # S3 has no incomplete objects
    return place


def answer_of(place, seconds=20):
    """The answer of a request, as soon as it is complete."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            return StepResult.from_json((place / "result.json").read_text())
        except (FileNotFoundError, msgspec.DecodeError):
            time.sleep(0.01)
    raise TimeoutError(place)


@contextmanager
def working(folder, **options):
    """A worker on a folder, which is closed at the end."""
    own = Worker(str(folder), lambda _table: Session(), **{"slots": 2, "idle_seconds": 20} | options)
    thread = threading.Thread(target=own.run)
    thread.start()
    try:
        yield thread
    finally:
        (folder / "closed.json").touch()
        thread.join(20)
        assert not thread.is_alive()


def test_requests_are_answered_until_the_folder_is_closed(folder, request_for):
    with working(folder):
        assert answer_of(post(folder, request_for("raw/orders"))) == RESULT
        assert answer_of(post(folder, request_for("raw/sellers"))) == RESULT


def test_requests_that_exist_when_the_folder_is_closed_are_answered(folder, request_for):
    place = post(folder, request_for("raw/orders"))
    (folder / "closed.json").touch()
    with working(folder):
        assert answer_of(place) == RESULT


def test_an_answered_request_is_not_executed_again(folder, steps, request_for):
    executed = []
    steps["raw/orders"] = lambda *_: executed.append(1)
    place = post(folder, request_for("raw/orders"))
    with working(folder):
        answer_of(place)
    with working(folder):
        time.sleep(0.2)
    assert executed == [1]


def test_no_more_steps_run_at_the_same_time_than_there_are_slots(folder, steps, request_for):
    running, most, lock = [0], [0], threading.Lock()

    def count(*_):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.1)
        with lock:
            running[0] -= 1

    tables = ("raw/orders", "raw/sellers", "raw/products", "raw/customers", "raw/order_items")
    steps.update(dict.fromkeys(tables, count))
    places = [post(folder, request_for(table)) for table in tables]
    with working(folder):
        assert [answer_of(place) for place in places] == [RESULT] * len(tables)
    assert most == [2]


def test_a_worker_without_requests_ends(folder):
    with working(folder, idle_seconds=0.1) as thread:
        thread.join(20)
        assert not thread.is_alive()


def test_failures_are_answers(folder, steps, request_for):
    def fail(*_):
        raise StepError("raw/orders: the file lacks a column")

    def crash(*_):
        raise ValueError("cannot cast\nana@example.com")

    steps.update({"raw/orders": fail, "raw/sellers": crash})
    places = [post(folder, request_for(table)) for table in ("raw/orders", "raw/sellers")]
    with working(folder):
        with pytest.raises(StepError, match=r"^raw/orders: the file lacks a column$"):
            answer_of(places[0])
        with pytest.raises(StepCrashError, match=r"^ValueError: cannot cast \(test_worker.py, line \d+\)$"):
            answer_of(places[1])
    assert "ana@example.com" in (places[1] / "traceback.txt").read_text()  # the rest of an error stays in the lake
    assert not (places[1] / "log.txt").exists()  # which the engine shows


def test_an_unreadable_request_is_answered(folder):
    place = folder / "raw.orders.0"
    place.mkdir()
    (place / "request.json").write_text("{")
    with working(folder), pytest.raises(StepCrashError, match="DecodeError"):
        answer_of(place)


def test_the_log_appears_while_the_step_runs(folder, steps, request_for):
    seen = threading.Event()

    def report(_session, on_progress, _before_commit):
        on_progress("first line")
        assert seen.wait(20)
        on_progress("second line")

    steps["raw/orders"] = report
    place = post(folder, request_for("raw/orders"))
    with working(folder):
        until = time.monotonic() + 20
        while not (place / "log.txt").exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert (place / "log.txt").read_text() == "first line\n"
        seen.set()
        answer_of(place)
    assert (place / "log.txt").read_text() == "first line\nsecond line\n"


def test_the_heartbeat_has_the_phases_of_the_running_steps(folder, steps, request_for):
    may_end = threading.Event()

    def commit(_session, _on_progress, before_commit):
        before_commit()
        assert may_end.wait(20)

    steps.update({"raw/orders": commit, "raw/sellers": lambda *_: may_end.wait(20)})
    places = [post(folder, request_for(table)) for table in ("raw/orders", "raw/sellers")]
    started = datetime.now(UTC)
    expected = {"raw.orders.0": Phase.COMMITTING, "raw.sellers.0": Phase.RUNNING}
    with working(folder):
        until = time.monotonic() + 20
        phases = None
        while phases != expected and time.monotonic() < until:
            try:
                heartbeat = msgspec.json.decode((folder / "worker.json").read_bytes(), type=Heartbeat)
                phases = heartbeat.phases
            except (FileNotFoundError, msgspec.DecodeError):
                time.sleep(0.01)
        assert phases == expected
        assert started <= heartbeat.at <= datetime.now(UTC)
        may_end.set()
        for place in places:
            answer_of(place)


def test_a_withdrawn_request_is_stopped_and_does_not_commit(folder, steps, request_for):
    committed = []

    def step(session, _on_progress, before_commit):
        session.interrupted.wait(20)  # the step survives the end of its query
        before_commit()
        committed.append("raw/orders")

    steps["raw/orders"] = step
    place = post(folder, request_for("raw/orders"))
    with working(folder):
        time.sleep(0.1)
        (place / "request.json").unlink()
        with pytest.raises(StepCrashError, match="withdrawn"):
            answer_of(place)
    assert committed == []


def test_a_request_that_is_withdrawn_right_before_a_commit_does_not_commit(folder, steps, request_for):
    committed = []
    place = None

    def step(_session, _on_progress, before_commit):
        (place / "request.json").unlink()
        before_commit()
        committed.append("raw/orders")

    steps["raw/orders"] = step
    place = post(folder, request_for("raw/orders"))
    with working(folder), pytest.raises(StepCrashError, match="withdrawn"):
        answer_of(place)
    assert committed == []


def test_a_request_is_executed_once_even_if_a_listing_is_old(folder, steps, request_for, monkeypatch):
    executed = []
    steps["raw/orders"] = lambda *_: executed.append(1)
    listed = Worker._list  # noqa: SLF001
    monkeypatch.setattr(Worker, "_list", lambda self: (["raw.orders.0"], listed(self)[1]))
    place = post(folder, request_for("raw/orders"))
    with working(folder):
        answer_of(place)
        time.sleep(0.2)
    assert executed == [1]


def test_failures_of_the_storage_are_waited_out(folder, steps, request_for, monkeypatch):
    write, failures = Worker._write, [OSError("503")] * 3  # noqa: SLF001

    def fail_at_first(self, name, text):
        if failures and name.endswith("result.json"):
            raise failures.pop()
        write(self, name, text)

    listed, lists = Worker._list, [OSError("503")] * 3  # noqa: SLF001

    def list_later(self):
        if lists:
            raise lists.pop()
        return listed(self)

    monkeypatch.setattr(Worker, "_write", fail_at_first)
    monkeypatch.setattr(Worker, "_list", list_later)
    executed = []
    steps["raw/orders"] = lambda *_: executed.append(1)
    with working(folder):
        assert answer_of(post(folder, request_for("raw/orders"))) == RESULT
    assert (executed, failures, lists) == ([1], [], [])


def test_a_worker_whose_spark_has_ended_gives_no_answer(folder, steps, request_for):
    alive = threading.Event()
    alive.set()

    def crash(*_):
        alive.clear()
        raise ValueError("the SparkContext was stopped")

    steps["raw/orders"] = crash
    place = post(folder, request_for("raw/orders"))
    own = Worker(str(folder), lambda _table: Session(), slots=1, idle_seconds=20, is_alive=alive.is_set)
    with pytest.raises(SparkEndedError):
        own.run()
    assert not (place / "result.json").exists()
