"""Step records move into bundles at the end of runs: none is lost or counted twice, whatever happens meanwhile."""

import gzip
from datetime import UTC, datetime, timedelta

import pytest
from obstore.store import LocalStore

from olist_assets.lake import step_records
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_bundles import StepBundles
from olist_assets.lake.step_records import StepRecord, StepRecords
from olist_assets.lake.storage import list_objects
from olist_assets.serving.sql.session import Session, connect

START = datetime(2018, 5, 10, 3, tzinfo=UTC)
TABLES = ("raw/orders", "trusted/orders")


def record(run, table="raw/orders", **more):
    started = START + timedelta(days=run, seconds=TABLES.index(table))
    return StepRecord(**{"table": table, "run_id": f"run-{run}", "started_at": started, "status": "succeeded"} | more)


def write_run(lake, run):
    for table in TABLES:
        lake.step_records.write(record(run, table))


def single_records(lake):
    return [meta["path"] for meta in list_objects(lake.store, "control/steps")]


def levels(lake):
    return sorted(bundle.level for bundle in StepBundles(lake.store).list_all())


def expected(runs):
    return [record(run, table) for run in range(runs) for table in TABLES]


@pytest.fixture
def lake(root):
    return Lake(root)


@pytest.fixture
def on_disk(tmp_path):
    return Lake(str(tmp_path / "lake"))


def test_the_records_of_runs_move_into_few_bundles(on_disk):
    for run in range(200):
        write_run(on_disk, run)
        on_disk.bundle_step_records()
    assert single_records(on_disk) == []
    assert levels(on_disk) == [1, 2, 2, 2]  # 200 runs = 3 x 64 + 8
    assert on_disk.step_records.read_all() == expected(200)


def test_bundles_keep_the_text_of_records(lake):
    text = record(0).to_json().replace(b'"status"', b'"of_a_later_release": {"x": 1.50},\n "status"')
    lake.store.put("control/steps/2018-05-10/run-0/raw.orders.json", text)
    lake.bundle_step_records()
    [line] = lake.step_records.read_lines()
    assert b'"of_a_later_release":{"x":1.50}' in line
    assert lake.step_records.read_all() == [record(0)]


def test_control_steps_is_the_same_before_and_after(lake):
    for run in range(9):
        write_run(lake, run)
    lake.step_records.write(record(9, error="disk full", status="failed"))

    def answer():
        with connect(lake.root) as session:
            rows = session.query("from control.steps order by started_at").fetchall()
            return rows, session.query("describe from control.steps").fetchall()

    before = answer()
    assert len(before[0]) == 19
    for _ in range(2):
        lake.bundle_step_records()
        assert answer() == before
    assert (single_records(lake), levels(lake)) == ([], [0])


def test_the_newest_records_are_found_in_bundles_and_single_objects(lake):
    for run in range(3):
        write_run(lake, run)
        lake.bundle_step_records()
    lake.step_records.write(record(3, "trusted/orders"))
    newest = lake.step_records.newest({*TABLES, "raw/sellers"}, on_damaged=pytest.fail)
    assert newest == {"raw/orders": record(2), "trusted/orders": record(3, "trusted/orders")}


def test_a_damaged_record_stays_and_is_reported(lake):
    write_run(lake, 0)
    damaged = "control/steps/2018-05-11/run-2/raw.orders.json"
    lake.store.put(damaged, b'{"table": "raw/or')
    for _ in range(2):
        lake.bundle_step_records()
        reported = []
        assert lake.step_records.newest({"raw/orders"}, on_damaged=reported.append) == {"raw/orders": record(0)}
        assert (reported, single_records(lake)) == ([damaged], [damaged])


@pytest.mark.parametrize(
    "content", [b"", b"x", gzip.compress(b'{"table": "raw/orders"}', mtime=0)[:-6]], ids=["empty", "other", "cut"]
)
def test_a_damaged_bundle_stays_and_is_reported(on_disk, content):
    for run in range(8):
        write_run(on_disk, run)
        on_disk.step_records.bundle()
    damaged = "control/step_bundles/0-20180520T030001.000000Z-0123456789abcdef.jsonl.gz"
    on_disk.store.put(damaged, content)
    for run in range(8, 16):
        write_run(on_disk, run)
        on_disk.step_records.bundle()
    reported = []
    assert on_disk.step_records.newest({"raw/sellers"}, on_damaged=reported.append) == {}
    assert reported == [damaged]
    assert on_disk.step_records.read_all() == expected(16)


def test_other_objects_are_no_bundles(on_disk):
    write_run(on_disk, 0)
    for name in (".DS_Store", "a/0-20180520T030001.000000Z-0123456789abcdef.jsonl.gz", "notes.jsonl.gz"):
        on_disk.store.put(f"control/step_bundles/{name}", b"foreign")
    on_disk.step_records.bundle()
    assert on_disk.step_records.newest({"raw/orders"}, on_damaged=pytest.fail) == {"raw/orders": record(0)}


