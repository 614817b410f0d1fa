"""The Dagster UI in a real browser behind its guard: it works fully, and a page of another site changes nothing."""

import functools
import http.server
import json
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from olist_assets_tests.e2e.servers import wait_until
from olist_assets_tests.e2e.web_server import LAUNCH, WebServer, execution

pytestmark = pytest.mark.slow_module

DAY = "2018-05-10"
SELLERS = "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns1,1001,sao paulo,SP\n"
RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"
BACKFILL = """mutation ($backfill: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $backfill) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""


@pytest.fixture(scope="module")
def ui(tmp_path_factory):
    """The UI of an empty lake on the embedded engine, with one delivery of sellers."""
    root = tmp_path_factory.mktemp("ui")
    folder = root / "source" / DAY
    folder.mkdir(parents=True)
    (folder / "olist_sellers_dataset.csv").write_text(SELLERS)
    server = WebServer(
        {
            "OLIST_ENGINE": "sail",
            "OLIST_LAKE": f"{root}/lake",
            "OLIST_SOURCE": f"{root}/source",
            "DAGSTER_HOME": f"{root}/dagster",
        }
    )
    wait_until(server.is_ready, 120)
    yield server
    server.stop()


@pytest.fixture
def page(ui, browser):
    """A page of the browser; at the end, no request to the UI may have been refused."""
    refused = []
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.on("response", lambda response: refused.append(response.url) if response.status >= 400 else None)
    yield page
    context.close()
    assert [url for url in refused if url.startswith(ui.url)] == []


def post(page, query, variables):
    """The data of a GraphQL request that the page itself sends, as the UI does."""
    return page.evaluate(
        """async ([query, variables]) => {
          const body = JSON.stringify({query, variables});
          const headers = {"Content-Type": "application/json"};
          const answer = await fetch("/graphql", {method: "POST", headers, body});
          return (await answer.json()).data;
        }""",
        [query, variables],
    )


def test_lineage_and_asset_pages_are_shown(ui, page):
    page.goto(f"{ui.url}/asset-groups")
    page.get_by_text("Global asset lineage").first.wait_for(timeout=60_000)
    page.get_by_text("refined").first.wait_for(timeout=60_000)
    page.goto(f"{ui.url}/assets/trusted/sellers")
    page.get_by_text("One row: a seller", exact=False).first.wait_for(timeout=60_000)
    page.goto(f"{ui.url}/locations")
    page.get_by_text("olist_assets.definitions").first.wait_for(timeout=60_000)


def test_a_run_that_the_page_launches_is_shown_live(ui, page):
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(f"{ui.url}/runs")
    launched = post(page, LAUNCH, {"run": execution("landzone/sellers", DAY)})
    run = launched["launchRun"]["run"]["runId"]
    page.goto(f"{ui.url}/runs/{run}")
    page.get_by_text("Success", exact=True).first.wait_for(timeout=120_000)  # without a reload
    page.get_by_text("RUN_SUCCESS").first.wait_for(timeout=60_000)
    assert set(sockets) == {f"{ui.url.replace('http', 'ws')}/graphql"}


def test_an_asset_is_materialized_by_clicks(ui, page):
    page.goto(f"{ui.url}/assets/raw/sellers?partition={DAY}")
    page.get_by_role("button", name="Materialize").first.click()
    launched_before = len(runs(ui))
    page.get_by_role("button", name="Launch 1 run").click()
    wait_until(lambda: len(runs(ui)) > launched_before and runs(ui)[0]["status"] == "SUCCESS", 120)


def test_a_backfill_of_a_range_is_one_run(ui, page):
    page.goto(f"{ui.url}/runs")
    launched_before = len(runs(ui))
    assets = [{"path": ["landzone", "sellers"]}, {"path": ["raw", "sellers"]}]
    backfill = {"assetSelection": assets, "partitionNames": ["2018-05-09", DAY], "fromFailure": False}
    launched = post(page, BACKFILL, {"backfill": backfill})["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    page.goto(f"{ui.url}/runs/b/{launched['backfillId']}")
    page.get_by_text("2018-05-09...2018-05-10").first.wait_for(timeout=60_000)
    wait_until(lambda: len(runs(ui)) == launched_before + 1 and runs(ui)[0]["status"] == "SUCCESS", 180)  # one run


HOSTILE = """<!doctype html><img id="image">
<form id="form" method="post" target="frame" action="UI/graphql?query=QUERY">
<input name="query" value="MUTATION"></form><iframe name="frame"></iframe><iframe name="plain"></iframe>
<form id="plain" method="post" enctype="text/plain" target="plain" action="UI/graphql"></form>
<script>
const body = JSON.stringify({query: MUTATION_TEXT, variables: {}});
const input = document.createElement("input");
input.name = body.slice(0, -1) + ', "ignored": "'; input.value = '"}';
document.getElementById("plain").append(input);
const results = {};
const attempt = (name, action) => action().then(
  value => { results[name] = String(value); }, error => { results[name] = "failed: " + error; });
