"""The guard in front of the Dagster UI: its own pages and programs pass, pages of other sites do not."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from olist_assets.serving.ui.guard import Guard

UI = "http://127.0.0.1:3000"
JSON = {"Content-Type": "application/json"}
OWN_PAGE = {"Origin": UI, "Sec-Fetch-Site": "same-origin"}


async def answer(request: Request) -> PlainTextResponse:
    """Answer with the body that arrived."""
    return PlainTextResponse(f"{request.method} {(await request.body()).decode()}")


async def live(socket: WebSocket) -> None:
    """Greet and close."""
    await socket.accept()
    await socket.send_text("connected")
    await socket.close()


ROUTES = [
    Route("/graphql", answer, methods=["GET", "POST"]),
    WebSocketRoute("/graphql", live),
    Route("/report_asset_materialization/{key:path}", answer, methods=["POST"]),
    Route("/{path:path}", answer),
]


@pytest.fixture
def ui():
    """A client of a guarded application, at the address that the UI has by default."""
    app = Starlette(routes=[Mount("/dagster", routes=ROUTES), *ROUTES])
    return TestClient(Guard(app, hosts={"127.0.0.1", "localhost", "::1"}), base_url=UI)


@pytest.mark.parametrize("prefix", ["", "/dagster"])
def test_the_pages_of_the_ui_query_and_change(ui, prefix):
    assert ui.get(f"{prefix}/locations", headers={"Sec-Fetch-Site": "none"}).status_code == 200
    asked = ui.post(f"{prefix}/graphql", json={"query": "mutation"}, headers=OWN_PAGE)
    assert (asked.status_code, asked.text) == (200, 'POST {"query":"mutation"}')
    with ui.websocket_connect(f"ws://127.0.0.1:3000{prefix}/graphql", headers=OWN_PAGE) as socket:
        assert socket.receive_text() == "connected"


def test_a_program_without_a_browser_queries(ui):
    assert ui.post("/graphql", json={"query": "{version}"}).status_code == 200
    assert ui.post("/report_asset_materialization/raw/orders", json={}).status_code == 200
    with ui.websocket_connect("ws://127.0.0.1:3000/graphql") as socket:
        assert socket.receive_text() == "connected"


def test_a_visit_of_the_graphql_editor_shows_its_page(ui):
    assert ui.get("/graphql", headers={"Accept": "text/html,*/*"}).status_code == 200


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "/dagster/graphql"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_graphql_in_a_link_or_an_image_is_refused(ui, method, path):
    refused = ui.request(method, f"{path}?query=mutation+{{wipeAssets}}", headers={"Accept": "image/*"})
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, "the body must be JSON"),
        ({"Content-Type": "text/plain"}, "the body must be JSON"),
        ({"Content-Type": "multipart/form-data; boundary=application/json"}, "the body must be JSON"),
        ({}, "the body must be JSON"),
        (JSON | {"Origin": "http://evil.example"}, "another origin (http://evil.example)"),
        (JSON | {"Origin": "http://127.0.0.1:8080"}, "another origin (http://127.0.0.1:8080)"),
        (JSON | {"Origin": "http://localhost:3000"}, "another origin (http://localhost:3000)"),
        (JSON | {"Origin": "null"}, "another origin (null)"),
        (JSON | {"Origin": "file://"}, "another origin (file://)"),
        (JSON | {"Origin": "http://127.0.0.1:x"}, "another origin (http://127.0.0.1:x)"),
        (JSON | {"Sec-Fetch-Site": "cross-site"}, "another site (Sec-Fetch-Site: cross-site)"),
        (JSON | {"Sec-Fetch-Site": "same-site"}, "another site (Sec-Fetch-Site: same-site)"),
    ],
)
@pytest.mark.parametrize("path", ["/graphql", "/report_asset_materialization/raw/orders"])
def test_what_another_site_can_send_is_refused_with_the_reason(ui, path, headers, reason):
    refused = ui.post(path, content=b'{"query":"mutation {wipeAssets}"}', headers=headers)
    assert refused.status_code == 403
    assert refused.text.startswith("refused: ")
    assert reason in refused.text
    assert refused.text.count("\n") == 1


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_the_live_view_of_another_site_is_not_connected(ui, headers):
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        ui.websocket_connect("ws://127.0.0.1:3000/graphql", headers=headers),
    ):
        pass
    assert closed.value.code == 1008


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "[::1", ""])
@pytest.mark.parametrize("path", ["/", "/graphql"])
def test_a_foreign_name_that_resolves_to_this_machine_is_refused(ui, host, path):
    assert ui.get(path, headers={"Host": host}).status_code == 403
    assert ui.post(path, json={}, headers={"Host": host, "Origin": f"http://{host}"}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:3000", "LOCALHOST", "127.0.0.1", "[::1]:3000", "localhost."])
def test_all_names_of_loopback_are_allowed(ui, host):
    assert ui.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(("host", "origin"), [("ui.shop.example", "https://ui.shop.example"), ("any", "http://any")])
def test_a_name_that_the_user_allows_passes_behind_a_proxy_that_keeps_it(host, origin):
    ui = TestClient(Guard(Starlette(routes=ROUTES), hosts={"ui.shop.example" if "." in host else "*"}), base_url=UI)
    assert ui.post("/graphql", json={}, headers={"Host": host, "Origin": origin}).status_code == 200
