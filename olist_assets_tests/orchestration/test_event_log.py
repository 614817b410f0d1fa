"""The event log: the same answers as Dagster's own, whole batches or nothing, from many threads and processes."""

import os
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
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log
from dagster._core.storage.sql import check_alembic_revision, get_alembic_config

from olist_assets.orchestration.instance.event_log import BatchingSqliteEventLogStorage
from olist_assets.orchestration.instance.home import prepare_home
from olist_assets.orchestration.partitions import landing_dates, single_run_backfill

pytestmark = pytest.mark.filterwarnings("ignore:.*`backfill_policy`:dagster.BetaWarning")

RUN = "11111111-1111-4111-8111-111111111111"
FAILED_RUN = "22222222-2222-4222-8222-222222222222"
CHECK = dg.AssetCheckKey(dg.AssetKey("orders"), "complete")
DAYS = [f"2018-05-{day:02}" for day in range(1, 31)]


def event(run=RUN, step="load", partition=None, asset=None, *, planned=False):
    """A log entry of a run: of a materialization, done or planned, if it names an asset."""
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
    """The steps of a run's log entries, in their order."""
    return [record.event_log_entry.step_key for record in storage.get_records_for_run(run).records]


# --- The same as Dagster's own ---------------------------------------------------------------------------------------


