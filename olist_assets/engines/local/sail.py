"""Sail: Spark Connect in Rust, in this very process. No JVM, started once, when the first step asks for it."""

import atexit
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from pyspark.sql import SparkSession

from olist_assets.engines.base import LocalEngine


class SailEngine(LocalEngine):
    """Runs steps on an embedded Sail server."""

    @property
    def name(self) -> str:
        """As in OLIST_ENGINE."""
        return "sail"

    def session(self, on_progress: Callable[[str], None] = lambda _: None) -> SparkSession:  # noqa: ARG002 - it is quick
        """This process's session on its own Sail server, in UTC."""
        os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # pyspark's functions look here for what they shall make
        return _session()


@cache
def _session() -> SparkSession:
    # gRPC's handlers of forks abort a child now and then, before it has become the program that was to be started.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")  # read when the first channel is opened
    from pyspark.sql.connect.session import SparkSession as ConnectSession  # noqa: PLC0415 - costs a second

    _, port = _server().listening_address
    spark = ConnectSession.builder.remote(f"sc://127.0.0.1:{port}").create()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    # At exit pyspark has the server clear its machine learning cache, which Sail answers with an error in the log.
    atexit.unregister(spark.client._cleanup_ml_cache)  # noqa: SLF001 - there is no other way to say so
    return spark  # type: ignore[return-value] - the same API; pyspark relates the two in documentation only


@cache
def _server() -> Any:
    """The server; the cache keeps it, for it stops when nothing refers to it."""
    os.environ.setdefault("RUST_LOG", "error")  # read when the library is loaded
    from pysail.spark import SparkConnectServer  # noqa: PLC0415 - after RUST_LOG

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    return server
