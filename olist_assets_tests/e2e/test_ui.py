"""The Dagster UI in a browser: terminating a run whose step is on a cluster."""

import json

import pytest

from olist_assets_tests.e2e.cluster import StepProgram
from olist_assets_tests.e2e.servers import wait_until
from olist_assets_tests.e2e.web_server import WebServer

STEP_PROGRAM = StepProgram.PREPARED
DAY = "2018-05-10"
SELLERS = "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns1,1001,sao paulo,SP\n"


@pytest.fixture
def ui(service, cluster, small_package, tmp_path):
    """The Dagster UI of a lake whose steps run on a cluster."""
    folder = tmp_path / "source" / DAY
    folder.mkdir(parents=True)
    (folder / "olist_sellers_dataset.csv").write_text(SELLERS)
    cluster.jobs.clear()
    web_server = WebServer(
        {
            "OLIST_ENGINE": service,
            "OLIST_LAKE": f"s3://shop/{service}",
            "OLIST_SOURCE": str(tmp_path / "source"),
            "DAGSTER_HOME": str(tmp_path / "dagster"),
            "OLIST_EMR_PACKAGE": small_package,
            "OLIST_EMR_POLL_SECONDS": "0.2",
            "OLIST_EMR_SERVERLESS_RELEASE": "emr-7.10.0",
            "OLIST_EMR_SERVERLESS_ROLE": "arn:aws:iam::123456789012:role/olist",
            "OLIST_EMR_SERVERLESS_DELTA_JARS": "",
        }
    )
    yield web_server
    cluster.hold.clear()
    web_server.stop()


def test_terminating_a_run_in_the_ui_cancels_its_step(ui, service, cluster, s3_folder, browser):
    wait_until(ui.is_ready, 120)
    status = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
    landing = ui.launch("landzone/sellers", DAY)
    wait_until(lambda: ui.query(status, id=landing)["runOrError"]["status"] == "SUCCESS", 120)
    cluster.hold.set()
    run = ui.launch("raw/sellers", DAY)
    wait_until(lambda: cluster.jobs, 120)
    page = browser.new_page()
    page.goto(f"{ui.url}/runs/{run}")
    page.get_by_role("button", name="Terminate").click()
    page.get_by_role("button", name="Terminate 1 run").click()
    wait_until(lambda: ui.query(status, id=run)["runOrError"]["status"] == "CANCELED", 120)
    [job] = cluster.jobs
    assert job.cancelled
    assert cluster.running == []
    leases = (s3_folder / "shop" / service / "control" / "leases" / "raw.sellers").glob("*.json")
    assert json.loads(max(leases).read_text())["released"]
