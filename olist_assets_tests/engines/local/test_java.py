"""The Java that Spark would start: found, or named as missing or of the wrong version, with what to install."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from olist_assets.engines.local.java import SUPPORTED, require_java
from olist_assets.errors import EngineError

REPOSITORY = Path(__file__).parents[3]


def java_home(folder: Path, says: str) -> str:
    """A JAVA_HOME whose java says that it is of a version."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\nprintf '%s\\n' '{says}' >&2\n")
    java.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("says", "major"),
    [('openjdk version "17.0.15" 2025-04-15', 17), ('java version "21" 2023-09-19 LTS', 21)],
)
def test_a_java_that_spark_runs_on_is_accepted(tmp_path, says, major):
    assert require_java({"JAVA_HOME": java_home(tmp_path, says)}) == major


@pytest.mark.parametrize(
    ("says", "major"),
    [('openjdk version "1.8.0_392"', 8), ('openjdk version "11.0.21" 2023-10-17', 11), ('openjdk version "25" x', 25)],
)
def test_another_java_is_named_with_its_version_and_what_to_install(tmp_path, says, major):
    home = java_home(tmp_path, says)
    with pytest.raises(EngineError, match=rf"needs Java 17 or 21, {home}/bin/java is Java {major}: install Java 17 \("):
        require_java({"JAVA_HOME": home})


def test_a_java_without_a_version_is_named(tmp_path):
    with pytest.raises(EngineError, match="reports no version: install Java 17"):
        require_java({"JAVA_HOME": java_home(tmp_path, "hello")})


@pytest.mark.parametrize(
    ("environment", "where"),
    [
        ({"PATH": "/nowhere"}, "neither in JAVA_HOME nor on PATH"),
        ({}, "neither in JAVA_HOME nor on PATH"),
        ({"JAVA_HOME": "/nowhere", "PATH": "/usr/bin"}, "not in JAVA_HOME=/nowhere"),
    ],
)
def test_no_java_is_said_with_where_it_was_looked_for(environment, where):
    with pytest.raises(EngineError, match=re.escape(f"which is {where}: install Java 17")):
        require_java(environment)


def test_the_java_of_this_machine_is_found():
    assert require_java() in SUPPORTED


def test_tests_on_spark_without_java_end_with_the_instruction(tmp_path):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "olist_assets_tests/test_settings.py"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in done.stderr.splitlines() if line.strip()]
    assert line.startswith(
        "ERROR: local Spark needs Java, which is neither in JAVA_HOME nor on PATH: install Java 17 ("
    )
    assert line.endswith("or test without it: pytest --engine=sail")


def test_a_run_on_spark_without_java_ends_before_any_step_with_the_instruction(tmp_path):
    (tmp_path / "source" / "2018-05-10").mkdir(parents=True)
    nothing_on_path = tmp_path / "bin"
    nothing_on_path.mkdir()
    places = {"OLIST_LAKE": "lake", "OLIST_SOURCE": "source", "DAGSTER_HOME": "dagster", "PATH": str(nothing_on_path)}
    command = [sys.executable, "-m", "olist_assets", "run", "--engine", "spark", "--day", "2018-05-10"]
    done = subprocess.run(command, cwd=tmp_path, env=places, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: local Spark needs Java, which is neither in JAVA_HOME nor on PATH: install")
    assert len(done.stderr.splitlines()) == 1
    shutil.rmtree(tmp_path / "dagster")
