"""Delta's jars: found where they lie, fetched where they do not, and named if neither works."""

import shutil
import subprocess
from pathlib import Path

import pytest

from olist_assets.engines.local import jars
from olist_assets.engines.local.jars import Jar, delta_jars, fetch_by_spark, find
from olist_assets.errors import OlistError

ONE, OTHER = Jar("org.example", "one", "1.0"), Jar("org.example.deep", "other_2.13", "2.0")


def put(path: Path, content: str = "jar") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def in_repository(repository: Path, jar: Jar) -> Path:
    """Put a jar, and its description, where Maven's local repository has it."""
    path = repository.joinpath(*jar.group.split("."), jar.artifact, jar.version, jar.file_name)
    names = f"<groupId>{jar.group}</groupId><artifactId>{jar.artifact}</artifactId><version>{jar.version}</version>"
    put(path.with_suffix(".pom"), f"<project><modelVersion>4.0.0</modelVersion>{names}</project>")
    return put(path)


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


def test_the_jars_folder_comes_before_mavens_repository(tmp_path):
    repository, folder = tmp_path / "m2", tmp_path / "jars"
    in_repository(repository, ONE)
    elsewhere = in_repository(repository, OTHER)
    here = put(folder / ONE.file_name)
    assert find([ONE, OTHER], folder=folder, repository=repository) == [here, elsewhere]


def test_missing_jars_are_fetched_by_maven_with_a_line_that_says_so(tmp_path):
    said: list[str] = []
    [jar] = [jar for jar in delta_jars() if jar.artifact == "delta-storage"]
    [path] = find([jar], folder=tmp_path / "jars", repository=tmp_path / "nothing", on_progress=said.append)
    assert path == tmp_path / "jars" / "delta-storage-4.2.0.jar"
    assert path.read_bytes().startswith(b"PK")
    assert said == ["fetching 1 jars by Maven: delta-storage"]
    assert [p.name for p in (tmp_path / "jars").iterdir()] == [path.name]


@pytest.mark.usefixtures("no_maven")
def test_without_maven_spark_fetches_them(tmp_path, monkeypatch):
    in_repository(tmp_path / "elsewhere", ONE)
    by_spark = jars.fetch_by_spark
    monkeypatch.setattr(
        jars, "fetch_by_spark", lambda j, s: by_spark(j, s, repositories=(f"file://{tmp_path}/elsewhere",))
    )
    said: list[str] = []
    [path] = find([ONE], folder=tmp_path / "jars", repository=tmp_path / "nothing", on_progress=said.append)
    assert path.read_text() == "jar"
    assert said == ["fetching 1 jars by Spark's resolver: one"]


@pytest.mark.usefixtures("no_maven")
def test_a_jar_that_nobody_has_is_named_with_the_cure(tmp_path, monkeypatch):
    monkeypatch.setattr(jars, "require_java", lambda: (_ for _ in ()).throw(OlistError("no Java")))
    said: list[str] = []
    with pytest.raises(OlistError, match=rf"^cannot fetch org.example:one:1.0: put the jars into {tmp_path}/jars, or"):
        find([ONE], folder=tmp_path / "jars", repository=tmp_path / "nothing", on_progress=said.append)
    assert said == ["fetching 1 jars by Spark's resolver: one", "Spark's resolver could not: no Java"]
    assert list((tmp_path / "jars").iterdir()) == []


def test_a_resolver_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(jars, "_TIMEOUT_SECONDS", 0.5)
    with pytest.raises(subprocess.TimeoutExpired):
        fetch_by_spark([ONE], tmp_path)
