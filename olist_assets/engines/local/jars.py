"""The jars that local Spark needs beside its own: found, or else fetched, in one place.

Looked for in the jars folder, then in Maven's local repository. What is missing is fetched into the jars folder, by
Maven if it is installed (it knows the machine's proxies and mirrors), else by Spark's own resolver.

`python -m olist_assets.engines.local.jars` fetches them ahead of their first use.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from olist_assets.engines.local.java import require_java
from olist_assets.errors import OlistError

_SDK = (
    "annotations",
    "apache-client",
    "arns",
    "auth",
    "aws-core",
    "aws-json-protocol",
    "aws-query-protocol",
    "aws-xml-protocol",
    "checksums",
    "checksums-spi",
    "crt-core",
    "endpoints-spi",
    "http-auth",
    "http-auth-aws",
    "http-auth-aws-eventstream",
    "http-auth-spi",
    "http-client-spi",
    "identity-spi",
    "json-utils",
    "metrics-spi",
    "profiles",
    "protocol-core",
    "regions",
    "retries",
    "retries-spi",
    "s3",
    "s3-transfer-manager",
    "sdk-core",
    "sts",
    "third-party-jackson-core",
    "utils",
)
_TIMEOUT_SECONDS = 300
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>olist</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>{dependencies}</dependencies>
</project>"""
# Spark has, or never calls, what these depend on: no transitive dependency is wanted.
_DEPENDENCY = """<dependency>
<groupId>{0.group}</groupId><artifactId>{0.artifact}</artifactId><version>{0.version}</version>
<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
</dependency>"""


@dataclass(frozen=True, slots=True)
class Jar:
    """A jar by its Maven coordinates."""

    group: str
    artifact: str
    version: str

    @property
    def file_name(self) -> str:
        """Its name in Maven's repositories and in the jars folder."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def coordinates(self) -> str:
        """As build tools write them."""
        return f"{self.group}:{self.artifact}:{self.version}"

    def found(self, folder: Path, repository: Path) -> Path | None:
        """Where it lies on this machine."""
        places = (
            folder / self.file_name,
            repository.joinpath(*self.group.split("."), self.artifact, self.version, self.file_name),
        )
        return next((path for path in places if path.is_file()), None)


def delta_jars() -> tuple[Jar, ...]:
    """Delta Lake for the Spark that is installed, in the version of the delta-spark package."""
    delta, spark = version("delta-spark"), ".".join(version("pyspark").split(".")[:2])
    names = (
        f"delta-spark_{spark}_2.13",
        "delta-storage",
        "delta-kernel-api",
        "delta-kernel-defaults",
        "delta-kernel-unitycatalog",
    )
    return tuple(Jar("io.delta", name, delta) for name in names)


def s3_jars() -> tuple[Jar, ...]:
    """S3A for the Hadoop that Spark was built with, and the parts of AWS's SDK that it calls.

    The SDK as one bundle has 600 MB.
    """
    hadoop = Jar("org.apache.hadoop", "hadoop-aws", "3.4.2")
    return (
        hadoop,
        *(Jar("software.amazon.awssdk", name, "2.29.52") for name in _SDK),
        Jar("software.amazon.eventstream", "eventstream", "1.0.1"),
        Jar("org.reactivestreams", "reactive-streams", "1.0.4"),
        Jar("org.wildfly.openssl", "wildfly-openssl", "2.1.4.Final"),
    )


def default_folder() -> Path:
    """The jars folder of this Python environment, whose versions they match."""
    return Path(sys.prefix) / "jars"


def local_repository(environment: Mapping[str, str] = os.environ) -> Path:
    """Maven's local repository."""
    return Path(environment.get("HOME") or Path.home()) / ".m2" / "repository"


