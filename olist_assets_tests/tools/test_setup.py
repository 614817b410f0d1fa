"""`make setup`: what it checks before it installs anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def set_up(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the first part of `make setup` in a folder, on a machine without Python."""
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "setup.cfg", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    bin_ = folder.parent / "bin"
    bin_.mkdir()
    for name in ("make", "sh"):
        (bin_ / name).symlink_to(shutil.which(name) or "")
    variables = {name: value for name, value in os.environ.items() if name not in ("OLIST_LAKE", "MAKEFLAGS")}
    return subprocess.run(
        [str(bin_ / "make"), "--no-print-directory", "setup"],
        cwd=folder,
        env=variables | {"PATH": str(bin_)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["loja 1", "Área", "a%20b", "it's"])
def test_a_lake_in_a_path_that_engines_change_is_an_error_before_the_installation(tmp_path, name):
    done = set_up(tmp_path / name)
    assert done.returncode == 2
    assert done.stdout == (
        f"error: the lake would be in {tmp_path}/{name}/.olist/lake, whose path has a character beyond letters, digits "
        "and /._~+@=,- in it: set OLIST_LAKE to a folder without\n"
    )


@pytest.mark.parametrize("lake", ["/data/lake", "s3://shop-lake/lake"])
def test_a_lake_elsewhere_may_be_set_up_from_any_folder(tmp_path, lake):
    assert "python3 (3.11 or newer) is not on PATH" in set_up(tmp_path / "loja 1", OLIST_LAKE=lake).stdout
