"""Leases: one run at a time may write a table, and a run that has lost its lease fails."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest
import yaml
from obstore.exceptions import GenericError

from olist_assets.errors import LeaseError
from olist_assets.lake import process_identity
from olist_assets.lake.json_objects import decode, encode
from olist_assets.lake.leases import Lease, LeaseUnavailableError, hold_lease
from olist_assets.lake.storage import open_store
from olist_assets_tests.lakes import ASSETS
from spark_steps.tables import TABLES

TABLE = "raw/orders"
NOON = datetime(2018, 5, 10, 12, tzinfo=UTC)
PREVIOUS_RELEASE = """\
{
 "id": "another",
 "table": "raw/orders",
 "run_id": "run-a",
 "host": "farm-7",
 "pid": 4711,
 "machine": "farm-7's boot",
 "started": "1",
 "acquired": "2018-05-10T12:00:00+00:00",
 "expires": "2018-05-10T12:01:00+00:00",
 "released": false
}"""


def names(store, table="raw.orders"):
    """The objects of a table's lease."""
    return sorted(meta["path"].rpartition("/")[2] for page in store.list(f"control/leases/{table}") for meta in page)


def newest(store):
    """The fields of the lease on the table, as they are stored."""
    return json.loads(read_newest(store))


def read_newest(store):
    """The newest object of the lease on the table."""
    return bytes(store.get(f"control/leases/raw.orders/{names(store)[-1]}").bytes())


def write_lease(store, number=1, **changes):
    """Write a lease of another host, from noon to a minute later, with these changes."""
    lease = Lease(
        id="another",
        table=TABLE,
        run_id="run-a",
        host="farm-7",
        pid=4711,
        machine="farm-7's boot",
        started="1",
        acquired=NOON,
        expires=NOON + timedelta(minutes=1),
    )
    store.put(f"control/leases/raw.orders/{number:08}.json", encode(replace(lease, **changes)))


def refusal(store, *, clock=lambda: NOON):
    """The error message of a second writer."""
    with pytest.raises(LeaseUnavailableError) as caught, hold_lease(store, TABLE, "run-b", clock=clock):
        pytest.fail("the table has two writers")
    return str(caught.value)


