"""`olist status` lists the live machines on EMR with their prices, and `olist stop` ends those of the lake."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

import olist_assets.engines
from olist_assets_tests.cli.shell import Shell
from olist_assets_tests.e2e.cluster import Fault, StepProgram
from olist_assets_tests.e2e.servers import wait_until
from olist_assets_tests.e2e.shops import DAY, LIST_JOBS, submission

STEP_PROGRAM = StepProgram.PREPARED
HOST = {"emr": "cluster", "emr-serverless": "application"}


@pytest.fixture
def olist(shop, monkeypatch, tmp_path):
    """Runs a command on the shop's lake, and returns its output."""
    monkeypatch.setattr(olist_assets.engines, "create_engine", lambda _: shop.engine)
    shop.lake.source.mkdir(parents=True, exist_ok=True)
    settings = {"OLIST_ENGINE": shop.service, "OLIST_LAKE": shop.lake.lake.root, "OLIST_SOURCE": f"{shop.lake.source}"}

    def run(*arguments: str) -> str:
        return Shell(tmp_path)(*arguments, **settings)

    return run


@pytest.fixture
def waiting_run(shop):
    """A run in another thread, whose step does not end."""
    shop.cluster.pause.touch()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(shop.run)
        wait_until(lambda: any("worker.json" in path for path in shop.lake.objects("control/requests")), 60)
        yield run
        shop.cluster.pause.unlink(missing_ok=True)


def test_live_machines_and_their_prices_are_part_of_the_status(shop, olist, waiting_run):
    machines = json.loads(olist("status", "--json"))["machines"]
    assert [machine["kind"] for machine in machines] == [HOST[shop.service], "worker"]
    prices = [machine["price_per_hour"] for machine in machines]
    assert prices == ([0.48, 0.0] if shop.service == "emr" else [0.0, shop.engine.price_per_hour])
    worker = machines[1]
    assert (worker["state"], worker["is_own"]) == ("RUNNING", True)
    lines = olist("status").splitlines()
    assert any(worker["id"] in line and worker["run_id"] in line for line in lines)
    shop.cluster.pause.unlink()
    assert waiting_run.result(60) == ""


def test_stop_ends_the_worker_and_what_it_ran_on_and_its_run_starts_no_other(shop, olist, waiting_run):
    assert "nothing has been ended" in olist("stop")
    assert shop.cluster.running
    assert "their end was requested" in olist("stop", "--yes")
    assert "was ended by `olist stop`" in waiting_run.result(60)
    wait_until(shop.is_idle)
    assert len(shop.cluster.jobs) == 1
    assert shop.sellers() == []
    [host] = shop.cluster_ids()
    own = shop.cluster.emr.clusters if shop.service == "emr" else shop.cluster.serverless.applications
    assert own[host].state == {"emr": "TERMINATED", "emr-serverless": "STOPPED"}[shop.service]
    assert f"no machine of {shop.service} to end" in olist("stop")


def test_what_others_use_is_left_running(shop, olist, waiting_run):
    shop.cluster.hold.set()
    shop.engine.submit(submission("another program"), print)
    plan = json.loads(olist("stop", "--json"))
    assert [machine["kind"] for machine in plan["machines"]] == ["worker"]
    assert plan["ended"] is False
    olist("stop", "--yes")
    assert "was ended by `olist stop`" in waiting_run.result(60)
    assert [job.name for job in shop.engine.live()] == ["another program"]


def test_a_service_that_refuses_is_a_note_of_the_status(shop, olist):
    assert shop.run(day=DAY) == ""
    shop.cluster.faults.append(Fault(LIST_JOBS[shop.service], "denied", times=9))
    status = json.loads(olist("status", "--json"))
    assert status["machines"] == []
    assert any("not authorized" in note for note in status["notes"])


def test_the_spark_ui_of_a_worker_is_found_on_demand(shop, olist):
    assert shop.run() == ""
    [job] = re.findall(r"olist spark-ui ([\w-]+/[\w-]+)", shop.messages())[:1]
    url = olist("spark-ui", job).strip()
    name = {"emr": f"p-{job.split('/')[0]}.emrappui-prod", "emr-serverless": f"{job.split('/')[1]}.dashboard"}
    assert url.startswith(f"https://{name[shop.service]}.")
    assert "authToken" not in shop.messages()
