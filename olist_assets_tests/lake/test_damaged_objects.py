"""Control objects that are damaged, and objects of others among them, on a disk and on S3."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from olist_assets.errors import LeaseError
from olist_assets.lake.layout import Lake
from olist_assets.lake.leases import LeaseUnavailableError, damaged_leases, hold_lease
from olist_assets.lake.step_records import StepRecord
from olist_assets.lake.storage import list_objects
from spark_steps.protocol import Window

DAY = date(2018, 5, 10)
LEASES = "control/leases/raw.orders"
DAMAGED = (b"", b'{"id": "a', b"\xff\xfe", b'{"a": 1}', b"[]", b"null", b"[" * 100_000)


@pytest.fixture
def lake(root):
    return Lake(root)


# --- Load marks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", DAMAGED[:4])
def test_a_damaged_load_mark_has_no_files(lake, content):
    lake.load_marks.write({DAY: ["a.csv 9 2018-05-10T03:00:00+00:00"]})
    lake.store.put("control/days/2018-06-11.json", content)
    assert lake.load_marks.read() == {DAY: ["a.csv 9 2018-05-10T03:00:00+00:00"], date(2018, 6, 11): None}


def test_other_objects_are_no_load_marks(lake):
    for name in (".DS_Store", "2018-02-30.json", "2018-5-1.json", "2018-05-10.json.bak", "a/2018-05-10.json"):
        lake.store.put(f"control/days/{name}", b"foreign")
    assert (lake.load_marks.days(), lake.load_marks.read()) == ([], {})


# --- Landing zone ---------------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_named_for_a_day_has_no_landed_files(lake):
    for day in ("2018-02-30", "0000-00-00", "2018-13-01"):
        lake.store.put(f"landzone/orders/{day}/a.0123456789abcdef.csv", b"x")
    assert lake.landzone.pending_days() == []
    assert lake.landzone.files("orders", Window(date(2016, 1, 1), date(2020, 1, 1))) == ()


def test_archived_files_are_moved_back(lake):
    path = "orders/2018-05-10/a_20180510T030000Z.0123456789abcdef.csv"
    lake.store.put(f"landzone/{path}", b"x")
    lake.landzone.remove(lake.landzone.files("orders", Window.from_day(DAY)))
    assert lake.landzone.archived_files("orders") == {f"archive/{path}": DAY}
    lake.landzone.restore("orders")
    assert [meta["path"] for meta in list_objects(lake.store, "landzone")] == [f"landzone/{path}"]
    assert lake.landzone.archived_files("orders") == {}


# --- Step records ---------------------------------------------------------------------------------------------------


def record(table="raw/orders", run_id="run-1"):
    return StepRecord(table=table, run_id=run_id, started_at=datetime(2018, 5, 10, 3, tzinfo=UTC), status="succeeded")


@pytest.mark.parametrize(
    "content",
    [
        *DAMAGED,
        record().to_json().replace(b'"run_id": "run-1"', b'"run_id": 5'),
        record().to_json().replace(b"+00:00", b""),  # times without a zone cannot be compared with the others
        record().to_json().replace(b'"window": null', b'"window": {"from": "2018-05-11", "to": "2018-05-10"}'),
    ],
)
def test_a_damaged_step_record_is_reported_and_the_one_before_is_found(lake, content):
    lake.step_records.write(record())
    lake.store.put("control/steps/2018-05-11/run-2/raw.orders.json", content)
    damaged = []
    newest = lake.step_records.newest({"raw/orders"}, on_damaged=damaged.append)
    assert newest == {"raw/orders": record()}
    assert damaged == ["control/steps/2018-05-11/run-2/raw.orders.json"]


def test_other_objects_are_no_step_records(lake):
    lake.step_records.write(record())
    names = (".DS_Store", "notes/run/raw.orders.json", "2018-05-10/run/.DS_Store", "2018-05-10/run/notes.json")
    for name in names:
        lake.store.put(f"control/steps/{name}", b"foreign")
    assert lake.step_records.newest({"raw/orders"}, on_damaged=pytest.fail) == {"raw/orders": record()}


# --- Leases ---------------------------------------------------------------------------------------------------------


def in_seconds(seconds):
    time = datetime.now(UTC) + timedelta(seconds=seconds)
    return lambda: time


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_lease_is_taken_for_a_minute_and_then_replaced(lake, content):
    with hold_lease(lake.store, "raw/orders", "run-a"):
        pass
    lake.store.put(f"{LEASES}/00000003.json", content)
    assert damaged_leases(lake.store) == [f"{LEASES}/00000003.json"]
    with (
        pytest.raises(LeaseUnavailableError, match="an unknown run, because the lease is damaged, since"),
        hold_lease(lake.store, "raw/orders", "run-b"),
    ):
        pytest.fail("the table may have two writers")
    with hold_lease(lake.store, "raw/orders", "run-b", clock=in_seconds(61)):
        assert damaged_leases(lake.store) == []


def test_a_run_whose_own_lease_object_is_damaged_keeps_the_lease(lake):
    with hold_lease(lake.store, "raw/orders", "run-a"):
        lake.store.put(f"{LEASES}/00000001.json", b"")
    with hold_lease(lake.store, "raw/orders", "run-b"):
        pass


def test_a_damaged_lease_of_another_run_is_a_takeover(lake):
    with (
        pytest.raises(LeaseError, match="an unknown run, because the lease is damaged, took the lease over"),
        hold_lease(lake.store, "raw/orders", "run-a"),
    ):
        lake.store.put(f"{LEASES}/00000002.json", b"")


def test_other_objects_are_no_leases(lake):
    for name in (".DS_Store", "notes.txt", "9.json", "00000009.json.bak", "a/00000009.json"):
        lake.store.put(f"{LEASES}/{name}", b"foreign")
    lake.store.put("control/leases/.DS_Store", b"foreign")
    with hold_lease(lake.store, "raw/orders", "run-a"):
        assert damaged_leases(lake.store) == []
    own = [
        meta["path"]
        for meta in list_objects(lake.store, LEASES)
        if b"run-a" in bytes(lake.store.get(meta["path"]).bytes())
    ]
    assert sorted(own) == [f"{LEASES}/00000001.json", f"{LEASES}/00000002.json"]


# --- Recompute marks ------------------------------------------------------------------------------------------------


def test_recompute_marks_say_which_tables_are_to_be_removed_first(lake):
    marks = lake.recompute_marks
    marks.write(["trusted/orders", "refined/fact_orders"], remove=True)
    marks.write(["refined/fact_orders"], remove=False)
    lake.store.put("control/recompute/raw.orders.json", b'{"rem')  # damaged: removing it again loses nothing
    lake.store.put("control/recompute/.DS_Store", b"foreign")
    lake.store.put("control/recompute/raw.unknown.json", json.dumps({"remove": True}).encode())
    assert marks.tables() == {"trusted/orders", "refined/fact_orders", "raw/orders"}
    assert marks.tables_to_remove() == {"trusted/orders", "raw/orders"}
    for _ in range(2):
        marks.clear("trusted/orders")
    assert marks.tables() == {"refined/fact_orders", "raw/orders"}
