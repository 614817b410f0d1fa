"""A faulty proxy of an S3 server: the first request of each kind gets an error, or no answer."""

import http.client
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

_ERRORS = {"500": (500, "InternalError"), "503": (503, "SlowDown")}
_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "expect"}


class FaultyProxy:
    """A proxy at `url` of the S3 server at `behind`.

    Attributes:
        kind: the fault of the first request of each method and object: `500` and `503` (SlowDown) are not forwarded;
            `unsure` is a PUT that is done and answered by 500, `lost` a PUT that is done and not answered.
        spared: a pattern of paths without faults.
        hits: method and path of the requests that had a fault.
    """

    def __init__(self, behind: str, kind: str, spared: str = "(?!)") -> None:
        self.kind, self.spared = kind, re.compile(spared)
        self.hits: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"proxy": self, "behind": urlsplit(behind).netloc})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()

    def take_fault(self, method: str, path: str) -> bool:
        """Whether this request has the fault; the next one like it does not."""
        path, key = urlsplit(path).path, (method, urlsplit(path).path)
        if self.spared.search(path) or (self.kind in ("unsure", "lost") and method != "PUT"):
            return False
        with self._lock:
            first = key not in self.hits
            self.hits.add(key)
        return first


class _Handler(BaseHTTPRequestHandler):
    proxy: ClassVar[FaultyProxy]
    behind: ClassVar[str]
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        body = self._body()
        faulty = self.proxy.take_fault(self.command, self.path)
        if faulty and self.proxy.kind in _ERRORS:
            self._error(*_ERRORS[self.proxy.kind])
            return
        server = http.client.HTTPConnection(self.behind, timeout=30)
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in {*_HOP_BY_HOP, "content-length"}:
                server.putheader(name, value)
        if body or self.command in ("PUT", "POST"):
            server.putheader("Content-Length", str(len(body)))
        server.endheaders(body)
        answer = server.getresponse()
        content = answer.read()
        server.close()
        if faulty and self.proxy.kind == "lost":
            self.close_connection = True
            return
        if faulty and answer.status < 400:
            self._error(*_ERRORS["500"])
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in {*_HOP_BY_HOP, "content-length"}:
                self.send_header(name, value)
        head_length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self._end(head_length, content, may_have_content=answer.status != 204)

    def _error(self, status: int, code: str) -> None:
        self.send_response_only(status)
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Please reduce your rate.</Message></Error>"
        content = b"" if self.command == "HEAD" else text.encode()
        self._end(str(len(content)), content)

    def _end(self, length: str, content: bytes, *, may_have_content: bool = True) -> None:
        if may_have_content:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - as http.server calls them
