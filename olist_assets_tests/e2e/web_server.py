"""The Dagster UI of a lake as `olist ui` serves it, for tests."""

import os
import signal
import subprocess
import sys

import requests

from olist_assets_tests.e2e.servers import free_port

LAUNCH = """mutation ($run: ExecutionParams!) {
  launchRun(executionParams: $run) { __typename ... on LaunchRunSuccess { run { runId } } }
}"""


class WebServer:
    """The Dagster UI of a lake, at `url`. SIGINT is ignored when it starts, as in a script's background."""

    def __init__(self, variables: dict[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "olist_assets", "ui", "--port", str(port)]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509 - no threads start here
        )

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ask it to end by a signal; the exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(20)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)

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

    def launch(self, asset: str, day: str) -> str:
        """Materialize an asset for a day; the id of the run."""
        launched = self.query(LAUNCH, run=execution(asset, day))
        assert launched["launchRun"]["__typename"] == "LaunchRunSuccess", launched
        return launched["launchRun"]["run"]["runId"]


def execution(asset: str, day: str) -> dict:
    """The variables of a run that materializes an asset for a day."""
    selector = {
        "repositoryLocationName": "olist_assets.definitions",
        "repositoryName": "__repository__",
        "jobName": "lakehouse",
        "assetSelection": [{"path": asset.split("/")}],
    }
    tags = [{"key": "dagster/partition", "value": day}]
    return {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
