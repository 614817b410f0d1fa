"""Old versions are removed with the data files that only they need; later ones stay readable."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import deltalake
import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets.lake.history import remove_history
from olist_assets.lake.inspection import State, inspect_tables
from olist_assets.lake.layout import Lake
from olist_assets.lake.storage import list_objects
from olist_assets.serving.sql.session import connect
from olist_assets_tests.lakes import TestLake
from spark_steps import delta

TABLE = "refined/dim_date"
NOW = datetime(2018, 5, 10, tzinfo=UTC)
DAYS = 50


def set_time(lake, version, time):
    """Let a commit have been made at this time."""
    path = lake.root / TABLE / "_delta_log" / f"{version:020}.json"
    actions = [json.loads(line) for line in path.read_text().splitlines()]
    for action in actions:
        if "commitInfo" in action:
            action["commitInfo"]["timestamp"] = int(time.timestamp() * 1000)
    path.write_text("\n".join(map(json.dumps, actions)))
    os.utime(path, (time.timestamp(), time.timestamp()))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of a lake with one table, whose only row is replaced each day, and a checkpoint every tenth day."""
    lake = TestLake(tmp_path_factory.mktemp("history") / "lake", SailEngine())
    handle = lake.table(TABLE)
    delta.create_if_missing(handle)
    set_time(lake, 0, NOW - timedelta(days=DAYS))
    for day in range(1, DAYS + 1):
        lake.rows(TABLE, {"date_key": day, "date": "2018-05-10", "year_month": "2018-05"})
        table = deltalake.DeltaTable(handle.uri)
        table.delete(f"date_key < {day}")
        for version in (table.version() - 1, table.version()):
            set_time(lake, version, NOW - timedelta(days=DAYS - day))
        if day % 10 == 0:
            deltalake.DeltaTable(handle.uri).create_checkpoint()
    return lake.root


@pytest.fixture
def lake(built, tmp_path):
    """A copy of that lake."""
    shutil.copytree(built, tmp_path / "lake")
    return TestLake(tmp_path / "lake", SailEngine())


def files(lake):
    return [path for path in lake.objects(TABLE) if path.endswith(".parquet") and "_delta_log" not in path]


def days_at(lake, time):
    with connect(str(lake.root), as_of=time) as session:
        return session.query("select date_key from refined.dim_date").fetchall()


def test_versions_within_the_history_stay_readable_and_older_ones_are_removed(lake):
    before = NOW - timedelta(days=15)
    newest, objects = lake.read(TABLE), lake.objects(TABLE)
    within = {days: days_at(lake, NOW - timedelta(days=days)) for days in range(16)}
    remove_history(lake.lake.store, TABLE, before)
    assert lake.read(TABLE) == newest
    assert {days: days_at(lake, NOW - timedelta(days=days)) for days in range(16)} == within
    assert within[15] == [(DAYS - 15,)]
    log = deltalake.DeltaTable(lake.table(TABLE).uri)
    assert len(log.history()) < len([path for path in objects if path.endswith(".json")])
    assert len(files(lake)) == DAYS - 29  # those of the 30th day on, whose checkpoint is the oldest that is needed
    assert inspect_tables(lake.lake, [TABLE])[TABLE].state is State.PRESENT
    remaining = lake.objects(TABLE)
    remove_history(lake.lake.store, TABLE, before)
    assert lake.objects(TABLE) == remaining


@pytest.mark.parametrize("days", [DAYS, 45, 41])
def test_nothing_is_removed_that_is_not_old_or_not_worth_it(lake, days):
    objects = lake.objects(TABLE)
    remove_history(lake.lake.store, TABLE, NOW - timedelta(days=days))
    assert lake.objects(TABLE) == objects


def test_without_an_old_checkpoint_nothing_is_removed(lake):
    for path in (lake.root / TABLE / "_delta_log").glob("*.checkpoint.parquet"):
        path.unlink()
    (lake.root / TABLE / "_delta_log" / "_last_checkpoint").unlink()
    objects = lake.objects(TABLE)
    remove_history(lake.lake.store, TABLE, NOW)
    assert lake.objects(TABLE) == objects


def test_files_of_a_version_that_was_restored_are_kept(lake):
    table = deltalake.DeltaTable(lake.table(TABLE).uri)
    table.restore(11)
    restored = lake.read(TABLE)
    remove_history(lake.lake.store, TABLE, NOW)
    assert lake.read(TABLE) == restored
    assert inspect_tables(lake.lake, [TABLE])[TABLE].state is State.PRESENT


class KilledError(BaseException):
    """The process is killed before a change of the storage."""


class KillingStore:
    """A store that fails at its n-th removal."""

    def __init__(self, store, removals):
        self._store, self._removals = store, removals

    def __getattr__(self, name):
        return getattr(self._store, name)

    def delete(self, paths):
        """Remove objects."""
        self._removals -= 1
        if self._removals < 0:
            raise KilledError
        self._store.delete(paths)


@pytest.mark.parametrize("removals", [0, 1])
def test_a_removal_that_was_interrupted_is_continued(lake, tmp_path, removals):
    complete = TestLake(shutil.copytree(lake.root, tmp_path / "complete" / "lake"), SailEngine())
    remove_history(complete.lake.store, TABLE, NOW - timedelta(days=15))
    newest = lake.read(TABLE)
    with pytest.raises(KilledError):
        remove_history(KillingStore(lake.lake.store, removals), TABLE, NOW - timedelta(days=15))
    assert lake.read(TABLE) == newest
    assert inspect_tables(lake.lake, [TABLE])[TABLE].state is State.PRESENT
    remove_history(lake.lake.store, TABLE, NOW - timedelta(days=15))
    assert lake.objects(TABLE) == complete.objects(TABLE)


def test_a_step_removes_history_and_succeeds_if_that_fails(sail_lake, monkeypatch, caplog):
    calls = []
    monkeypatch.setattr(
        "olist_assets.lake.layout.remove_history", lambda _store, table, before: calls.append((table, before))
    )
    for number in range(9):
        sail_lake.rows("trusted/sellers", {"seller_id": f"s{number}", "_row": number})
    for number in (10, 11):  # the tenth and the eleventh commit
        sail_lake.rows("raw/sellers", {"seller_id": f"s{number}", "seller_state": "SP", "_row": number})
        assert sail_lake.materialize("trusted/sellers", day="2018-05-10").success
        assert [table for table, _ in calls] == ["trusted/sellers", "quarantine/sellers"]
    assert abs(datetime.now(UTC) - timedelta(days=30) - calls[0][1]) < timedelta(minutes=5)
    monkeypatch.setattr("olist_assets.lake.layout.remove_history", lambda *_: json.loads("x"))
    sail_lake.lake.remove_history("trusted/sellers")
    assert "old versions of trusted/sellers remain" in caplog.text


def test_history_is_removed_on_s3(lake, bucket):
    on_s3 = Lake(f"{bucket}/lake")
    for path in lake.objects(TABLE):
        on_s3.store.put(path, (lake.root / path).read_bytes())
    count = len(list_objects(on_s3.store, TABLE))
    remove_history(on_s3.store, TABLE, datetime.now(UTC) + timedelta(days=1))
    assert len(list_objects(on_s3.store, TABLE)) < count / 2
    assert inspect_tables(on_s3, [TABLE])[TABLE].rows == 1
