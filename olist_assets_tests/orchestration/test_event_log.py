"""The event log: whole batches or nothing, from several threads and processes, in the file of the parent class."""

import queue
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log
from dagster._core.storage.sql import check_alembic_revision, get_alembic_config

from olist_assets.orchestration.instance.event_log import BatchingSqliteEventLogStorage

RUN = "11111111-1111-4111-8111-111111111111"


def event(run=RUN, step="load", partition=None, asset=None, *, planned=False):
    """A log entry of a run; with an asset, the entry of a materialization, done or planned."""
    kind, data = dg.DagsterEventType.ASSET_MATERIALIZATION, None
    if asset and planned:
        kind = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
        data = AssetMaterializationPlannedData(dg.AssetKey(asset), partition=partition)
    elif asset:
        data = StepMaterializationData(dg.AssetMaterialization(asset, partition=partition))
    return dg.EventLogEntry(
        error_info=None,
        level="debug",
        user_message="",
        run_id=run,
        timestamp=1_525_910_400.0,
        step_key=step,
        job_name="job",
        dagster_event=dg.DagsterEvent(kind.value, "job", step_key=step, event_specific_data=data) if data else None,
    )


@pytest.fixture
def storage(tmp_path):
    storage = BatchingSqliteEventLogStorage(str(tmp_path / "log"))
    yield storage
    storage.dispose()


def steps(storage, run=RUN):
    """The step keys of a run's log entries, in order."""
    return [record.event_log_entry.step_key for record in storage.get_records_for_run(run).records]


# --- Batches ---------------------------------------------------------------------------------------------------------


