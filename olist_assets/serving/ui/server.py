"""The processes of the Dagster UI: the web server, and beside it the code server and the daemon.

The web server runs in the calling process, behind the guard. The other two are Dagster's own commands, each in a
session of its own, so that this process alone decides when they end.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, Self

from olist_assets.errors import OlistError

if TYPE_CHECKING:
    from dagster import DagsterInstance

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names that only processes of this machine can use to reach it."""

_STOP_SECONDS = 7.0
"""How long processes may take to end after SIGTERM; then they are killed."""

_START_SECONDS = 120.0
_STATEMENT_MILLISECONDS, _POOL_RECYCLE_SECONDS, _POOL_OVERFLOW = 15_000, 3_600, 20  # the defaults of dagster-webserver
_LOCATION = "olist_assets.definitions"


class _Stopped(BaseException):
    """SIGINT or SIGTERM arrived."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def serve(
    host: str,
    port: int,
    *,
    allowed_hosts: Collection[str] = (),
    path_prefix: str = "",
    on_start: "Callable[[DagsterInstance], object]" = lambda _: None,
) -> NoReturn:
    """Serve the UI until SIGINT or SIGTERM, then end all of its processes and end by the same signal.

    Both signals are honored even if the parent process had them ignored, as `nohup` and `&` do. All processes end
    within ten seconds. DAGSTER_HOME must be ready.

    Args:
        host: the address to listen on.
        port: the port to listen on.
        allowed_hosts: names that requests may address beside `host` and the names of loopback.
        path_prefix: the beginning of every path, such as `/dagster`, if a proxy needs one.
        on_start: called with Dagster's instance before the first page is served.

    Raises:
        OlistError: the address cannot be listened on, or a process of the UI ended by itself.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _raise_stopped)
    hosts = {name.lower() for name in (host, *LOOPBACK, *allowed_hosts)}
    try:
        with (
            _listen(host, port) as listener,
            tempfile.TemporaryDirectory(prefix="olist-ui-") as folder,
            _Processes() as processes,
        ):
            _serve_web(listener, Path(folder), processes, hosts, path_prefix, on_start)
    except _Stopped as stopped:
        signal.signal(stopped.number, signal.SIG_DFL)
        os.kill(os.getpid(), stopped.number)
    raise OlistError("a process of the UI ended by itself; the reason is above")


def _raise_stopped(number: int, _frame: FrameType | None) -> NoReturn:
    for ignored in (signal.SIGINT, signal.SIGTERM):  # a second signal must not interrupt the clean-up
        signal.signal(ignored, signal.SIG_IGN)
    raise _Stopped(number)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (while ")[0]
        raise OlistError(
            f"cannot listen on {host} port {port}: {reason}; choose others by --host and --port"
        ) from error


class _Processes:
    """Processes beside this one, each the leader of its own group; all end with the block."""

    def __init__(self) -> None:
        self._leaders: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def start(self, *arguments: str) -> None:
        """Start this Python with the arguments."""
        command = [sys.executable, *arguments]
        self._leaders.append(subprocess.Popen(command, start_new_session=True))  # noqa: S603 - fixed commands

    @property
    def are_running(self) -> bool:
        """No process has ended."""
        return all(leader.poll() is None for leader in self._leaders)

    def __exit__(self, *_: object) -> None:
        """End the processes and everything that they started: by SIGTERM, after some seconds by SIGKILL."""
        for number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 1.0)):
            deadline = time.monotonic() + seconds
            alive = [leader for leader in self._leaders if self._signal(leader, number)]
            while alive and time.monotonic() < deadline:
                time.sleep(0.05)
                alive = [leader for leader in alive if self._signal(leader, 0)]

    @staticmethod
    def _signal(leader: subprocess.Popen[bytes], number: int) -> bool:
        """Send a signal to a leader's group; False if the group has no process any more."""
        leader.poll()  # until it is waited for, a leader that has ended counts as a member of its group
        try:
            os.killpg(leader.pid, number)
        except ProcessLookupError:
            return False
        return True


def _serve_web(
    listener: socket.socket,
    folder: Path,
    processes: _Processes,
    hosts: Collection[str],
    path_prefix: str,
    on_start: "Callable[[DagsterInstance], object]",
) -> None:
    """Serve the web pages until a signal comes or another process of the UI ends."""
    code_socket, workspace = folder / "code.sock", folder / "workspace.yaml"
    workspace.write_text(f"load_from:\n- grpc_server: {{socket: {code_socket}, location_name: {_LOCATION}}}\n")
    options = ["-m", _LOCATION, "--location-name", _LOCATION, "--socket", str(code_socket), "--log-level", "warning"]
    processes.start("-m", "dagster", "code-server", "start", *options)

    import uvicorn  # noqa: PLC0415 - takes seconds, as the code server does meanwhile
    from dagster import DagsterInstance  # noqa: PLC0415
    from dagster._core.workspace.context import WorkspaceProcessContext  # noqa: PLC0415
    from dagster._core.workspace.load_target import GrpcServerTarget  # noqa: PLC0415
    from dagster_webserver.app import create_app_from_workspace_process_context  # noqa: PLC0415
    from dagster_webserver.version import __version__  # noqa: PLC0415

    from olist_assets.serving.ui.guard import Guard  # noqa: PLC0415

    _wait_for_code(code_socket, processes)
    processes.start("-m", "dagster._daemon", "run", "-w", str(workspace))
    target = GrpcServerTarget(host="localhost", port=None, socket=str(code_socket), location_name=_LOCATION)
    with DagsterInstance.get() as instance:
        on_start(instance)
        instance.optimize_for_webserver(_STATEMENT_MILLISECONDS, _POOL_RECYCLE_SECONDS, _POOL_OVERFLOW)
        with WorkspaceProcessContext(instance, target, version=__version__) as context:
            app = Guard(create_app_from_workspace_process_context(context, path_prefix), hosts=hosts)
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))

            def watch() -> None:
                while processes.are_running:
                    time.sleep(0.5)
                server.should_exit = True

            threading.Thread(target=watch, daemon=True).start()
            server.run(sockets=[listener])


def _wait_for_code(code_socket: Path, processes: _Processes) -> None:
    """Wait until the code server answers.

    Raises:
        OlistError: it ended instead, or takes too long.
    """
    from dagster._grpc.client import DagsterGrpcClient  # noqa: PLC0415

    client, deadline = DagsterGrpcClient(socket=str(code_socket)), time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if not processes.are_running:
            raise OlistError("the assets' code cannot be loaded; the reason is above")
        if code_socket.exists() and client.health_check_query() == "SERVING":
            return
        time.sleep(0.1)
    raise OlistError(f"the assets' code was not loaded within {_START_SECONDS:g} seconds")
