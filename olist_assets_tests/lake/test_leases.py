"""Leases: of many that want to write a table one may, and who lost that right notices."""

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

from olist_assets.errors import OlistError
from olist_assets.lake import process_identity
from olist_assets.lake.leases import Lease, hold_lease
from olist_assets.lake.storage import open_store
from olist_assets_tests.lakes import ASSETS
from spark_steps.tables import TABLES

TABLE = "raw/orders"
NOON = datetime(2018, 5, 10, 12, tzinfo=UTC)


def names(store, table="raw.orders"):
    """The objects of a table's lease."""
    return sorted(meta["path"].rpartition("/")[2] for page in store.list(f"control/leases/{table}") for meta in page)


def newest(store):
    """The lease on the table, as it is stored."""
    return json.loads(bytes(store.get(f"control/leases/raw.orders/{names(store)[-1]}").bytes()))


def leave(store, number=1, **changes):
    """A lease of another host, from noon to a minute later, but for the changes."""
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
    store.put(f"control/leases/raw.orders/{number:08}.json", replace(lease, **changes).to_json())


def refused(store, *, clock=lambda: NOON):
    """The error that a second writer gets."""
    with pytest.raises(OlistError) as caught, hold_lease(store, TABLE, "run-b", clock=clock):
        pytest.fail("the table has two writers")
    return str(caught.value)


def wait_until(condition):
    """Wait for what must come, however slow the machine is."""
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


def test_a_second_writer_is_told_who_the_first_is_since_when_and_until_when(store):
    leave(store)
    assert refused(store) == (
        "raw/orders is being written by run run-a (process 4711 on farm-7) since 2018-05-10 12:00:00 UTC: wait for "
        "that run; should it have died, its lease ends at 2018-05-10 12:01:00 UTC"
    )
    assert names(store) == ["00000001.json"]


def test_another_run_of_the_same_process_is_refused_and_another_table_is_not(store):
    with hold_lease(store, TABLE, "run-a", clock=lambda: NOON):
        assert "run run-a" in refused(store)
        with hold_lease(store, "trusted/orders", "run-a"), hold_lease(store, "raw/order_items", "run-b"):
            pass
    with hold_lease(store, TABLE, "run-b"):
        pass


def test_an_error_of_the_block_releases_the_lease_and_stays_what_it_was(store):
    with pytest.raises(ZeroDivisionError), hold_lease(store, TABLE, "run-a"):
        raise ZeroDivisionError
    assert newest(store)["released"]


@pytest.mark.parametrize(("after", "free"), [(59, False), (60, True)])
def test_a_lease_of_another_host_is_taken_over_when_it_has_expired(store, after, free):
    leave(store)

    def clock():
        return NOON + timedelta(seconds=after)

    if free:
        with hold_lease(store, TABLE, "run-b", clock=clock):
            assert newest(store)["run_id"] == "run-b"
    else:
        refused(store, clock=clock)


@pytest.mark.parametrize("home", ["here", "elsewhere"])
def test_a_killed_holder_is_followed_at_once_on_its_own_machine_only(tmp_path, home):
    store = open_store(str(tmp_path), create=True)
    program = """if True:
        import sys, time
        from olist_assets.lake.leases import hold_lease
        from olist_assets.lake.storage import open_store
        with hold_lease(open_store(sys.argv[1], create=True), "raw/orders", "run-a"):
            print("held", flush=True)
            time.sleep(600)
    """
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        lease = Lease.from_json(json.dumps(newest(store)).encode())
        now = lease.acquired
        assert f"process {holder.pid} on {socket.gethostname()}" in refused(store, clock=lambda: now)
        holder.send_signal(signal.SIGKILL)
        wait_until(lambda: process_identity.has_exited(holder.pid, lease.started))  # not waited for: it is a zombie
    if home == "elsewhere":
        leave(store, number=9, pid=lease.pid, started=lease.started)
        refused(store)
    else:
        with hold_lease(store, TABLE, "run-b", clock=lambda: now):
            assert newest(store)["run_id"] == "run-b"


def test_a_process_that_got_a_dead_ones_id_is_not_taken_for_it(store):
    with hold_lease(store, TABLE, "run-a", clock=lambda: NOON):
        mine = newest(store)
    alive = {name: mine[name] for name in ("pid", "machine", "started")}
    leave(store, number=8, **alive)
    refused(store)
    leave(store, number=9, **alive | {"started": "1"})
    with hold_lease(store, TABLE, "run-b", clock=lambda: NOON):
        pass


# --- Many at once ----------------------------------------------------------------------------------------------------


