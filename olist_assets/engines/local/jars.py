"""The jars that local Spark needs in addition to its own: they are looked up or fetched, and their digests are checked.

`jars.sha256` lists them in the format of sha256sum, by their paths in a Maven repository. They are looked for in the
jars folder, then in Maven's local repository; a file with another digest does not count. Missing jars are fetched into
the jars folder, by Maven if it is installed (it uses the machine's proxies and mirrors), else by Spark's own resolver.

`python -m olist_assets.engines.local.jars` fetches them ahead of their first use, and replaces wrong ones. `--renew`
writes `jars.sha256` for the versions of pyspark and delta-spark that are installed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from olist_assets.engines.local.java import require_java
from olist_assets.errors import EngineError

_LIST = Path(__file__).with_name("jars.sha256")
_DELTA, _HADOOP = "io.delta", "org.apache.hadoop"
_TIMEOUT_SECONDS = 300
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>olist</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>{dependencies}</dependencies>
</project>"""
# No transitive dependencies: Spark contains them, or never calls them.
_DEPENDENCY = """<dependency>
<groupId>{0.group}</groupId><artifactId>{0.artifact}</artifactId><version>{0.version}</version>
<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
</dependency>"""
_BUNDLE = "software.amazon.awssdk:bundle"  # 600 MB: all of AWS's SDK; S3A calls only the listed parts


@dataclass(frozen=True, slots=True)
class Jar:
    """A jar: its Maven coordinates, and the SHA-256 digest of its content in hexadecimal."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name in Maven's repositories and in the jars folder."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> PurePosixPath:
        """Its place in a Maven repository."""
        return PurePosixPath(*self.group.split("."), self.artifact, self.version, self.file_name)

    @property
    def coordinates(self) -> str:
        """The coordinates as build tools write them."""
        return f"{self.group}:{self.artifact}:{self.version}"

    def matches(self, file: Path) -> bool:
        """Whether the file can be read and has the jar's digest."""
        try:
            return _digest(file) == self.sha256
        except OSError:
            return False

    def locate(self, folder: Path, repository: Path) -> Path | None:
        """The jar's path in the jars folder, else in Maven's local repository; None if neither has it intact."""
        return next((path for path in (folder / self.file_name, repository / self.path) if self.matches(path)), None)


def delta_jars() -> tuple[Jar, ...]:
    """Delta Lake for the installed pyspark, in the version of the installed delta-spark.

    Raises:
        EngineError: `jars.sha256` lists the jars of other versions.
    """
    jars = tuple(jar for jar in _listed_jars() if jar.group == _DELTA)
    delta, spark = version("delta-spark"), _spark_version()
    _require(jars, f"{_DELTA}:{_delta_artifact(spark)}:{delta}", f"delta-spark {delta} and pyspark {spark}")
    return jars


def s3_jars() -> tuple[Jar, ...]:
    """S3A for the Hadoop in the installed pyspark, and the parts of AWS's SDK that S3A calls.

    Raises:
        EngineError: `jars.sha256` lists the jars of another Hadoop.
    """
    jars = tuple(jar for jar in _listed_jars() if jar.group != _DELTA)
    _require(jars, f"{_HADOOP}:hadoop-aws:{_hadoop_version()}", f"pyspark {_spark_version()}")
    return jars


def default_folder() -> Path:
    """The jars folder of this Python environment. Its jars match the installed versions."""
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
    """The paths of the jars, in order. Missing jars are fetched into the jars folder, wrong ones there are replaced.

    Args:
        jars: the jars.
        folder: the jars folder; by default that of this Python environment.
        repository: Maven's local repository.
        on_progress: called with a line for each thing that takes long.

    Raises:
        EngineError: a jar is missing and cannot be fetched, or the jars folder cannot be written; the message says what
            to do.
    """
    jars, folder, repository = tuple(jars), folder or default_folder(), repository or local_repository()
    paths = {jar: jar.locate(folder, repository) for jar in jars}
    wrong = [jar for jar, path in paths.items() if path != folder / jar.file_name and (folder / jar.file_name).exists()]
    missing = [jar for jar, path in paths.items() if path is None]
    problems = []
    try:
        if wrong:
            on_progress(f"replacing wrong jars in {folder}: {_names(wrong)}")
            _install({jar: repository / jar.path for jar in wrong}, folder)
        if missing:
            problems = _fetch(missing, folder, on_progress)
    except OSError as error:
        raise EngineError(f"cannot write jars into {folder} ({error.strerror}): make it a folder of yours") from error
    paths |= {jar: jar.locate(folder, repository) for jar in (*wrong, *missing)}
    unavailable = [jar for jar, path in paths.items() if path is None]
    if unavailable:
        cure = f"put the jars of {_LIST.name} into {folder}"
        cure += "" if shutil.which("mvn") else ", or install Maven (apt-get install maven)"
        raise EngineError(f"cannot fetch {_names(unavailable)} ({'; '.join(problems)}): {cure}")
    return [path for path in paths.values() if path]


