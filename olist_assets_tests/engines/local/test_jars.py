"""Spark's jars: the right ones found, wrong and missing ones fetched, and named if neither works."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from olist_assets.engines.local import jars
from olist_assets.engines.local.jars import Jar, delta_jars, fetch_by_spark, find, renew, s3_jars
from olist_assets.errors import EngineError

REPOSITORY = Path(__file__).parents[3]


def example(group: str, artifact: str, version: str) -> Jar:
    """A jar whose content is its artifact's name."""
    return Jar(group, artifact, version, hashlib.sha256(artifact.encode()).hexdigest())


ONE, OTHER = example("org.example", "one", "1.0"), example("org.example.deep", "other_2.13", "2.0")
TWENTY_ONE = example("org.example", "twenty-one", "1.0")
"""Its file name ends like that of ONE."""


def put(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def put_into_folder(folder: Path, jar: Jar, content: str | None = None) -> Path:
    return put(folder / jar.file_name, jar.artifact if content is None else content)


def put_into_repository(repository: Path, jar: Jar, content: str | None = None) -> Path:
    """Put a jar, and its description, where Maven's local repository has it."""
    path = repository / jar.path
    names = f"<groupId>{jar.group}</groupId><artifactId>{jar.artifact}</artifactId><version>{jar.version}</version>"
    put(path.with_suffix(".pom"), f"<project><modelVersion>4.0.0</modelVersion>{names}</project>")
    return put(path, jar.artifact if content is None else content)


@pytest.fixture
def no_maven(monkeypatch):
    """A machine without mvn."""
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **more: None if name == "mvn" else which(name, **more))


def test_the_jars_are_those_of_the_installed_spark_and_delta():
    assert [jar.coordinates for jar in delta_jars()] == [
        "io.delta:delta-spark_4.1_2.13:4.2.0",
        "io.delta:delta-storage:4.2.0",
        "io.delta:delta-kernel-api:4.2.0",
        "io.delta:delta-kernel-defaults:4.2.0",
        "io.delta:delta-kernel-unitycatalog:4.2.0",
    ]
    assert [jar.coordinates for jar in s3_jars() if not jar.group.startswith("software.amazon.")] == [
        "org.apache.hadoop:hadoop-aws:3.4.2",
        "org.reactivestreams:reactive-streams:1.0.4",
        "org.wildfly.openssl:wildfly-openssl:2.1.4.Final",
    ]


def test_each_jar_has_a_digest_and_a_file_name_of_its_own():
    listed = (*delta_jars(), *s3_jars())
    assert len({jar.file_name for jar in listed}) == len({jar.sha256 for jar in listed}) == len(listed) == 40
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in listed)


@pytest.mark.parametrize(
    ("package", "installed", "message"),
    [
        (
            "delta-spark",
            "4.3.1",
            "jars.sha256 lists io.delta:delta-spark_4.1_2.13:4.2.0, but delta-spark 4.3.1 and pyspark 4.1 need ",
        ),
        ("pyspark", "4.2.0", "but delta-spark 4.2.0 and pyspark 4.2 need io.delta:delta-spark_4.2_2.13:4.2.0: install"),
    ],
)
def test_other_installed_versions_are_named_with_the_cure(monkeypatch, package, installed, message):
    version = jars.version
    monkeypatch.setattr(jars, "version", lambda name: installed if name == package else version(name))
    with pytest.raises(EngineError, match=re.escape(message)):
        delta_jars()


def test_another_hadoop_is_named_with_the_cure(monkeypatch, tmp_path):
    put(tmp_path / "jars" / "hadoop-client-api-3.5.0.jar", "")
    monkeypatch.setattr(jars, "_spark_home", lambda: tmp_path)
    with pytest.raises(EngineError, match=r"but pyspark 4.1 need org.apache.hadoop:hadoop-aws:3.5.0: install the"):
        s3_jars()


def test_the_jars_folder_comes_before_mavens_repository(tmp_path):
    repository, folder = tmp_path / "m2", tmp_path / "jars"
    put_into_repository(repository, ONE)
    elsewhere = put_into_repository(repository, OTHER)
    here = put_into_folder(folder, ONE)
    assert find([ONE, OTHER], folder=folder, repository=repository) == [here, elsewhere]


def test_a_wrong_jar_in_the_folder_is_replaced_from_mavens_repository(tmp_path):
    said: list[str] = []
    repository, folder = tmp_path / "m2", tmp_path / "jars"
    put_into_repository(repository, ONE)
    wrong = put_into_folder(folder, ONE, "twenty-one")
    assert find([ONE], folder=folder, repository=repository, on_progress=said.append) == [wrong]
    assert wrong.read_text() == "one"
    assert said == [f"replacing wrong jars in {folder}: org.example:one:1.0"]
    assert list(folder.iterdir()) == [wrong]


@pytest.fixture(scope="module")
def mavens_repository(tmp_path_factory):
    """The folder that Maven has as its local repository, empty at first."""
    folder = tmp_path_factory.mktemp("m2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAVEN_OPTS", f"-Dmaven.repo.local={folder}")
        yield folder