def find(
    jars: Iterable[Jar],
    *,
    folder: Path | None = None,
    repository: Path | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """The paths of the jars, in order; those that are missing are fetched into the jars folder.

    Args:
        jars: which ones.
        folder: the jars folder; by default that of this Python environment.
        repository: Maven's local repository.
        on_progress: called with a line for each thing that takes long.

    Raises:
        OlistError: a jar is missing and cannot be fetched; the message says how to bring it here.
    """
    jars, folder, repository = tuple(jars), folder or default_folder(), repository or local_repository()
    missing = [jar for jar in jars if not jar.found(folder, repository)]
    if missing:
        _fetch(missing, folder, on_progress)
    paths = [jar.found(folder, repository) for jar in jars]
    lost = [jar.coordinates for jar, path in zip(jars, paths, strict=True) if path is None]
    if lost:
        raise OlistError(
            f"cannot fetch {', '.join(lost)}: put the jars into {folder}, or install Maven (apt-get install maven)"
        )
    return [path for path in paths if path]


def _fetch(jars: list[Jar], folder: Path, on_progress: Callable[[str], None]) -> None:
    """Fetch jars into the folder; whole files only, so that two processes may do it at once."""
    resolvers = {"Maven": _fetch_by_maven, "Spark's resolver": fetch_by_spark}
    if shutil.which("mvn") is None:
        del resolvers["Maven"]
    folder.mkdir(parents=True, exist_ok=True)
    for name, fetch in resolvers.items():
        on_progress(f"fetching {len(jars)} jars by {name}: {', '.join(jar.artifact for jar in jars)}")
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            try:
                fetch(jars, Path(scratch))
            except (OSError, subprocess.SubprocessError, OlistError) as error:
                on_progress(f"{name} could not: {_reason(error)}")
                continue
            for jar in jars:
                for path in Path(scratch).rglob(f"*{jar.file_name}"):  # Spark's resolver puts the group before it
                    path.replace(folder / jar.file_name)
            return


def _fetch_by_maven(jars: list[Jar], scratch: Path) -> None:
    (scratch / "pom.xml").write_text(_POM.format(dependencies="".join(_DEPENDENCY.format(jar) for jar in jars)))
    goal = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"
    _run(["mvn", "-q", "-B", goal, f"-DoutputDirectory={scratch}", "-f", str(scratch / "pom.xml")])


def fetch_by_spark(jars: list[Jar], scratch: Path, *, repositories: tuple[str, ...] = ()) -> None:
    """Fetch jars below a folder by spark-submit; `repositories` are asked before the usual ones.

    Raises:
        subprocess.SubprocessError: it does not end well, or in time: it knows no proxies.
    """
    require_java()
    nothing = scratch / "nothing.py"
    nothing.write_text("")
    home = Path(find_spec("pyspark").origin).parent  # type: ignore[union-attr, arg-type] - a dependency, and no namespace
    arguments = ["--packages", ",".join(jar.coordinates for jar in jars), "--conf", f"spark.jars.ivy={scratch}"]
    if repositories:
        arguments += ["--repositories", ",".join(repositories)]
    _run(
        [str(home / "bin" / "spark-submit"), *arguments, str(nothing)],
        SPARK_HOME=str(home),
        PYSPARK_PYTHON=sys.executable,
    )


def _run(command: list[str], **environment: str) -> None:
    subprocess.run(  # noqa: S603 - Maven or Spark, with coordinates from this module
        command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_SECONDS, env={**os.environ, **environment}
    )


def _reason(error: Exception) -> str:
    """The line of a tool's output that says what went wrong."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line for line in (error.stdout + error.stderr).splitlines() if line.strip()]
        marked = [line for line in lines if "ERROR" in line or "Exception" in line or "UNRESOLVED" in line]
        return (marked or lines or [str(error)])[0].strip()
    return str(error)


def main() -> int:
    """Find or fetch all jars, those for S3 too, for `make setup`."""
    try:
        for path in find((*delta_jars(), *s3_jars()), on_progress=lambda line: print(line, file=sys.stderr)):  # noqa: T201 - a command
            print(path)  # noqa: T201 - a command
    except OlistError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
