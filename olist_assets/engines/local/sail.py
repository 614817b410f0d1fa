"""Sail: Spark Connect in Rust, in this process, without a JVM. The first step of a process starts it."""

import os
from functools import cache
from threading import Lock
from typing import Any, ClassVar

from pyspark.sql import SparkSession

from olist_assets.engines.base import LocalEngine
from spark_steps.protocol import Progress, ignore_progress


class SailEngine(LocalEngine):
    """Runs steps on an embedded Sail server."""

    limits_memory: ClassVar[bool] = True  # its joins do not continue on disk

    @property
    def name(self) -> str:
        """The name in OLIST_ENGINE."""
        return "sail"

    def session(self, on_progress: Progress = ignore_progress) -> SparkSession:  # noqa: ARG002 - it is quick
        """This process's session on its own Sail server, in UTC."""
        os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # pyspark's functions read it
        with _starting:
            return _session()

    def stop_queries(self) -> None:
        """Let the running queries fail."""
        if _session.cache_info().currsize:
            _session().interruptAll()


MEMORY_VARIABLE, MEMORY_BYTES = "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE", 2_000_000_000
_SETTINGS = {
    "RUST_LOG": "error",
    "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
    MEMORY_VARIABLE: f"{MEMORY_BYTES}",
    # Free memory returns to the system after 10 ms instead of a second: 10 million orders take 3.7 GB, not 4.2.
    "MIMALLOC_PURGE_DELAY": "10",
}
"""Sail's own settings, which it reads when it is loaded. A variable that is set already wins.

All queries share the memory, in bytes. One that needs more of it for a sort or an aggregate continues on disk.
"""

_starting = Lock()
"""Locked while a thread starts the session, so that steps of several threads share one."""


@cache
def _session() -> SparkSession:
    # gRPC's fork handlers sometimes abort a child process before it has started its program.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")  # read when the first channel is opened
    from olist_assets.engines.local.sail_session import start_session  # noqa: PLC0415 - costs a second

    _, port = _server().listening_address
    return start_session(port)


@cache
def _server() -> Any:
    """The server. The cache keeps a reference, because the server stops when it is garbage-collected."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    # After these settings. The package has no type stubs.
    from pysail.spark import SparkConnectServer  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs]

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    return server