@pytest.mark.long
def test_maven_with_an_empty_repository_brings_the_right_jars(tmp_path, mavens_repository):
    """The file names of some end like those of others: `http-auth-2.29.52.jar` like `auth-2.29.52.jar`."""
    said: list[str] = []
    alike = [jar for jar in s3_jars() if jar.artifact in ("auth", "http-auth", "utils", "json-utils")]
    paths = find(alike, folder=tmp_path / "jars", repository=tmp_path / "nothing", on_progress=said.append)
    assert paths == [tmp_path / "jars" / jar.file_name for jar in alike]
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths] == [jar.sha256 for jar in alike]
    assert [line.partition(":")[0] for line in said] == ["fetching by Maven"]
    assert sorted((tmp_path / "jars").iterdir()) == sorted(paths)
    assert all((mavens_repository / jar.path).is_file() for jar in alike)


@pytest.mark.long
def test_a_wrong_jar_in_mavens_repository_is_ignored_and_fetched(tmp_path, mavens_repository):
    [jar] = [jar for jar in delta_jars() if jar.artifact == "delta-storage"]
    wrong = put_into_repository(mavens_repository, jar, "wrong")
    [path] = find([jar], folder=tmp_path / "jars", repository=mavens_repository)
    assert path == tmp_path / "jars" / "delta-storage-4.2.0.jar"
    assert path.read_bytes().startswith(b"PK")
    assert wrong.read_text() == "wrong"


@pytest.mark.long
@pytest.mark.usefixtures("no_maven")
def test_without_maven_spark_fetches_the_right_jars(tmp_path, monkeypatch):
    for jar in (ONE, TWENTY_ONE):
        put_into_repository(tmp_path / "elsewhere", jar)
    by_spark = jars.fetch_by_spark
    monkeypatch.setattr(
        jars, "fetch_by_spark", lambda j, s: by_spark(j, s, repositories=(f"file://{tmp_path}/elsewhere",))
    )
    said: list[str] = []
    paths = find([ONE, TWENTY_ONE], folder=tmp_path / "jars", repository=tmp_path / "m2", on_progress=said.append)
    assert [path.read_text() for path in paths] == ["one", "twenty-one"]
    assert said == ["fetching by Spark's resolver: org.example:one:1.0, org.example:twenty-one:1.0"]


@pytest.mark.usefixtures("no_maven")
def test_a_jar_with_another_digest_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(jars, "fetch_by_spark", lambda _, scratch: {ONE: put_into_folder(scratch, ONE, "other")})
    reason = r"Spark's resolver brought other files than jars.sha256 lists"
    with pytest.raises(EngineError, match=rf"^cannot fetch org.example:one:1.0 \({reason}\): put the jars of jars.sha"):
        find([ONE], folder=tmp_path / "jars", repository=tmp_path / "nothing")
    assert list((tmp_path / "jars").iterdir()) == []


@pytest.mark.usefixtures("no_maven")
def test_a_jar_that_nobody_has_is_named_with_the_cure(tmp_path, monkeypatch):
    monkeypatch.setattr(jars, "require_java", lambda: (_ for _ in ()).throw(EngineError("no Java")))
    said: list[str] = []
    with pytest.raises(EngineError) as caught:
        find([ONE], folder=tmp_path / "jars", repository=tmp_path / "nothing", on_progress=said.append)
    assert str(caught.value) == (
        "cannot fetch org.example:one:1.0 (Spark's resolver could not: no Java): "
        f"put the jars of jars.sha256 into {tmp_path}/jars, or install Maven (apt-get install maven)"
    )
    assert said == ["fetching by Spark's resolver: org.example:one:1.0"]
    assert list((tmp_path / "jars").iterdir()) == []


def test_a_resolver_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(jars, "_TIMEOUT_SECONDS", 0.5)
    with pytest.raises(subprocess.TimeoutExpired):
        fetch_by_spark([ONE], tmp_path)


def test_a_jars_folder_that_cannot_be_made_is_named(tmp_path):
    put(tmp_path / "jars", "a file")
    message = rf"^cannot write jars into {tmp_path}/jars \(File exists\): make it a folder of yours$"
    with pytest.raises(EngineError, match=message):
        find([ONE], folder=tmp_path / "jars", repository=tmp_path / "nothing")


@pytest.mark.long
def test_the_list_is_renewed_for_the_installed_versions(tmp_path):
    """The digests come from what Maven fetches; the versions of Delta and Hadoop from what is installed."""
    listed = {jar.artifact: jar for jar in (*delta_jars(), *s3_jars())}
    expected = [listed[name] for name in ("delta-storage", "eventstream", "hadoop-aws")]
    old = [("io/delta", "delta-storage", "4.0.0"), ("software/amazon/eventstream", "eventstream", "1.0.1")]
    old += [("org/apache/hadoop", "hadoop-aws", "3.4.1")]
    path = tmp_path / "jars.sha256"
    path.write_text("".join(f"{0:064}  {group}/{name}/{v}/{name}-{v}.jar\n" for group, name, v in old))
    renew(path)
    assert path.read_text() == "".join(f"{jar.sha256}  {jar.path}\n" for jar in expected)


@pytest.mark.parametrize("target", ["setup", "test", "e2e"])
def test_make_checks_the_jars_each_time(target):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--dry-run", "--always-make", target]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.count("-m olist_assets.engines.local.jars") == 1


def test_without_java_nothing_is_fetched_ahead_and_one_line_says_so():
    command = [sys.executable, "-m", "olist_assets.engines.local.jars"]
    done = subprocess.run(command, cwd=REPOSITORY, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: local Spark needs Java, which is neither in JAVA_HOME nor on PATH: install")
    assert done.stderr.count("\n") == 1
