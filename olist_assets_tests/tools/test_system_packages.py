"""The programs that tests need: installed where that takes no password, else named with the one command to run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "tools" / "system_packages.sh"
JAVA_17, JAVA_11 = """echo 'openjdk version "17.0.15" 2025-04-15' >&2""", """echo 'openjdk version "11.0.2"' >&2"""
READY = {"java": JAVA_17, "mvn": "", "chromium": ""}
ROOT, USER = {"id": "echo 0"}, {"id": "echo 1000"}
SUDO = {"sudo": '[ "$1" != -n ] || shift; exec "$@"'}
SUDO_ASKS = {"sudo": "exit 1"}
BOOKWORM = {"apt-cache": '[ "$2" != openjdk-21-jre-headless ]'}
TRIXIE = {"apt-cache": '[ "$2" != openjdk-17-jre-headless ]'}
NEEDED = "error: tests need Java 17 or 21, Maven and Chromium, missing is"


@pytest.fixture
def machine(tmp_path):
    """Runs the script on a machine that has these programs, given as shell code, and no others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "env", "grep", "sed", "true"):
        (folder / name).symlink_to(shutil.which(name) or name)

    def add(name: str, code: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{code}\n")
        (folder / name).chmod(0o755)

    def run(*programs: dict[str, str], installs: tuple[str, ...] = (), **environment: str):
        for name, code in {name: code for some in programs for name, code in some.items()}.items():
            add(name, code)
        for name in installs:
            add(f"{name}.new", READY[name])
        moves = [f"'{shutil.which('mv')}' '{folder}/{name}.new' '{folder}/{name}'" for name in installs]
        add("apt-get", "\n".join([f"echo \"$@\" >> '{tmp_path}/apt'", "[ $1 = install ] || exit 0", *moves]))
        if not {"apt-cache"} & set().union(*programs):
            (folder / "apt-get").unlink()
        variables = {"PATH": str(folder), **environment}
        done = subprocess.run(["/bin/sh", SCRIPT], env=variables, capture_output=True, text=True, check=False)
        calls = (tmp_path / "apt").read_text().splitlines() if (tmp_path / "apt").exists() else []
        return done, calls

    return run


@pytest.mark.parametrize("browser", ["chromium", "chromium-browser", "google-chrome"])
def test_a_machine_that_has_all_is_left_alone(machine, browser):
    done, calls = machine(ROOT, BOOKWORM, {"java": JAVA_17, "mvn": "", browser: ""})
    assert (done.returncode, done.stdout, done.stderr, calls) == (0, "", "", [])


@pytest.mark.parametrize("user", [ROOT, USER | SUDO], ids=["root", "sudo"])
def test_what_is_missing_is_installed_where_that_takes_no_password(machine, user):
    done, calls = machine(user, BOOKWORM, installs=("java", "mvn", "chromium"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "installing openjdk-17-jre-headless maven chromium (a minute or two)\n"
    assert calls == ["update -qq", "install -y -qq openjdk-17-jre-headless maven chromium"]


def test_only_what_is_missing_is_installed_in_the_version_that_there_is(machine):
    done, calls = machine(ROOT, TRIXIE, {"mvn": "", "chromium": ""}, installs=("java",))
    assert done.returncode == 0
    assert calls == ["update -qq", "install -y -qq openjdk-21-jre-headless"]


def test_where_sudo_asks_for_a_password_the_command_is_named(machine):
    done, calls = machine(USER, SUDO_ASKS, BOOKWORM, {"chromium": ""})
    assert (done.returncode, done.stdout, calls) == (1, "", [])
    assert done.stderr == f"{NEEDED} java maven: run sudo apt-get install openjdk-17-jre-headless maven\n"


def test_an_installation_that_fails_ends_with_the_command(machine):
    done, calls = machine(ROOT, BOOKWORM, {"java": JAVA_17, "mvn": ""})
    assert calls == ["update -qq", "install -y -qq chromium"]
    assert (done.returncode, done.stderr) == (1, f"{NEEDED} chromium: run apt-get install chromium\n")


@pytest.mark.parametrize(
    ("programs", "cure"),
    [
        ({"dnf": ""}, "run sudo dnf install java-21-openjdk-headless maven chromium"),
        ({"brew": ""}, "run brew install temurin@17 maven chromium"),
        ({}, "install them"),
    ],
)
def test_other_machines_are_given_the_command_of_their_own(machine, programs, cure):
    done, _ = machine(USER, programs)
    assert (done.returncode, done.stderr) == (1, f"{NEEDED} java maven chromium: {cure}\n")


def test_another_java_is_named_with_how_to_choose_one(machine):
    done, _ = machine(USER, SUDO_ASKS, BOOKWORM, {**READY, "java": JAVA_11})
    assert done.returncode == 1
    assert done.stderr == (
        f"{NEEDED} java: run sudo apt-get install openjdk-17-jre-headless, and point JAVA_HOME at Java 17 or 21\n"
    )


def test_the_java_of_java_home_decides(machine, tmp_path):
    done, _ = machine(USER, READY, JAVA_HOME=str(tmp_path / "jdk"))
    assert done.returncode == 1
    assert done.stderr == f"{NEEDED} java: install them, and point JAVA_HOME at Java 17 or 21\n"


@pytest.mark.parametrize(("target", "times"), [("test", 1), ("e2e", 1), ("setup", 0), ("demo", 0)])
def test_make_looks_for_them_first_where_tests_run(target, times):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--dry-run", "--always-make", target]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.count("tools/system_packages.sh") == times
    assert done.stdout.startswith("sh tools/system_packages.sh") == bool(times)
