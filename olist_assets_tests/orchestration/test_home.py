"""DAGSTER_HOME: prepared once, updated if an earlier release prepared it, and otherwise not changed."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import dagster as dg
import pytest
from filelock import FileLock

from olist_assets.errors import OlistError, SettingsError
from olist_assets.orchestration.instance import home as home_module
from olist_assets.orchestration.instance.event_log import BatchingSqliteEventLogStorage
from olist_assets.orchestration.instance.home import prepare_home


def test_a_home_is_prepared_for_batches_without_changing_existing_settings(homes, monkeypatch):
    own, plain = homes
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "500"
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
    prepare_home(plain)
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "0"
    assert "BatchingSqliteEventLogStorage" in (own / "dagster.yaml").read_text()
    assert (plain / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_a_home_of_an_earlier_release_finds_the_moved_event_log(homes):
    own, _ = homes
    today = (own / "dagster.yaml").read_text()
    earlier = today.replace("olist_assets.orchestration.instance.event_log", "olist_assets.event_log") + "# ours\n"
    assert "module: olist_assets.event_log\n" in earlier
    (own / "dagster.yaml").write_text(earlier)
    prepare_home(own)
    assert (own / "dagster.yaml").read_text() == today + "# ours\n"
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, BatchingSqliteEventLogStorage)


def test_a_home_of_an_earlier_release_gets_run_monitoring(homes):
    own, _ = homes
    today = (own / "dagster.yaml").read_text()
    earlier = today[: today.index("\n# A killed process")]
    assert "run_monitoring" not in earlier
    (own / "dagster.yaml").write_text(earlier)
    prepare_home(own)
    assert (own / "dagster.yaml").read_text() == today
    configured = earlier + "run_monitoring: {enabled: false}\n"
    (own / "dagster.yaml").write_text(configured)
    prepare_home(own)
    assert (own / "dagster.yaml").read_text() == configured


def heads(home):
    """The revisions that each database of a home is stamped with."""
    revisions = {}
    for path in home.rglob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            revisions[path.name] = database.execute("SELECT version_num FROM alembic_version").fetchall()
    return revisions


def test_two_first_starts_at_the_same_time_create_one_home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    home = tmp_path / "home"

    def start(_):
        prepare_home(home)
        with dg.DagsterInstance.get() as instance:
            return instance.root_directory, instance.get_runs_count()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, range(4))) == [(str(home), 0)] * 4
    revisions = heads(home)
    assert sorted(revisions) == ["event_log.db", "runs.db", "schedules.db"]
    [[head]] = {tuple(rows) for rows in revisions.values()}
    assert head
    assert sorted(path.name for path in home.iterdir() if path.name.startswith(".")) == [".lock", ".nux"]


@pytest.mark.parametrize("lost", ["history/runs.db", "schedules/schedules.db", "event_log.db"])
def test_a_start_after_a_kill_completes_the_home(homes, lost):
    own, _ = homes
    (own / "history" / "runs.db").unlink()  # it is moved into the home last
    (own / lost).unlink(missing_ok=True)
    (own / ".new-killed").mkdir()
    prepare_home(own)
    assert len(heads(own)) == 3
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs() == []


def test_a_new_database_does_not_read_the_log_of_a_deleted_one(homes):
    own, _ = homes
    runs = own / "history" / "runs.db"
    log = runs.with_name("runs.db-wal")
    log.write_bytes(b"of the deleted database")
    runs.unlink()
    prepare_home(own)
    assert not log.exists()
    assert heads(own)["runs.db"]


def test_a_home_that_two_processes_of_an_earlier_release_broke_is_named(homes):
    own, _ = homes
    runs = own / "history" / "runs.db"
    with closing(sqlite3.connect(runs)) as database, database:
        database.execute("INSERT INTO alembic_version VALUES ('5771160a95ad')")
    with pytest.raises(OlistError) as error:
        prepare_home(own)
    assert str(error.value) == (
        f"{runs} is broken (two processes created it at once): delete the folder {own}; it has the history of runs, "
        "no tables"
    )
    runs.write_text("no database, but longer than the hundred bytes of the header of a file that SQLite would read" * 2)
    with pytest.raises(OlistError, match=r"runs\.db is broken \(file is not a database\): delete the folder"):
        prepare_home(own)


def test_a_home_that_another_process_prepares_for_too_long_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(home_module, "_LOCK_SECONDS", 0.1)
    with FileLock(tmp_path / ".lock"), pytest.raises(OlistError, match=r"end the process that has .*/\.lock open"):
        prepare_home(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "while parsing a flow node expected the node content, but found '<stream end>'"),
        ("- a", "Expected YAML from file "),
        ("nonsense: 1", 'Received unexpected config entry "nonsense" at the root; '),
        ("telemetry: {enabled: 7}", "Invalid scalar at path root:telemetry:enabled. Value "),
        ("run_storage: {module: no.such, class: X, config: {}}", "No module named 'no'; "),
        ("run_storage: {module: dagster, class: Missing, config: {}}", "module 'dagster' has no attribute 'Missing'; "),
        ("caf\udce9: 1", "'utf-8' codec can't decode byte 0xe9"),
    ],
)
def test_a_broken_configuration_is_one_line_that_names_the_file(tmp_path, text, reason):
    file = tmp_path / "dagster.yaml"
    file.write_text(text, errors="surrogateescape")
    with pytest.raises(SettingsError) as error:
        prepare_home(tmp_path)
    assert str(error.value).startswith(f"{file} cannot be used: {reason}")
    assert str(error.value).endswith("; correct it, or delete it to get the project's one again")
    assert "\n" not in str(error.value)
