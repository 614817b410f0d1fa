"""Runs of killed processes: reported as failed by the next start, without touching runs that may be alive."""

import os
import subprocess
import sys
from dataclasses import replace

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from olist_assets.engines.local.sail import SailEngine
from olist_assets.lake import process_identity
from olist_assets.orchestration.executors import create_executor
from olist_assets.orchestration.instance.run_launcher import MonitoredRunLauncher
from olist_assets.orchestration.instance.run_process import TAG, RunProcess, end_dead_runs


@dg.op(pool="raw.orders")
def load(context):
    return context.run.run_id


@dg.job(executor_def=create_executor(SailEngine(), 2))
def loading():
    load()


def job():
    return loading


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def current():
    return RunProcess.current("of no run")


def dead():
    """A process of this host that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return replace(current(), pid=process.pid)


def rebooted():
    return replace(current(), machine="11111111-1111-4111-8111-111111111111 pid:[4026531836]")


PROCESSES = {
    "dead": (dead, "FAILURE"),
    "another process has its id": (lambda: replace(current(), started="1"), "FAILURE"),
    "before a restart of the host": (lambda: replace(rebooted(), installation="shop-1 0123"), "FAILURE"),
    "alive": (current, "STARTED"),
    "on another host": (lambda: replace(dead(), machine="another boot", installation="shop-2 0123"), "STARTED"),
    "on a host that cannot be compared": (lambda: replace(rebooted(), installation=None), "STARTED"),
    "in another container of this host": (
        lambda: replace(dead(), machine=f"{process_identity.boot_id().split()[0]} pid:[1]", installation="shop-1 0123"),
        "STARTED",
    ),
}


@pytest.mark.parametrize("name", PROCESSES)
def test_a_run_is_failed_only_if_its_process_has_certainly_died(name, instance, monkeypatch):
    monkeypatch.setattr(process_identity, "installation_id", lambda: "shop-1 0123")
    create, status = PROCESSES[name]
    run = start(instance, create())
    ended = end_dead_runs(instance)
    assert instance.get_run_by_id(run).status.value == status
    assert ended == ([run] if status == "FAILURE" else [])
    assert end_dead_runs(instance) == []


def start(instance, process, status=dg.DagsterRunStatus.STARTED):
    """A run that a process has started; its id."""
    run = instance.create_run_for_job(loading, status=status)
    instance.add_run_tags(run.run_id, replace(process, run_id=run.run_id).tags)
    return run.run_id


def test_the_message_of_a_dead_run_names_its_process(instance):
    process = dead()
    run = start(instance, process)
    end_dead_runs(instance)
    [event] = instance.all_logs(run, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert event.message == f"The process {process.pid} on {process.host} has died before the end of the run."


def test_a_dead_run_that_was_being_canceled_is_canceled(instance):
    run = start(instance, dead(), dg.DagsterRunStatus.CANCELING)
    end_dead_runs(instance)
    assert instance.get_run_by_id(run).status is dg.DagsterRunStatus.CANCELED


@pytest.mark.usefixtures("homes")
def test_the_slots_of_a_dead_run_become_free():
    with dg.DagsterInstance.get() as instance:
        storage = instance.event_log_storage
        storage.set_concurrency_slots("raw.orders", 1)
        run = start(instance, dead())
        assert storage.claim_concurrency_slot("raw.orders", run, "load").is_claimed
        end_dead_runs(instance)
        assert storage.get_concurrency_info("raw.orders").active_slot_count == 0


@pytest.mark.parametrize("tags", [{}, {TAG: "{}"}, {TAG: "no json"}, dead().tags])
def test_a_run_without_a_tag_of_its_own_is_not_touched(tags, instance):
    run = instance.create_run_for_job(loading, status=dg.DagsterRunStatus.STARTED, tags=tags)
    assert end_dead_runs(instance) == []
    assert not instance.get_run_by_id(run.run_id).is_finished


@pytest.mark.usefixtures("homes")
def test_a_run_that_the_ui_starts_records_its_process():
    with dg.DagsterInstance.get() as instance:
        result = dg.execute_job(dg.reconstructable(job), instance=instance)
        run = instance.get_run_by_id(result.run_id)
    assert result.success
    assert RunProcess.of(run) == RunProcess.current(result.run_id)
    assert RunProcess.of(run).pid == os.getpid()


@pytest.mark.usefixtures("homes")
def test_the_daemon_of_the_ui_asks_whether_a_process_has_died():
    with dg.DagsterInstance.get() as instance:
        launcher = instance.run_launcher
        assert isinstance(launcher, MonitoredRunLauncher)
        assert instance.run_monitoring_enabled
        assert launcher.supports_check_run_worker_health
        health = {
            name: launcher.check_run_worker_health(instance.get_run_by_id(start(instance, process())))
            for name, process in (("alive", current), ("dead", dead))
        }
    assert health["alive"].status is WorkerStatus.RUNNING
    assert health["dead"].status is WorkerStatus.FAILED
    assert "has died" in health["dead"].msg