def wait_until(condition):
    """Wait until a condition is true, for up to a minute on a slow machine."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# --- Who may write ---------------------------------------------------------------------------------------------------


def test_a_lease_names_its_holder_and_is_released_at_the_end(store):
    with hold_lease(store, TABLE, "run-a", clock=lambda: NOON):
        lease = newest(store)
        assert (lease["run_id"], lease["host"], lease["released"]) == ("run-a", socket.gethostname(), False)
        assert (lease["acquired"], lease["expires"]) == ("2018-05-10T12:00:00+00:00", "2018-05-10T12:01:00+00:00")
    assert newest(store)["released"]


def test_a_second_writer_is_refused_with_holder_start_and_end_of_the_lease(store):
    write_lease(store)
    assert refusal(store) == (
        "raw/orders is being written by run run-a (process 4711 on farm-7) since 2018-05-10 12:00:00 UTC: wait for "
        "that run; if it has died, its lease ends at 2018-05-10 12:01:00 UTC"
    )
    assert names(store) == ["00000001.json"]


def test_another_run_of_the_same_process_is_refused_and_another_table_is_not(store):
    with hold_lease(store, TABLE, "run-a", clock=lambda: NOON):
        assert "run run-a" in refusal(store)
        with hold_lease(store, "trusted/orders", "run-a"), hold_lease(store, "raw/order_items", "run-b"):
            pass
    with hold_lease(store, TABLE, "run-b"):
        pass


def test_an_error_of_the_block_releases_the_lease_and_is_raised(store):
    with pytest.raises(ZeroDivisionError), hold_lease(store, TABLE, "run-a"):
        raise ZeroDivisionError
    assert newest(store)["released"]


def test_an_error_of_the_block_is_raised_although_the_storage_fails_too(store, monkeypatch):
    def refuse(_):
        raise GenericError("PUT failed: 503")

    monkeypatch.setattr("olist_assets.lake.leases._LeaseClaim.release", refuse)
    with pytest.raises(ZeroDivisionError), hold_lease(store, TABLE, "run-a"):
        raise ZeroDivisionError


@pytest.mark.parametrize(("after", "free"), [(59, False), (60, True)])
def test_a_lease_of_another_host_can_be_acquired_after_it_has_expired(store, after, free):
    write_lease(store)

    def clock():
        return NOON + timedelta(seconds=after)

    if free:
        with hold_lease(store, TABLE, "run-b", clock=clock):
            assert newest(store)["run_id"] == "run-b"
    else:
        refusal(store, clock=clock)


@pytest.mark.parametrize("machine", ["same machine", "another machine"])
def test_the_lease_of_a_killed_process_is_free_at_once_on_its_own_machine_only(tmp_path, machine):
    store = open_store(str(tmp_path), create=True)
    program = """if True:
        import sys, time
        from olist_assets.lake.leases import hold_lease
        from olist_assets.lake.storage import open_store
        with hold_lease(open_store(sys.argv[1], create=True), "raw/orders", "run-a"):
            print("acquired", flush=True)
            time.sleep(600)
    """
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "acquired\n"
        lease = decode(read_newest(store), Lease)
        now = lease.acquired
        assert f"process {holder.pid} on {socket.gethostname()}" in refusal(store, clock=lambda: now)
        holder.send_signal(signal.SIGKILL)
        wait_until(lambda: process_identity.has_exited(holder.pid, lease.started))  # not waited for: it is a zombie
    if machine == "another machine":
        write_lease(store, number=9, pid=lease.pid, started=lease.started)
        refusal(store)
    else:
        with hold_lease(store, TABLE, "run-b", clock=lambda: now):
            assert newest(store)["run_id"] == "run-b"


def test_a_process_with_a_reused_id_is_not_mistaken_for_the_holder(store):
    with hold_lease(store, TABLE, "run-a", clock=lambda: NOON):
        mine = newest(store)
    alive = {name: mine[name] for name in ("pid", "machine", "started")}
    write_lease(store, number=8, **alive)
    refusal(store)
    write_lease(store, number=9, **alive | {"started": "1"})
    with hold_lease(store, TABLE, "run-b", clock=lambda: NOON):
        pass


def test_a_lease_of_an_earlier_release_is_free_if_its_process_has_exited(store):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    write_lease(store, pid=process.pid, machine=process_identity.boot_id(), started="35359")
    with hold_lease(store, TABLE, "run-b", clock=lambda: NOON):
        assert newest(store)["run_id"] == "run-b"


def test_a_lease_is_stored_as_in_earlier_releases(store):
    write_lease(store)
    assert read_newest(store).decode() == PREVIOUS_RELEASE
    unknown = PREVIOUS_RELEASE.replace('"id"', '"unknown field": 1, "id"')
    assert decode(unknown.encode(), Lease) == decode(read_newest(store), Lease)


# --- Concurrency -----------------------------------------------------------------------------------------------------


def test_of_many_threads_one_at_a_time_gets_the_lease_and_none_loses_it(store):
    inside, most, refusals, others = [], [], [], []

    def contend(name):
        for _ in range(10):
            try:
                with hold_lease(store, TABLE, name):
                    inside.append(name)
                    most.append(len(inside))
                    time.sleep(0.0005)
                    inside.remove(name)
            except LeaseError as error:
                (refusals if "is being written by run" in str(error) else others).append(str(error))

    threads = [threading.Thread(target=contend, args=(f"{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert others == []
    assert len(most) + len(refusals) == 80
    assert set(most) == {1}
    assert len(names(store)) <= 3


@pytest.mark.parametrize("before", [None, "expired", "released"])
def test_of_many_processes_that_start_together_one_gets_the_lease(tmp_path, before):
    store = open_store(str(tmp_path), create=True)
    if before:
        write_lease(store, number=5, released=before == "released")
    program = """if True:
        import sys
        from olist_assets.lake.leases import hold_lease
        from olist_assets.errors import LeaseError
        from olist_assets.lake.storage import open_store
        store = open_store(sys.argv[1], create=True)
        print("ready", flush=True)
        input()
        try:
            with hold_lease(store, "raw/orders", sys.argv[2]):
                print("acquired", flush=True)
                input()
        except LeaseError as error:
            print(error, flush=True)
    """
    contenders = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), f"run-{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    assert {c.stdout.readline() for c in contenders} == {"ready\n"}
    for contender in contenders:
        contender.stdin.write("go\n")
        contender.stdin.flush()
    answers = [c.stdout.readline() for c in contenders]
    [winner] = [n for n, answer in enumerate(answers) if answer == "acquired\n"]
    assert [f"written by run run-{winner} " in answer for answer in answers].count(True) == 3
    for contender in contenders:
        contender.communicate("end\n")
    assert [c.returncode for c in contenders] == [0] * 4
    assert newest(store)["released"]


# --- Renewal and loss ------------------------------------------------------------------------------------------------


def test_a_lease_is_renewed_as_long_as_the_block_runs(store):
    moment = [NOON]
    with hold_lease(store, TABLE, "run-a", lifetime=timedelta(seconds=0.03), clock=lambda: moment[0]):
        for _ in range(3):
            moment[0] += timedelta(minutes=1)
            wait_until(lambda: newest(store)["expires"] > moment[0].isoformat())
            assert "since 2018-05-10 12:00:00 UTC" in refusal(store, clock=lambda: moment[0])
        assert len(names(store)) <= 3


def test_a_lost_lease_is_logged_at_the_next_renewal_and_raised_at_the_end(store, caplog):
    message = (
        "raw/orders: run run-a (process 4711 on farm-7) took the lease over from run run-b, which did not renew it in "
        "time; both may have written: run this asset again when no other run writes it"
    )

    def hold():
        with hold_lease(store, TABLE, "run-b", lifetime=timedelta(seconds=0.03), clock=lambda: NOON):
            write_lease(store, number=100)
            wait_until(lambda: caplog.messages)

    with pytest.raises(LeaseError) as caught:
        hold()
    assert str(caught.value) == message
    assert caplog.messages == [message]
    assert names(store)[-1] == "00000100.json"


@pytest.mark.parametrize("cleaned", [False, True])
def test_a_holder_fails_after_another_run_has_taken_and_released_its_lease(store, cleaned):
    def hold():
        with hold_lease(store, TABLE, "run-b", clock=lambda: NOON):
            later = NOON + timedelta(hours=1)
            for _ in range(3 if cleaned else 1):
                with hold_lease(store, TABLE, "run-a", clock=lambda: later):
                    pass

    with pytest.raises(LeaseError, match="took the lease over from run run-b"):
        hold()
    assert newest(store)["run_id"] == "run-a"


def test_a_slow_writer_cannot_acquire_with_a_number_that_was_used_and_removed(store, monkeypatch):
    """Other runs acquire and release the lease between its read and the creation of the next number."""
    write_lease(store, released=True)
    look = Lease.is_free

    def slow(lease, now):
        free = look(lease, now)
        monkeypatch.undo()
        for _ in range(3):
            with hold_lease(store, TABLE, "run-c"):
                pass
        assert "00000002.json" not in names(store)
        return free

    monkeypatch.setattr(Lease, "is_free", slow)
    with hold_lease(store, TABLE, "run-b"):
        assert (names(store)[-1], newest(store)["run_id"]) == ("00000008.json", "run-b")
        assert "00000002.json" not in names(store)


def test_a_lost_answer_of_the_storage_does_not_lose_the_lease(store):
    """The storage created the number, but its answer was lost, and the holder tries again."""
    with hold_lease(store, TABLE, "run-a", lifetime=timedelta(seconds=0.3)):
        mine = decode(read_newest(store), Lease)
        for number in (2, 3):
            write_lease(store, number, **{name: getattr(mine, name) for name in Lease.__slots__})
        wait_until(lambda: names(store)[-1] > "00000003.json")
    assert newest(store)["released"]


def test_two_objects_remain_after_any_number_of_writes(store):
    for _ in range(5):
        with hold_lease(store, TABLE, "run-a"):
            assert len(names(store)) <= 2
        assert len(names(store)) == 2


# --- Assets ----------------------------------------------------------------------------------------------------------


def test_an_asset_fails_with_one_line_and_writes_nothing_while_another_run_writes_its_table(sail_lake):
    sail_lake.deliver("2018-05-10", "olist_orders_dataset.csv", "order_id\no1\n")
    with hold_lease(sail_lake.lake.store, TABLE, "run-a"):
        run = sail_lake.materialize("landzone/orders", TABLE, day="2018-05-10", raise_on_error=False)
    [failure] = [event for event in run.all_events if event.is_step_failure]
    description = failure.step_failure_data.user_failure_data.description
    assert description.startswith("raw/orders is being written by run run-a (process ")
    assert "\n" not in description
    assert len(sail_lake.objects("landzone")) == 1
    assert sail_lake.objects("raw") == []
    [path] = [path for path in sail_lake.objects("control/steps") if path.endswith("raw.orders.json")]
    record = json.loads((sail_lake.root / path).read_text())
    assert (record["status"], record["error"]) == ("failed", description)


def test_an_asset_that_lost_its_lease_fails(sail_lake, monkeypatch):
    run_step = type(sail_lake.engine).run

    def run_while_lease_is_lost(engine, context, request):
        with hold_lease(
            sail_lake.lake.store, request.table, "run-a", clock=lambda: datetime.now(UTC) + timedelta(hours=1)
        ):
            return run_step(engine, context, request)

    monkeypatch.setattr(type(sail_lake.engine), "run", run_while_lease_is_lost)
    run = sail_lake.materialize("refined/dim_sellers", day="2018-05-10", raise_on_error=False)
    [failure] = [event for event in run.all_events if event.is_step_failure]
    assert "took the lease over from run" in failure.step_failure_data.user_failure_data.description


def test_every_delta_table_has_a_pool_of_one_slot():
    pools = {"/".join(asset.key.path): asset.op.pool for asset in ASSETS}
    assert {key: pool for key, pool in pools.items() if pool} == {
        key: key.replace("/", ".") for key in pools if key in TABLES
    }
    instance = yaml.safe_load(files("olist_assets.orchestration.instance").joinpath("dagster.yaml").read_text())
    assert instance["concurrency"]["pools"] == {"default_limit": 1, "granularity": "run"}
