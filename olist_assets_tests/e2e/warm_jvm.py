"""spark-submit without its start: a JVM that is kept does with the arguments what spark-submit does.

A JVM and its first Spark session cost four times what a step of a few rows does. Each application has a Spark context
and a Python driver of its own all the same; the code is Spark's InProcessSparkSubmit.
"""

import subprocess
import sys
import time
from multiprocessing.connection import Listener
from pathlib import Path

from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JJavaError
from pyspark.java_gateway import launch_gateway


class KeptJvm:
    """A JVM for one application at a time, started for the first; it speaks into `folder`/log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen | None = None

    def address(self, environment: dict[str, str]) -> str:
        """The socket that it listens at, and has listened since the first call."""
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
        """End it; Java ends with the process that has started it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def serve(address: str) -> None:
    """Carry out what comes to a socket, one after the other: a list of arguments each, answered with its exit code."""
    gateway = launch_gateway()
    own = _properties(gateway)
    with Listener(address) as listener:
        while True:
            with listener.accept() as asked:
                asked.send(_submit(gateway, asked.recv()))
                for name in _properties(gateway) - own:  # this application's
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
    finally:  # what the end of the JVM would do
        session = gateway.jvm.org.apache.spark.sql.SparkSession.getDefaultSession()
        if session.isDefined():
            session.get().stop()
    return 0


def _properties(gateway: JavaGateway) -> set[str]:
    return {str(name) for name in gateway.jvm.System.getProperties().stringPropertyNames() if name.startswith("spark.")}


if __name__ == "__main__":
    serve(sys.argv[1])
