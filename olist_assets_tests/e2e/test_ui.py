"""The Dagster UI in a browser: terminating a run whose step is on a cluster."""

import json
import os
import signal
import subprocess
import sys

import pytest
import requests

from olist_assets_tests.e2e.cluster import StepProgram
from olist_assets_tests.e2e.servers import free_port, wait_until

STEP_PROGRAM = StepProgram.PREPARED
DAY = "2018-05-10"
SELLERS = "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns1,1001,sao paulo,SP\n"
LAUNCH = """mutation ($run: ExecutionParams!) {
  launchRun(executionParams: $run) { __typename ... on LaunchRunSuccess { run { runId } } }
}"""


class WebServer:
    """The Dagster UI of a lake, at `url`."""

    def __init__(self, variables: dict[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "olist_assets", "ui", "--port", str(port)]
        self._process = subprocess.Popen(command, env={**os.environ, **variables}, start_new_session=True)

    def stop(self) -> None:
        """Stop it with all its processes."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(30)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)

    def query(self, text: str, **variables: object) -> dict:
        """The data that a GraphQL query returns."""
        response = requests.post(f"{self.url}/graphql", json={"query": text, "variables": variables}, timeout=60)
        return response.json()["data"]

    def is_ready(self) -> bool:
        """Whether it answers, and has loaded the code location."""
        try:
            data = self.query("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
        except requests.ConnectionError:
            return False
        return bool(data["repositoriesOrError"].get("nodes"))

    def launch(self, asset: str) -> str:
        """Materialize an asset for the day; the id of the run."""
        selector = {
            "repositoryLocationName": "olist_assets.definitions",
            "repositoryName": "__repository__",
            "jobName": "lakehouse",
            "assetSelection": [{"path": asset.split("/")}],
        }
        tags = [{"key": "dagster/partition", "value": DAY}]
        launched = self.query(
            LAUNCH, run={"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
        )
        assert launched["launchRun"]["__typename"] == "LaunchRunSuccess", launched
        return launched["launchRun"]["run"]["runId"]


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
    landing = ui.launch("landzone/sellers")
    wait_until(lambda: ui.query(status, id=landing)["runOrError"]["status"] == "SUCCESS", 120)
    cluster.hold.set()
    run = ui.launch("raw/sellers")
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