def test_a_failed_batch_stores_nothing(storage):
    storage.store_event(event(step="before", asset="orders", partition="d0"))
    with sqlite3.connect(storage.get_db_path()) as file:
        file.execute(
            "CREATE TRIGGER full BEFORE INSERT ON event_logs WHEN NEW.step_key = 'third' "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    file.close()
    batch = [event(step=step, asset="orders", partition=step) for step in ("first", "second", "third", "fourth")]

    with pytest.raises(Exception, match="disk full"):
        storage.store_event_batch(batch)

    assert steps(storage) == ["before"]
    assert storage.get_materialized_partitions(dg.AssetKey("orders")) == {"d0"}
    [record] = storage.get_asset_records()
    assert record.asset_entry.last_materialization.step_key == "before"

    storage.store_event_batch(batch[:2])
    assert steps(storage) == ["before", "first", "second"]


def test_a_batch_updates_the_asset_index_as_single_events_do(storage, tmp_path):
    events = [
        event("run 1", asset="orders", partition="d1"),
        event("run 2", asset="orders", partition="d1", planned=True),
        event("run 2", asset="items", partition="d1"),
        event("run 3", asset="orders", partition="d2"),
        event("run 4", asset="items", partition="d2", planned=True),
    ]
    single = BatchingSqliteEventLogStorage(str(tmp_path / "single"))
    storage.store_event_batch(events)
    for entry in events:
        single.store_event(entry)
    assert asset_index(storage) == asset_index(single)
    assert [(row[0], row[-1]) for row in asset_index(storage)] == [('["orders"]', "run 3"), ('["items"]', "run 4")]
    assert storage.get_materialized_partitions(dg.AssetKey("items")) == {"d1"}
    single.dispose()


def asset_index(storage):
    with storage.index_connection() as connection:
        return connection.exec_driver_sql(
            "SELECT asset_key, last_materialization, last_materialization_timestamp, last_run_id FROM asset_keys "
            "ORDER BY asset_key DESC"
        ).fetchall()


def test_an_event_is_not_stored_if_its_index_entry_fails(storage):
    with sqlite3.connect(storage.get_db_path()) as file:
        file.execute("DROP TABLE asset_keys")
    file.close()
    with pytest.raises(Exception, match="asset_keys"):
        storage.store_event(event(asset="orders"))
    assert steps(storage) == []


def test_batches_of_concurrent_threads_do_not_interleave(storage):
    errors = []

    def store(thread):
        try:
            for batch in range(10):
                entries = [event(f"run {thread}", f"{batch}.{n}", f"{batch}", f"asset_{thread % 2}") for n in range(5)]
                storage.store_event_batch(entries)
                assert steps(storage, f"run {thread}")[-1] == f"{batch}.4"
        except Exception as error:  # noqa: BLE001 - a thread's error is the test's
            errors.append(error)

    threads = [threading.Thread(target=store, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    for thread in range(6):
        records = storage.get_records_for_run(f"run {thread}").records
        assert [r.event_log_entry.step_key for r in records] == [
            f"{batch}.{n}" for batch in range(10) for n in range(5)
        ]
        ids = [r.storage_id for r in records]
        assert all(ids[n : n + 5] == [*range(ids[n], ids[n] + 5)] for n in range(0, 50, 5))
    assert {key.path[0] for key in storage.all_asset_keys()} == {"asset_0", "asset_1"}


# --- Connections and processes ---------------------------------------------------------------------------------------


def test_another_connection_sees_only_committed_events(tmp_path):
    reader = BatchingSqliteEventLogStorage(str(tmp_path))
    during_transaction = []

    class ObservingStorage(BatchingSqliteEventLogStorage):
        def _store_asset_event(self, *arguments):
            during_transaction.append((steps(reader), steps(self)))
            super()._store_asset_event(*arguments)

    storage = ObservingStorage(str(tmp_path))
    storage.store_event(event(step="first"))
    assert steps(reader) == ["first"]

    storage.store_event_batch([event(step="second", asset="orders"), event(step="third")])
    assert during_transaction == [(["first"], ["first", "second", "third"])]
    assert steps(reader) == ["first", "second", "third"]
    reader.dispose()
    storage.dispose()


def test_a_watcher_in_another_connection_is_called_with_each_event(storage):
    """The writer's connection stays open, so its commits reach the database file only much later."""
    reader = BatchingSqliteEventLogStorage(str(Path(storage.get_db_path()).parent))
    storage.store_event(event(step="before"))
    cursor = reader.get_records_for_run(RUN).cursor
    seen = queue.Queue()

    def see(entry, _cursor):
        seen.put(entry.step_key)

    reader.watch(RUN, cursor, see)
    for step in ("first", "second"):
        storage.store_event(event(step=step))
        assert seen.get(timeout=30) == step
    storage.store_event_batch([event(step="third"), event("another run"), event(step="fourth")])
    assert [seen.get(timeout=30), seen.get(timeout=30)] == ["third", "fourth"]

    reader.end_watch(RUN, see)
    storage.store_event(event(step="after"))
    time.sleep(0.5)
    assert seen.empty()
    reader.dispose()


def test_a_watcher_is_woken_after_each_commit(storage):
    """The write of a commit wakes watchers before the commit is visible, so a second wake-up must follow."""
    seen = queue.Queue()
    storage.watch(RUN, None, lambda entry, _cursor: seen.put(entry.step_key))
    for n in range(100):
        storage.store_event(event(step=str(n)))
        assert seen.get(timeout=30) == str(n)


def test_watchers_come_and_go_while_events_are_stored(storage):
    seen = queue.Queue()
    storage.watch(RUN, None, lambda entry, _cursor: seen.put(entry.step_key))
    for n in range(50):

        def callback(_entry, _cursor):
            pass

        storage.watch(f"run {n}", None, callback)
        storage.store_event(event(step=str(n)))
        storage.end_watch(f"run {n}", callback)
    assert [seen.get(timeout=30) for _ in range(50)] == [str(n) for n in range(50)]


def test_concurrent_processes_create_one_log(tmp_path):
    program = """if True:
        import sys
        from olist_assets.orchestration.instance.event_log import BatchingSqliteEventLogStorage
        from olist_assets_tests.orchestration.test_event_log import event
        input()
        storage = BatchingSqliteEventLogStorage(sys.argv[1])
        for n in range(20):
            storage.store_event_batch([event(step=f"{sys.argv[2]}.{n}", asset="orders") for _ in range(3)])
        storage.dispose()
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "log"), str(n)], stdin=subprocess.PIPE, text=True
        )
        for n in range(3)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.close()
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    storage = BatchingSqliteEventLogStorage(str(tmp_path / "log"))
    assert sorted(steps(storage)) == sorted(f"{p}.{n}" for p in range(3) for n in range(20) for _ in range(3))
    storage.dispose()
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["event_log.db"]


def test_the_file_is_that_of_the_parent_class(storage, tmp_path):
    storage.store_event(event(step="own", asset="orders"))
    storage.dispose()
    parent = ConsolidatedSqliteEventLogStorage(str(tmp_path / "log"))
    assert steps(parent) == ["own"]
    parent.store_event(event(step="parent's"))
    assert steps(storage) == ["own", "parent's"]

    plain = ConsolidatedSqliteEventLogStorage(str(tmp_path / "plain"))
    assert schema(storage) == schema(plain)
    assert pragma(storage, "journal_mode") == "wal"
    assert storage.has_secondary_index("asset_key_index_columns")


def schema(storage):
    """All objects of the database and their definitions."""
    with storage.index_connection() as connection:
        return connection.exec_driver_sql("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_dagster_instance_migrate_changes_nothing_in_a_new_file(storage):
    with storage.index_connection() as connection:
        version = check_alembic_revision(get_alembic_config(consolidated_sqlite_event_log.__file__), connection)
    assert version[0] == version[1]
    before = schema(storage)
    storage.upgrade()
    assert schema(storage) == before


def pragma(storage, name):
    with storage.index_connection() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_a_connection_stays_open_and_commits_without_waiting_for_the_disk(storage):
    storage.store_event(event())
    assert pragma(storage, "synchronous") == 1  # NORMAL
    assert (Path(storage.get_db_path()).parent / "event_log.db-wal").exists()
    storage.dispose()
    assert not (Path(storage.get_db_path()).parent / "event_log.db-wal").exists()