def renew(path: Path = _LIST) -> None:
    """Rewrite the list for the installed pyspark and delta-spark: the same artifacts, fetched now by Maven.

    The versions of the SDK and of its dependencies are not changed.

    Raises:
        EngineError: Maven is missing, or cannot fetch a jar.
    """
    current = [_with_installed_version(jar) for jar in _listed_jars(path)]
    with tempfile.TemporaryDirectory() as scratch:
        try:
            _copy_by_maven(current, Path(scratch), repository=Path(scratch) / "repository")
        except (OSError, subprocess.SubprocessError) as error:
            raise EngineError(f"cannot renew {path.name} by Maven: {_reason(error)}") from error
        path.write_text("".join(f"{_digest(Path(scratch) / jar.file_name)}  {jar.path}\n" for jar in current))


def _with_installed_version(jar: Jar) -> Jar:
    """The jar in the version that fits the installed packages."""
    if jar.group == _HADOOP:
        return replace(jar, version=_hadoop_version())
    if jar.group == _DELTA:
        name = _delta_artifact(_spark_version()) if jar.artifact.startswith("delta-spark_") else jar.artifact
        return replace(jar, artifact=name, version=version("delta-spark"))
    return jar


@cache
def _listed_jars(file: Path = _LIST) -> tuple[Jar, ...]:
    jars: list[Jar] = []
    for line in file.read_text().splitlines():
        digest, path = line.split()
        *group, artifact, version_, _ = PurePosixPath(path).parts
        jars.append(Jar(".".join(group), artifact, version_, digest))
    return tuple(jars)


def _require(jars: tuple[Jar, ...], coordinates: str, packages: str) -> None:
    if coordinates not in (listed := [jar.coordinates for jar in jars]):
        raise EngineError(
            f"{_LIST.name} lists {listed[0]}, but {packages} need {coordinates}: install the versions of "
            "constraints.txt (rm .venv/.done; make setup), or renew the list (make jars)"
        )


def _spark_version() -> str:
    return ".".join(version("pyspark").split(".")[:2])


def _delta_artifact(spark: str) -> str:
    return f"delta-spark_{spark}_2.13"


def _spark_home() -> Path:
    return Path(find_spec("pyspark").origin).parent  # type: ignore[union-attr, arg-type] - a dependency, and no namespace


def _hadoop_version() -> str:
    """The version of the Hadoop that pyspark contains."""
    prefix = "hadoop-client-api-"
    names = [path.stem for path in (_spark_home() / "jars").glob(f"{prefix}*.jar")]
    if len(names) != 1:
        raise EngineError(f"{_spark_home()}/jars has {len(names)} {prefix}*.jar, not one: reinstall pyspark")
    return names[0].removeprefix(prefix)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _names(jars: list[Jar], most: int = 3) -> str:
    names = ", ".join(jar.coordinates for jar in jars[:most])
    return names if len(jars) <= most else f"{names} and {len(jars) - most} more"


