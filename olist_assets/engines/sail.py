"""Sail: Spark Connect in Rust, in this very process. No JVM, started once, when the first step asks for it."""

import os
from functools import cache
from typing import Any

import dagster as dg
from pyspark.sql import SparkSession

from olist_assets.engines.base import Engine
from spark_steps.contract import StepRequest, StepResult
from spark_steps.step import run_step


class SailEngine(Engine):
    """Runs steps on an embedded Sail server."""

    @property
    def name(self) -> str:
        """As in OLIST_ENGINE."""
        return "sail"

    def run(self, context: dg.AssetExecutionContext, request: StepRequest) -> StepResult:  # noqa: ARG002 - the contract
        """Run the step in process."""
        return run_step(session(), request)


@cache
def session() -> SparkSession:
    """This process's session on its own Sail server, in UTC."""
    from pyspark.sql.connect.session import SparkSession as ConnectSession  # noqa: PLC0415 - costs a second

    _, port = _server().listening_address
    spark = ConnectSession.builder.remote(f"sc://127.0.0.1:{port}").create()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark  # type: ignore[return-value] - the same API; pyspark relates the two in documentation only


@cache
def _server() -> Any:
    """The server; the cache keeps it, for it stops when nothing refers to it."""
    os.environ.setdefault("RUST_LOG", "error")  # read when the library is loaded
    from pysail.spark import SparkConnectServer  # noqa: PLC0415 - after RUST_LOG

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    return server