const headers = {"Content-Type": "application/json"};
const socket = () => new Promise((resolve, reject) => {
  const connection = new WebSocket("SOCKET/graphql", "graphql-ws");
  connection.onopen = () => { connection.send(JSON.stringify({id: "1", type: "start", payload: JSON.parse(body)})); };
  connection.onmessage = () => resolve("answered");
  connection.onerror = () => reject("closed");
});
const load = new Promise(done => { document.getElementById("image").onerror = () => done("no image"); });
document.getElementById("image").src = "UI/graphql?query=QUERY";
document.getElementById("form").submit();
document.getElementById("plain").submit();
window.attempts = Promise.all([
  attempt("image", () => load),
  attempt("fetch without CORS", () => fetch("UI/graphql", {method: "POST", mode: "no-cors", body})),
  attempt("fetch with JSON", () => fetch("UI/graphql", {method: "POST", headers, body})),
  attempt("fetch of a link", () => fetch("UI/graphql?query=QUERY", {mode: "no-cors"})),
  attempt("report", () => fetch("UI/report_asset_materialization/raw/sellers", {method: "POST", mode: "no-cors"})),
  attempt("beacon", async () => navigator.sendBeacon("UI/graphql", new Blob([body], {type: "text/plain"}))),
  attempt("socket", socket),
]).then(() => results);
</script>"""


@pytest.fixture
def hostile_site(tmp_path):
    """A function that serves a page from another origin; returns its address."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def serve(html):
        (tmp_path / "index.html").write_text(html)
        return f"http://localhost:{server.server_port}/index.html"

    yield serve
    server.shutdown()
    server.server_close()


def test_a_page_of_another_site_changes_nothing(ui, browser, hostile_site):
    wipe = 'mutation { wipeAssets(assetPartitionRanges: [{assetKey: {path: ["raw", "sellers"]}}]) { __typename } }'
    html = HOSTILE.replace("MUTATION_TEXT", json.dumps(wipe)).replace("MUTATION", wipe.replace('"', "&quot;"))
    html = html.replace("QUERY", wipe.replace('"', "%22").replace(" ", "%20")).replace("UI/", f"{ui.url}/")
    address = hostile_site(html.replace("SOCKET", ui.url.replace("http", "ws")))
    before = materializations(ui)
    assert before
    statuses = []
    context = browser.new_context()
    page = context.new_page()
    page.on("response", lambda answer: statuses.append(answer.status) if answer.url.startswith(ui.url) else None)
    page.goto(address)
    results = page.evaluate("() => window.attempts")
    time.sleep(1)  # forms and beacons have no end that a script can wait for
    context.close()
    assert set(results) == {
        "image", "fetch without CORS", "fetch with JSON", "fetch of a link", "report", "beacon", "socket",
    }  # fmt: skip
    assert results["socket"] == "failed: closed"
    assert results["fetch with JSON"].startswith("failed: ")
    assert len(statuses) >= 6
    assert set(statuses) == {403}
    assert materializations(ui) == before


def test_sigterm_ends_all_processes_of_a_ui_that_was_started_in_the_background(tmp_path):
    (tmp_path / "source").mkdir()
    server = WebServer({"OLIST_LAKE": f"{tmp_path}/lake", "OLIST_SOURCE": f"{tmp_path}/source",
                        "DAGSTER_HOME": f"{tmp_path}/dagster"})  # fmt: skip
    wait_until(server.is_ready, 120)
    processes = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
    assert len(processes) >= 4  # web server, code server and its process, daemon
    started = time.monotonic()
    assert server.stop(signal.SIGTERM) == -signal.SIGTERM
    assert time.monotonic() - started < 10
    _, alive = psutil.wait_procs(processes, timeout=1)
    assert alive == []


def test_a_port_in_use_is_one_line(ui):
    port = ui.url.rpartition(":")[2]
    command = ["olist_assets", "ui", "--port", port]
    ended = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    message = (
        f"error: cannot listen on 127.0.0.1 port {port}: Address already in use; choose others by --host and --port\n"
    )
    assert ended.stderr == message


def runs(ui):
    """The runs, newest first."""
    return ui.query(RUNS)["runsOrError"]["results"]


def materializations(ui):
    """The times of the materializations of raw/sellers."""
    fields = "... on Asset { assetMaterializations { timestamp } }"
    query = f'{{ assetOrError(assetKey: {{path: ["raw", "sellers"]}}) {{ {fields} }} }}'
    return ui.query(query)["assetOrError"]["assetMaterializations"]
