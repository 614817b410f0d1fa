"""spark-submit without its start-up time: a warm JVM runs one application after the other.

Starting a JVM and its first Spark session costs four times as much as a step of a few rows. Each application still has
its own Spark context and Python driver; Spark's InProcessSparkSubmit starts them.
"""

import subprocess
import sys
import time
from multiprocessing.connection import Listener
from pathlib import Path

from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JJavaError
from pyspark.java_gateway import launch_gateway


class WarmJvm:
    """A JVM that runs one application at a time. The first one starts it; its output goes to `folder`/log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen | None = None

    def address(self, environment: dict[str, str]) -> str:
        """The path of its socket. The first call starts the JVM, and waits until it listens."""
        socket = self._folder / "socket"
        if self._process is None:
            self._folder.mkdir()
            with (self._folder / "log").open("wb") as log:
                command = [sys.executable, "-m", __name__, str(socket)]
                self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        while not socket.exists():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.1)
        return str(socket)

    def stop(self) -> None:
        """Kill the process; Java exits with its parent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def serve(address: str) -> None:
    """Serve a socket: each connection sends a list of arguments, and receives the exit code of the application."""
    gateway = launch_gateway()
    own = _properties(gateway)
    with Listener(address) as listener:
        while True:
            with listener.accept() as connection:
                connection.send(_submit(gateway, connection.recv()))
                for name in _properties(gateway) - own:  # set by this application
                    gateway.jvm.System.clearProperty(name)


def _submit(gateway: JavaGateway, arguments: list[str]) -> int:
    words = gateway.new_array(gateway.jvm.String, len(arguments))
    for position, word in enumerate(arguments):
        words[position] = word
    try:
        gateway.jvm.org.apache.spark.deploy.InProcessSparkSubmit.main(words)
    except Py4JJavaError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:  # as the exit of a JVM would
        session = gateway.jvm.org.apache.spark.sql.SparkSession.getDefaultSession()
        if session.isDefined():
            session.get().stop()
    return 0


def _properties(gateway: JavaGateway) -> set[str]:
    return {str(name) for name in gateway.jvm.System.getProperties().stringPropertyNames() if name.startswith("spark.")}


if __name__ == "__main__":
    serve(sys.argv[1])
