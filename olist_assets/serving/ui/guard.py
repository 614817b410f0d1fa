"""A guard in front of Dagster's web server, which does not check where requests come from.

A page of another site can have the browser send requests to the UI. The guard refuses them:

- Requests must name a host that is allowed; otherwise a foreign domain that resolves to this machine could read (DNS
  rebinding).
- Requests that can change something, and the connection of the live view, must come from the UI's own pages.
- GraphQL is accepted by POST with a JSON body only. Dagster would also execute a mutation in a link or a form.

Other programs send neither `Origin` nor `Sec-Fetch-Site`. For them only the rules on hosts and JSON apply.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_OWN_FETCHES = {"same-origin", "none"}  # none: the user typed the address or opened a bookmark
_POLICY_VIOLATION = 1008
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Guard:
    """ASGI middleware that lets a request pass if it comes from the UI itself or from a program.

    Args:
        app: the application behind the guard.
        hosts: names that requests may address, without a port, in lower case; `*` allows every name.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403 (a WebSocket: close) with the reason in one line."""
        if scope["type"] not in ("http", "websocket"):  # the server's start and stop
            await self._app(scope, receive, send)
            return
        reason = self._reason_to_refuse(scope)
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(_POLICY_VIOLATION, reason)(scope, receive, send)
        else:
            await PlainTextResponse(f"refused: {reason}\n", status_code=403)(scope, receive, send)

    def _reason_to_refuse(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        name = _host_name(host)
        if name not in self._hosts and "*" not in self._hosts:
            return f"the host {name!r} is not allowed; see `olist ui --allow-host`"
        if scope["type"] == "http" and scope["method"] in _SAFE_METHODS:
            return "GraphQL is accepted by POST only" if _is_graphql_by_link(scope, headers) else None
        if (site := headers.get("sec-fetch-site")) is not None and site not in _OWN_FETCHES:
            return f"the request comes from another site (Sec-Fetch-Site: {site})"
        if (origin := headers.get("origin")) is not None and not _is_own(origin, host):
            return f"the request comes from another origin ({origin})"
        if scope["type"] == "http" and _media_type(headers) != "application/json":
            return "the body must be JSON (Content-Type: application/json)"
        return None


def _is_own(origin: str, host: str) -> bool:
    """Whether an origin is that of the UI's own pages: the host and port that the request addresses."""
    try:
        page, server = urlsplit(origin), urlsplit(f"//{host}")
        port = _DEFAULT_PORTS[page.scheme]
        page_address, server_address = (page.hostname, page.port or port), (server.hostname, server.port or port)
    except (KeyError, ValueError):  # null, a file, an extension; a port that is not a number
        return False
    return page_address == server_address


def _is_graphql_by_link(scope: Scope, headers: Headers) -> bool:
    """Whether Dagster would execute what the query string says; it answers a browser's visit with an editor page."""
    path = scope["path"].rstrip("/")
    return path.endswith("/graphql") and "text/html" not in headers.get("accept", "")


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:  # an IPv6 address without its closing bracket
        return ""


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
