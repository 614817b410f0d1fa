"""The Java that Spark runs on, looked up as Spark does, and checked for a supported version."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from olist_assets.errors import EngineError

SUPPORTED = (17, 21)
"""Major versions that Spark 4.1 runs on."""

_CURE = (
    "install Java 17 (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17) "
    "and point JAVA_HOME at it"
)
_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?')


def require_java(environment: Mapping[str, str] = os.environ) -> int:
    """The major version of the Java that Spark will start: that of JAVA_HOME, else the one on PATH.

    Raises:
        EngineError: there is no Java, or Spark does not run on it; the message says what to install.
    """
    home = environment.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else environment.get("PATH", ""))
    if java is None:
        where = f"not in JAVA_HOME={home}" if home else "neither in JAVA_HOME nor on PATH"
        raise EngineError(f"local Spark needs Java, which is {where}: {_CURE}")
    process = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - Java itself
    match = _VERSION.search(process.stderr + process.stdout)
    if match is None:
        raise EngineError(f"local Spark needs Java, and `{java} -version` reports no version: {_CURE}")
    major = int(match[2] or 0) if match[1] == "1" else int(match[1])  # up to Java 8 versions began with 1
    if major not in SUPPORTED:
        raise EngineError(f"local Spark needs Java {' or '.join(map(str, SUPPORTED))}, {java} is Java {major}: {_CURE}")
    return major
