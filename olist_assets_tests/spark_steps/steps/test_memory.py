"""Steps share the memory of an engine that limits it: large ones run alone, and so does one that lacks memory."""

from contextlib import contextmanager
from threading import Event, Thread

import pytest

from olist_assets_tests.lakes import DAY
from spark_steps import steps
from spark_steps.declarations import Layer
from spark_steps.steps import raw, trusted
from spark_steps.steps.memory import MEMORY, Memory, is_shortage
from spark_steps.steps.tables import StepTables

SHORTAGE = "Resources exhausted: Additional allocation failed with top memory consumers"


class Step(Thread):
    """A step in a thread: it waits for memory, and runs until it is released."""

    def __init__(self, use):
        super().__init__(daemon=True)
        self.use, self.lines = use, []
        self.waits, self.runs, self.released = Event(), Event(), Event()
        self.seconds = None
        self.start()

    def run(self):
        """What the thread does."""
        with self.use(self.report) as self.seconds:
            self.runs.set()
            assert self.released.wait(10)

    def report(self, line):
        """Take a line of progress: the step waits."""
        self.lines.append(line)
        self.waits.set()

    def end(self):
        """Let the step end as soon as it runs."""
        assert self.runs.wait(10)
        self.released.set()
        self.join()


def test_a_large_step_waits_for_the_running_ones_and_goes_before_later_ones():
    memory = Memory()
    small, other = Step(memory.share), Step(memory.share)
    assert small.runs.wait(10)
    assert other.runs.wait(10)
    large = Step(memory.take)
    assert large.waits.wait(10)
    later = Step(memory.share)
    assert later.waits.wait(10)
    small.end()
    assert not large.runs.is_set()
    other.end()
    assert large.runs.wait(10)
    assert not later.runs.is_set()
    large.end()
    later.end()
    assert [step.lines for step in (small, other, large, later)] == [
        [],
        [],
        ["waiting for the other steps"],
        ["waiting for a large step"],
    ]
    assert small.seconds < large.seconds


def test_a_step_that_fails_returns_its_memory():
    memory = Memory()
    for use in (memory.share, memory.take, memory.share):
        with pytest.raises(ValueError, match="failed"), use(pytest.fail):
            raise ValueError("failed")


@pytest.fixture
def takes(monkeypatch):
    """Collects the lines of progress of each step that runs alone."""
    lines: list[list[str]] = []
    take = MEMORY.take

    @contextmanager
    def record(on_progress):
        lines.append([])
        with take(lambda line: (lines[-1].append(line), on_progress(line))) as seconds:
            yield seconds

    monkeypatch.setattr(MEMORY, "take", record)
    return lines


def test_a_step_that_lacks_memory_beside_others_is_repeated_alone(sail_lake, takes, monkeypatch):
    """The step fails after its commits, so the repetition has to open its tables again."""
    attempts = []

    def fail_first(*arguments):
        result = trusted.load(*arguments)
        attempts.append(len(takes))
        if len(attempts) == 1:
            raise RuntimeError(SHORTAGE)
        return result

    monkeypatch.setattr(steps, "_STEPS", {Layer.TRUSTED: fail_first})
    sail_lake.rows("raw/sellers", {"seller_id": "s1", "seller_state": "SP"}, {"seller_id": "s2", "seller_state": "XX"})
    result = sail_lake.run("trusted/sellers")
    assert attempts == [0, 1]
    assert (result.rows.unchanged, result.rows.quarantined) == (1, 1)
    assert sail_lake.read("trusted/sellers", "seller_id") == [{"seller_id": "s1"}]
    assert len(sail_lake.read("quarantine/sellers", "_row")) == 1


def test_a_step_that_lacks_memory_alone_fails(sail_lake, takes, monkeypatch):
    def fail(*_arguments):
        raise RuntimeError(SHORTAGE)

    monkeypatch.setattr(steps, "_STEPS", {Layer.TRUSTED: fail})
    sail_lake.rows("raw/sellers", {"seller_id": "s1"})
    with pytest.raises(RuntimeError, match="Resources exhausted"):
        sail_lake.run("trusted/sellers")
    assert len(takes) == 1
    monkeypatch.setattr(StepTables, "are_large", lambda *_arguments: True)
    with pytest.raises(RuntimeError, match="Resources exhausted"):
        sail_lake.run("trusted/sellers")
    assert len(takes) == 2


def test_a_raw_step_of_many_bytes_runs_alone(sail_lake, takes, monkeypatch):
    small = sail_lake.file("olist_sellers_dataset.csv", "seller_id,seller_zip_code_prefix,seller_city,seller_state\n")
    sail_lake.run("raw/sellers", files=(small,), day=DAY)
    assert takes == []
    monkeypatch.setattr(raw, "_LARGE_BYTES", small.size - 1)
    sail_lake.run("raw/sellers", files=(small,), day=DAY)
    assert takes == [[]]


def test_other_errors_are_no_lack_of_memory():
    assert is_shortage(RuntimeError(SHORTAGE))
    assert not is_shortage(RuntimeError("Parquet error: EOF"))