@pytest.fixture
def homes(tmp_path, monkeypatch):
    """A home as the product makes it, and one with Dagster's own event log."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    own, plain = tmp_path / "own", tmp_path / "plain"
    prepare_home(own)
    plain.mkdir()
    (plain / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return own, plain


def instance_of(home, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return dg.DagsterInstance.get()


def materialize(instance):
    """A month of two assets with a check in one run, and an asset that fails for the last two days."""
    daily = {"partitions_def": landing_dates, "backfill_policy": single_run_backfill}

    @dg.asset(**daily, check_specs=[dg.AssetCheckSpec("complete", asset="orders")])
    def orders(context: dg.AssetExecutionContext):
        for day in context.partition_keys:
            context.add_asset_metadata({"rows": int(day[-2:])}, partition_key=day)
        yield dg.MaterializeResult(
            data_version=dg.DataVersion("v1"), check_results=[dg.AssetCheckResult(passed=False, metadata={"lost": 3})]
        )

    @dg.asset(**daily, deps=[orders])
    def items():
        return dg.MaterializeResult(metadata={"rows": 7})

    @dg.asset(**daily, deps=[items])
    def broken():
        raise ValueError("broken")

    job = dg.Definitions(
        assets=[orders, items, broken], jobs=[dg.define_asset_job("all")], executor=dg.in_process_executor
    ).resolve_job_def("all")

    def run(assets, run_id, first, last):
        job.execute_in_process(
            instance=instance,
            run_id=run_id,
            asset_selection=[asset.key for asset in assets],
            tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
            raise_on_error=False,
        )

    run([orders, items], RUN, DAYS[0], DAYS[-1])
    run([items, broken], FAILED_RUN, DAYS[-2], DAYS[-1])


def pages(fetch, limit):
    """All records that a paginated call gives, from the first page to the last."""
    cursor = None
    while True:
        page = fetch(cursor, limit)
        yield from page.records
        cursor = page.cursor
        if not page.has_more:
            return


def told(record):
    """What a record says, but for when and under which number."""
    entry = record.event_log_entry
    occurred = entry.dagster_event
    kind = occurred.event_type_value if occurred else None
    metadata = None
    if kind == "ASSET_MATERIALIZATION":
        metadata = {k: v.value for k, v in occurred.step_materialization_data.materialization.metadata.items()}
    return entry.run_id, kind, entry.step_key, occurred and occurred.partition, metadata


def answers(instance):
    """What Dagit asks an instance about its assets, checks and runs."""
    log = instance.event_log_storage
    keys = sorted(instance.all_asset_keys(), key=str)
    statuses = (dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE)
    materialized = dg.DagsterEventType.ASSET_MATERIALIZATION
    return {
        "assets": [
            (record.asset_entry.asset_key, record.asset_entry.last_run_id) for record in log.get_asset_records()
        ],
        "partitions": {key: sorted(instance.get_materialized_partitions(key)) for key in keys},
        "newest of each partition": {
            key: sorted(log.get_latest_storage_id_by_partition(key, materialized)) for key in keys
        },
        "tags of each partition": {
            key: log.get_latest_tags_by_partition(key, materialized, ["dagster/data_version"]) for key in keys
        },
        "latest": {key: told_latest(instance, key) for key in keys},
        "materializations": {
            key: [*map(told, pages(lambda c, n, key=key: instance.fetch_materializations(key, n, c), 7))]
            for key in keys
        },
        "planned": {
            key: info and info.run_id for key in keys for info in [log.get_latest_planned_materialization_info(key)]
        },
        "latest check": {
            key: verdict(check) for key, check in log.get_latest_asset_check_execution_by_key([CHECK]).items()
        },
        "checks": [verdict(check) for check in log.get_asset_check_execution_history(CHECK, limit=50)],
        "runs": [(run.run_id, run.status) for run in instance.get_runs()],
        "status changes": {
            status: [*map(told, pages(lambda c, n, s=status: instance.fetch_run_status_changes(s, n, c), 1))]
            for status in statuses
        },
        "logs": {
            run: [*map(told, pages(lambda c, n, run=run: instance.get_records_for_run(run, c, limit=n), 13))]
            for run in (RUN, FAILED_RUN)
        },
        "steps": {
            run: [(step.step_key, step.status, step.attempts) for step in instance.get_run_step_stats(run)]
            for run in (RUN, FAILED_RUN)
        },
        "figures": {
            run: (s.steps_succeeded, s.steps_failed, s.materializations, s.expectations)
            for run in (RUN, FAILED_RUN)
            for s in [instance.get_run_stats(run)]
        },
    }


def told_latest(instance, key):
    latest = instance.get_latest_materialization_event(key)
    return latest and (latest.run_id, latest.step_key, latest.asset_materialization.partition)


def verdict(check):
    occurred = check.event.dagster_event
    evaluated = occurred.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    metadata = {k: v.value for k, v in occurred.asset_check_evaluation_data.metadata.items()} if evaluated else None
    return check.run_id, check.status, check.partition, metadata


def test_dagit_gets_the_same_answers_as_from_dagsters_own_event_log(homes, monkeypatch):
    found = []
    for home, kind in zip(homes, (BatchingSqliteEventLogStorage, SqliteEventLogStorage), strict=True):
        with instance_of(home, monkeypatch) as instance:
            assert type(instance.event_log_storage) is kind
            materialize(instance)
            found.append(answers(instance))
    own, plain = found
    assert own["partitions"][dg.AssetKey("orders")] == DAYS
    assert own["figures"][RUN][:3] == (2, 0, 60)
    assert own["latest check"][CHECK][1:] == (AssetCheckExecutionRecordStatus.FAILED, None, {"lost": 3})
    # Dagster plans a range's check for each day, but evaluates it once for the range: the days stay planned for ever.
    planned = [check for check in plain["checks"] if check[1] is AssetCheckExecutionRecordStatus.PLANNED]
    assert [check[2] for check in planned] == sorted(DAYS, reverse=True)
    plain["checks"] = [check for check in plain["checks"] if check not in planned]
    for question, answer in plain.items():
        assert own[question] == answer, question


def test_a_home_is_prepared_for_batches_but_what_is_set_stays(homes, monkeypatch):
    own, plain = homes
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "500"
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
    prepare_home(plain)
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "0"
    assert "BatchingSqliteEventLogStorage" in (own / "dagster.yaml").read_text()
    assert (plain / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_a_home_of_an_earlier_release_finds_the_event_log_where_it_is_now(homes):
    own, _ = homes
    today = (own / "dagster.yaml").read_text()
    earlier = today.replace("olist_assets.orchestration.instance.event_log", "olist_assets.event_log") + "# ours\n"
    assert "module: olist_assets.event_log\n" in earlier
    (own / "dagster.yaml").write_text(earlier)
    prepare_home(own)
    assert (own / "dagster.yaml").read_text() == today + "# ours\n"
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, BatchingSqliteEventLogStorage)


# --- Batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_that_fails_leaves_nothing(storage):
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


def test_a_batch_leaves_the_assets_as_its_events_one_by_one_would(storage, tmp_path):
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


def test_an_event_whose_index_entry_fails_is_not_stored(storage):
    with sqlite3.connect(storage.get_db_path()) as file:
        file.execute("DROP TABLE asset_keys")
    file.close()
    with pytest.raises(Exception, match="asset_keys"):
        storage.store_event(event(asset="orders"))
    assert steps(storage) == []


def test_several_threads_store_at_once_each_batch_in_one_piece(storage):
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


def test_another_connection_sees_what_is_committed_and_nothing_else(tmp_path):
    reader = BatchingSqliteEventLogStorage(str(tmp_path))
    amid = []

    class Looking(BatchingSqliteEventLogStorage):
        def _store_asset_event(self, *arguments):
            amid.append((steps(reader), steps(self)))
            super()._store_asset_event(*arguments)

    storage = Looking(str(tmp_path))
    storage.store_event(event(step="first"))
    assert steps(reader) == ["first"]

    storage.store_event_batch([event(step="second", asset="orders"), event(step="third")])
    assert amid == [(["first"], ["first", "second", "third"])]
    assert steps(reader) == ["first", "second", "third"]
    reader.dispose()
    storage.dispose()


def test_a_watcher_in_another_connection_is_called_with_each_event(storage):
    """The writer's connection stays open, so that its commits reach the database file itself only much later."""
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


def test_who_watches_is_woken_after_each_commit(storage):
    """The commit's own write wakes them before it can be read, so one wake-up more must follow it."""
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


def test_processes_that_start_together_make_one_log(tmp_path):
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
    """All that is in the database."""
    with storage.index_connection() as connection:
        return connection.exec_driver_sql("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_a_new_file_is_up_to_date_so_that_dagster_instance_migrate_finds_nothing_to_do(storage):
    with storage.index_connection() as connection:
        version = check_alembic_revision(get_alembic_config(consolidated_sqlite_event_log.__file__), connection)
    assert version[0] == version[1]
    before = schema(storage)
    storage.upgrade()
    assert schema(storage) == before


def pragma(storage, name):
    with storage.index_connection() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_a_connection_stays_open_and_does_not_wait_for_the_disk_at_each_commit(storage):
    storage.store_event(event())
    assert pragma(storage, "synchronous") == 1  # NORMAL
    assert (Path(storage.get_db_path()).parent / "event_log.db-wal").exists()
    storage.dispose()
    assert not (Path(storage.get_db_path()).parent / "event_log.db-wal").exists()
