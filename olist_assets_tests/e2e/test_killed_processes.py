"""Processes that start at once or are killed: one DAGSTER_HOME, and no run that counts as running forever."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import dagster as dg
import psutil
import pytest

from olist_assets.orchestration.instance.run_process import RunProcess, end_dead_runs
from olist_assets_tests.e2e.servers import wait_until
from olist_assets_tests.e2e.web_server import WebServer

DAY = "2018-05-10"
SELLERS = "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns1,1001,sao paulo,SP\n"
STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
PREPARE = """
import sys
from pathlib import Path
import dagster as dg
from olist_assets.orchestration.instance.home import prepare_home
print("ready", flush=True)
sys.stdin.readline()
prepare_home(Path(sys.argv[1]))
with dg.DagsterInstance.get() as instance:
    print(instance.get_runs_count())
"""


@pytest.fixture
def variables(tmp_path):
    """The settings of a lake with a delivery of one day."""
    folder = tmp_path / "source" / DAY
    folder.mkdir(parents=True)
    (folder / "olist_sellers_dataset.csv").write_text(SELLERS)
    names = {"OLIST_LAKE": "lake", "OLIST_SOURCE": "source", "DAGSTER_HOME": "dagster"}
    return {name: str(tmp_path / folder) for name, folder in names.items()} | {"OLIST_ENGINE": "sail"}


def olist(variables, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "olist_assets", *arguments],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def runs(variables):
    """The ids and statuses of all runs, the oldest first."""
    try:
        with closing(sqlite3.connect(f"file:{variables['DAGSTER_HOME']}/history/runs.db?mode=ro", uri=True)) as file:
            return file.execute("SELECT run_id, status FROM runs ORDER BY id").fetchall()
    except sqlite3.OperationalError:  # not there yet
        return []


def kill_a_run(variables):
    """Start `olist run`, kill it while its run is in progress, and return the id of the run."""
    process = olist(variables, "run")
    wait_until(lambda: [status for _, status in runs(variables)] == ["STARTED"], 120)
    process.kill()
    process.communicate()
    [(run, status)] = runs(variables)
    assert status == "STARTED"
    return run


def test_processes_that_start_at_once_share_one_home(tmp_path):
    home = tmp_path / "home"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PREPARE, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("start\n")
        process.stdin.flush()
    assert [(process.communicate(timeout=60)[0], process.returncode) for process in processes] == [("0\n", 0)] * 6
    for path in home.rglob("*.db"):
        with closing(sqlite3.connect(path)) as file:
            assert len(file.execute("SELECT * FROM alembic_version").fetchall()) == 1


def test_the_next_run_loads_and_fails_the_run_of_a_killed_process(variables):
    killed = kill_a_run(variables)
    process = olist(variables, "run")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert f"the process of run {killed} had died" in " ".join(output.split())
    [(first, status), (_, second_status)] = runs(variables)
    assert (first, status, second_status) == (killed, "FAILURE", "SUCCESS")


def test_a_live_run_of_another_process_goes_on(variables, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", variables["DAGSTER_HOME"])
    process = olist(variables, "run")
    wait_until(lambda: [status for _, status in runs(variables)] == ["STARTED"], 120)
    process.send_signal(signal.SIGSTOP)
    try:  # a whole run might wait for a lock of the suspended process on Dagster's database
        with dg.DagsterInstance.get() as instance:
            assert end_dead_runs(instance) == []
    finally:
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert [status for _, status in runs(variables)] == ["SUCCESS"]


@pytest.mark.parametrize("when", ["before the start of the UI", "while the UI runs"])
def test_the_queue_of_the_ui_goes_on_after_a_killed_run(variables, when):
    killed = kill_a_run(variables) if when == "before the start of the UI" else None
    ui = WebServer(variables)
    try:
        wait_until(ui.is_ready, 120)
        killed = killed or kill_a_run(variables)
        launched = ui.launch("landzone/sellers", DAY)
        wait_until(lambda: ui.query(STATUS, id=launched)["runOrError"]["status"] == "SUCCESS", 120)
        assert ui.query(STATUS, id=killed)["runOrError"]["status"] == "FAILURE"
    finally:
        ui.stop()


def test_a_run_of_a_killed_ui_is_failed_by_the_next_run(variables, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", variables["DAGSTER_HOME"])
    ui = WebServer(variables)
    processes = [psutil.Process(ui.process.pid)]
    try:
        wait_until(ui.is_ready, 120)
        launched = ui.launch("raw/sellers", DAY)
        with dg.DagsterInstance.get() as instance:
            wait_until(lambda: RunProcess.of(instance.get_run_by_id(launched)), 120)
        processes += processes[0].children(recursive=True)
    finally:
        for process in processes:
            process.kill()
        psutil.wait_procs(processes)
        ui.process.wait()
    assert runs(variables) == [(launched, "STARTED")]
    next_run = olist(variables, "run")
    output, _ = next_run.communicate(timeout=300)
    assert next_run.returncode == 0, output
    assert runs(variables)[0] == (launched, "FAILURE")
