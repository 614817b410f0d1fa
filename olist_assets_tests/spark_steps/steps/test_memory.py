"""Steps share the memory of an engine that limits it: large ones run alone, and so does one that lacks memory."""

from contextlib import contextmanager
from threading import Event, Thread

import pytest

from olist_assets.engines.local.sail import SailEngine
from spark_steps import delta, steps
from spark_steps.declarations import Layer
from spark_steps.steps import raw
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
    assert not large.runs.wait(0.1)
    other.end()
    assert large.runs.wait(10)
    last, second_large = Step(memory.share), Step(memory.take)  # they wait because one runs alone
    assert last.waits.wait(10)
    assert second_large.waits.wait(10)
    large.end()
    second_large.end()
    later.end()
    last.end()
    assert (small.lines, other.lines) == ([], [])
    assert large.lines == second_large.lines == ["waiting for the other steps"]
    assert later.lines == last.lines == ["waiting for a step that runs alone"]
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
    """It fails after the commit of its quarantine, so the repetition has to open the tables again."""
    attempts, merge = [], delta.merge

    def fail_first(*arguments, **options):
        attempts.append(len(takes))
        if len(attempts) == 1:
            raise RuntimeError(SHORTAGE)
        return merge(*arguments, **options)

    monkeypatch.setattr(delta, "merge", fail_first)
    sail_lake.rows("raw/sellers", {"seller_id": "s1", "seller_state": "SP"}, {"seller_id": "s2", "seller_state": "XX"})
    result = sail_lake.run("trusted/sellers")
    assert attempts == [0, 1]
    assert (result.rows.inserted, result.rows.quarantined) == (1, 1)
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
    header = "seller_id,seller_zip_code_prefix,seller_city,seller_state"
    first, second = (sail_lake.file("olist_sellers_dataset.csv", f"{header}\ns{n},1,rio,RJ\n") for n in (1, 2))
    sail_lake.run("raw/sellers", files=(first,))
    assert takes == []
    monkeypatch.setattr(raw, "_LARGE_BYTES", second.size - 1)
    assert sail_lake.run("raw/sellers", files=(second,)).rows.inserted == 1
    assert takes == [[]]


def test_an_engine_that_needs_no_help_is_not_limited(sail_lake, takes, monkeypatch):
    """Neither by large steps, nor by a repetition after an error."""
    sail_lake.rows("raw/sellers", {"seller_id": "s1"})
    monkeypatch.setattr(SailEngine, "limits_memory", False)
    monkeypatch.setattr(StepTables, "are_large", lambda *_arguments: True)
    assert sail_lake.run("trusted/sellers").rows.read == 1

    def fail(*_arguments):
        raise RuntimeError(SHORTAGE)

    monkeypatch.setattr(steps, "_STEPS", {Layer.TRUSTED: fail})
    with pytest.raises(RuntimeError, match="Resources exhausted"):
        sail_lake.run("trusted/sellers")
    assert takes == []


def test_other_errors_are_no_lack_of_memory():
    assert is_shortage(RuntimeError(SHORTAGE))
    assert not is_shortage(RuntimeError("Parquet error: EOF"))