def test_a_record_that_was_written_twice_counts_once(lake):
    lake.step_records.write(record(0, status="failed"))
    lake.bundle_step_records()
    again = record(0, started_at=START + timedelta(minutes=1))
    lake.step_records.write(again)
    for _ in range(2):
        assert lake.step_records.read_all() == [again]
        with connect(lake.root) as session:
            assert session.query("select status from control.steps").fetchall() == [("succeeded",)]
        lake.bundle_step_records()


# --- Interruptions and concurrent runs -----------------------------------------------------------------------------


class KilledError(BaseException):
    """The process is killed before a change of the storage."""


class KillingStore:
    """A store that fails from its n-th change on."""

    def __init__(self, store, changes):
        self._store, self._changes = store, changes

    def __getattr__(self, name):
        if name in ("put", "delete"):
            self._changes -= 1
            if self._changes < 0:
                raise KilledError
        return getattr(self._store, name)


@pytest.mark.parametrize("changes", range(4))
def test_a_process_that_is_killed_while_it_bundles_loses_and_repeats_nothing(on_disk, changes):
    for run in range(7):
        write_run(on_disk, run)
        on_disk.step_records.bundle()
    write_run(on_disk, 7)
    with pytest.raises(KilledError):
        StepRecords(KillingStore(on_disk.store, changes)).bundle()
    assert on_disk.step_records.read_all() == expected(8)
    with connect(on_disk.root) as session:
        assert session.query("select count(*) from control.steps").fetchall() == [(16,)]
    on_disk.step_records.bundle()
    assert on_disk.step_records.read_all() == expected(8)
    assert single_records(on_disk) == []
    assert len(levels(on_disk)) <= 2


class InterleavingStore(LocalStore):
    """A store in which another process acts before the first read of an object."""

    act = None

    def get(self, path):
        """Let the other process act, and read."""
        act, self.act = self.act, None
        if act:
            act()
        return super().get(path)


@pytest.mark.parametrize("runs", [1, 7])
def test_two_processes_that_bundle_at_once_lose_and_repeat_nothing(on_disk, runs):
    for run in range(runs):
        write_run(on_disk, run)
        on_disk.step_records.bundle()
    write_run(on_disk, runs)
    store = InterleavingStore(prefix=on_disk.root, automatic_cleanup=True)
    store.act = on_disk.step_records.bundle
    StepRecords(store).bundle()
    assert on_disk.step_records.read_all() == expected(runs + 1)
    assert single_records(on_disk) == []


def test_a_reader_lists_again_if_a_record_has_moved(on_disk):
    write_run(on_disk, 0)
    store = InterleavingStore(prefix=on_disk.root, automatic_cleanup=True)
    store.act = on_disk.step_records.bundle
    assert StepRecords(store).read_all() == expected(1)
    write_run(on_disk, 1)
    store.act = on_disk.step_records.bundle
    assert StepRecords(store).newest({"raw/orders"}) == {"raw/orders": record(1)}


def test_a_record_that_moves_while_a_reader_lists_is_found(on_disk, monkeypatch):
    list_all = StepBundles.list_all
    acts = [on_disk.step_records.bundle]

    def list_and_act(bundles):
        listed = list_all(bundles)
        if acts:
            acts.pop()()
        return listed

    write_run(on_disk, 0)
    monkeypatch.setattr(StepBundles, "list_all", list_and_act)
    assert on_disk.step_records.read_all() == expected(1)


def test_a_reader_gives_up_if_records_vanish(on_disk, monkeypatch):
    monkeypatch.setattr(step_records.StepBundles, "read", lambda *_: (_ for _ in ()).throw(FileNotFoundError))
    write_run(on_disk, 0)
    on_disk.step_records.bundle()
    with pytest.raises(FileNotFoundError):
        on_disk.step_records.read_all()


def test_a_run_does_not_fail_if_its_records_cannot_be_bundled(on_disk, caplog):
    write_run(on_disk, 0)
    (on_disk.store.prefix / "control" / "step_bundles").write_text("a file in the place of the folder")
    on_disk.bundle_step_records()
    assert "step records remain single objects" in caplog.text
    assert len(single_records(on_disk)) == 2


# --- Requests ------------------------------------------------------------------------------------------------------


def test_two_years_of_runs_take_few_requests(s3_requests, bucket, tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    for run in range(727):  # the most bundles that two years can have: 11 x 64 + 2 x 8 + 7
        write_run(lake, run)
        lake.step_records.bundle()
    on_s3 = Lake(f"{bucket}/lake")
    for meta in list_objects(lake.store, "control"):
        on_s3.store.put(meta["path"], (tmp_path / "lake" / meta["path"]).read_bytes())
    s3_requests.clear()
    with Session(on_s3.root) as session:
        assert session.query("select count(*) from control.steps").fetchall() == [(2 * 727,)]
    assert len(s3_requests) <= 50, s3_requests
    s3_requests.clear()
    assert on_s3.step_records.newest(set(TABLES)).keys() == set(TABLES)
    assert len(s3_requests) <= 3, s3_requests
    write_run(on_s3, 727)
    s3_requests.clear()
    on_s3.step_records.bundle()
    assert len(s3_requests) <= 40, s3_requests