def test_of_many_threads_one_at_a_time_holds_the_lease_and_none_loses_it(store):
    inside, most, refusals, others = [], [], [], []

    def contend(name):
        for _ in range(10):
            try:
                with hold_lease(store, TABLE, name):
                    inside.append(name)
                    most.append(len(inside))
                    time.sleep(0.0005)
                    inside.remove(name)
            except OlistError as error:
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
def test_of_many_processes_that_start_together_one_holds_the_lease(tmp_path, before):
    store = open_store(str(tmp_path), create=True)
    if before:
        leave(store, number=5, released=before == "released")
    program = """if True:
        import sys
        from olist_assets.lake.leases import hold_lease
        from olist_assets.errors import OlistError
        from olist_assets.lake.storage import open_store
        store = open_store(sys.argv[1], create=True)
        print("ready", flush=True)
        input()
        try:
            with hold_lease(store, "raw/orders", sys.argv[2]):
                print("held", flush=True)
                input()
        except OlistError as error:
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
    [winner] = [n for n, answer in enumerate(answers) if answer == "held\n"]
    assert [f"written by run run-{winner} " in answer for answer in answers].count(True) == 3
    for contender in contenders:
        contender.communicate("end\n")
    assert [c.returncode for c in contenders] == [0] * 4
    assert newest(store)["released"]


# --- Renewal, and its loss -------------------------------------------------------------------------------------------


def test_a_lease_is_renewed_as_long_as_the_block_runs(store):
    moment = [NOON]
    with hold_lease(store, TABLE, "run-a", lifetime=timedelta(seconds=0.03), clock=lambda: moment[0]):
        for _ in range(3):
            moment[0] += timedelta(minutes=1)
            wait_until(lambda: newest(store)["expires"] > moment[0].isoformat())
            assert "since 2018-05-10 12:00:00 UTC" in refused(store, clock=lambda: moment[0])
        assert len(names(store)) <= 3


def test_a_holder_that_lost_its_lease_says_so_at_the_next_renewal_and_fails_at_the_end(store, caplog):
    told = (
        "raw/orders: run run-a (process 4711 on farm-7) took the lease over from run run-b, which did not renew it in "
        "time; both may have written: run this asset again when no other run writes it"
    )

    def hold():
        with hold_lease(store, TABLE, "run-b", lifetime=timedelta(seconds=0.03), clock=lambda: NOON):
            leave(store, number=100)
            wait_until(lambda: caplog.messages)

    with pytest.raises(OlistError) as caught:
        hold()
    assert str(caught.value) == told
    assert caplog.messages == [told]
    assert names(store)[-1] == "00000100.json"


@pytest.mark.parametrize("cleaned", [False, True])
def test_a_holder_that_slept_until_another_had_come_and_gone_fails_too(store, cleaned):
    def hold():
        with hold_lease(store, TABLE, "run-b", clock=lambda: NOON):
            later = NOON + timedelta(hours=1)
            for _ in range(3 if cleaned else 1):
                with hold_lease(store, TABLE, "run-a", clock=lambda: later):
                    pass

    with pytest.raises(OlistError, match="took the lease over from run run-b"):
        hold()
    assert newest(store)["run_id"] == "run-a"


def test_who_was_slow_cannot_take_a_number_that_was_used_and_cleaned_away(store, monkeypatch):
    """Between a look at the lease and the creation of the next number, others come and go."""
    leave(store, released=True)
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


def test_an_answer_that_got_lost_does_not_cost_the_lease(store):
    """The storage created the number, but the holder knows nothing of it and asks again."""
    with hold_lease(store, TABLE, "run-a", lifetime=timedelta(seconds=0.3)):
        mine = Lease.from_json(json.dumps(newest(store)).encode())
        for number in (2, 3):
            leave(store, number, **{name: getattr(mine, name) for name in Lease.__slots__})
        wait_until(lambda: names(store)[-1] > "00000003.json")
    assert newest(store)["released"]


def test_however_often_a_table_is_written_two_objects_are_left(store):
    for _ in range(5):
        with hold_lease(store, TABLE, "run-a"):
            assert len(names(store)) <= 2
        assert len(names(store)) == 2


# --- Assets ----------------------------------------------------------------------------------------------------------


def test_an_asset_whose_table_another_run_writes_fails_in_one_line_and_writes_nothing(sail_lake):
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

    def overslept(engine, context, request):
        with hold_lease(
            sail_lake.lake.store, request.table, "run-a", clock=lambda: datetime.now(UTC) + timedelta(hours=1)
        ):
            return run_step(engine, context, request)

    monkeypatch.setattr(type(sail_lake.engine), "run", overslept)
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