def _install(paths: Mapping[Jar, Path], folder: Path) -> None:
    """Put the intact ones of these files into the jars folder, whole, so that two processes may do it at once."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for jar, path in paths.items():
            if jar.matches(path):
                shutil.copyfile(path, Path(scratch) / jar.file_name).replace(folder / jar.file_name)


def _fetch(jars: list[Jar], folder: Path, on_progress: Callable[[str], None]) -> list[str]:
    """Fetch jars into the folder, by one resolver after the other, and return the problems, one line each."""
    resolvers = {"Maven": _fetch_by_maven, "Spark's resolver": fetch_by_spark}
    if shutil.which("mvn") is None:
        del resolvers["Maven"]
    folder.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    for name, fetch in resolvers.items():
        on_progress(f"fetching by {name}: {_names(jars)}")
        with tempfile.TemporaryDirectory() as scratch:
            try:
                paths = fetch(jars, Path(scratch))
            except (OSError, subprocess.SubprocessError, EngineError) as error:
                problems.append(f"{name} could not: {_reason(error)}")
                continue
            _install(paths, folder)
            jars = [jar for jar in jars if not jar.matches(folder / jar.file_name)]
        if not jars:
            break
        problems.append(f"{name} brought other files than {_LIST.name} lists")
    return problems


def _fetch_by_maven(jars: list[Jar], scratch: Path) -> dict[Jar, Path]:
    paths = {jar: scratch / jar.file_name for jar in jars}
    _copy_by_maven(jars, scratch)
    wrong = [jar for jar, path in paths.items() if not jar.matches(path)]
    if wrong:  # Maven trusts its local repository: bypass it without changing it
        for jar in wrong:
            paths[jar].unlink()  # the goal does not overwrite
        _copy_by_maven(wrong, scratch, repository=scratch / "repository")
    return paths


def _copy_by_maven(jars: list[Jar], folder: Path, *, repository: Path | None = None) -> None:
    (folder / "pom.xml").write_text(_POM.format(dependencies="".join(_DEPENDENCY.format(jar) for jar in jars)))
    goal = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"
    options = [f"-DoutputDirectory={folder}", *([f"-Dmaven.repo.local={repository}"] if repository else [])]
    _run(["mvn", "-q", "-B", goal, *options, "-f", str(folder / "pom.xml")])


def fetch_by_spark(jars: list[Jar], scratch: Path, *, repositories: tuple[str, ...] = ()) -> dict[Jar, Path]:
    """Fetch jars below a folder by spark-submit, which searches `repositories` before the usual ones.

    spark-submit resolves the dependencies as well, 80 MB that are not used.

    Raises:
        subprocess.SubprocessError: spark-submit fails or takes too long; it uses no proxies.
    """
    require_java()
    nothing = scratch / "nothing.py"
    nothing.write_text("")
    arguments = ["--packages", ",".join(jar.coordinates for jar in jars), "--exclude-packages", _BUNDLE]
    arguments += ["--conf", f"spark.jars.ivy={scratch}"]
    if repositories:
        arguments += ["--repositories", ",".join(repositories)]
    # spark-submit's caches and Maven's local repository are below the home folder. Wrong files there must not be used.
    options = f'{os.environ.get("SPARK_SUBMIT_OPTS", "")} "-Duser.home={scratch}"'
    _run(
        [str(_spark_home() / "bin" / "spark-submit"), *arguments, str(nothing)],
        SPARK_HOME=str(_spark_home()),
        SPARK_SUBMIT_OPTS=options.strip(),
        PYSPARK_PYTHON=sys.executable,
    )
    return {jar: scratch / "jars" / f"{jar.group}_{jar.file_name}" for jar in jars}


def _run(command: list[str], **environment: str) -> None:
    subprocess.run(  # noqa: S603 - Maven or Spark, with coordinates from this module
        command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_SECONDS, env={**os.environ, **environment}
    )


def _reason(error: Exception) -> str:
    """The line of a tool's output that names the cause."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line for line in (error.stdout + error.stderr).splitlines() if line.strip()]
        marked = [line for line in lines if "ERROR" in line or "Exception" in line or "UNRESOLVED" in line]
        return (marked or lines or [str(error)])[0].strip()
    return str(error)


def main(arguments: list[str]) -> int:
    """Find or fetch all jars, including those for S3, for `make setup`; or renew their list, for `make jars`."""
    try:
        if arguments == ["--renew"]:
            renew()
            return 0
        require_java()  # without it the jars are of no use
        for path in find((*delta_jars(), *s3_jars()), on_progress=lambda line: print(line, file=sys.stderr)):  # noqa: T201 - a command
            print(path)  # noqa: T201 - a command
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
