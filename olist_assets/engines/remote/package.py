"""What a cluster needs to run steps: this project's wheel, and an environment with the packages that steps import.

`python -m olist_assets.engines.remote.package`, which `make package` calls, builds both into `dist/emr`. A file's name
contains the digest of its content, so each is uploaded once.
"""

import argparse
import compileall
import gzip
import py_compile
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

from obstore.store import ObjectStore

import spark_steps
from olist_assets.engines.code_version import steps_digest
from olist_assets.errors import EngineError
from olist_assets.lake.storage import list_objects

FOLDER = Path("dist/emr")
"""Folder that packages are built into, relative to the project's folder."""

CODE = "control/code"
"""Folder of uploaded packages in a lake."""

_REQUIREMENTS = ("pyarrow", "deltalake", "pandas", "numpy", "msgspec")  # pyspark is the cluster's own
_PYTHON = (3, 11)  # that of EMR's Spark 4.1
_PLATFORM = "x86_64-manylinux_2_28"
_EXCLUDED = {"tests", "include"}
# The cluster's Python with the packages on its path, after Spark's own, which PYTHONPATH names.
_LAUNCHER = f"""#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}$here/../site-packages" exec python{_PYTHON[0]}.{_PYTHON[1]} "$@"
"""


@dataclass(frozen=True, slots=True)
class Package:
    """The files that a cluster needs.

    Attributes:
        steps: this project's wheel, as the zip file that Spark takes.
        environment: an archive with `bin/python` and the packages that steps import.
        main: the script that Spark starts.
    """

    steps: Path
    environment: Path
    main: Path

    @classmethod
    def find(cls, folder: Path) -> Self:
        """The package of the current step code that was built into a folder.

        Raises:
            EngineError: there is none; the message says how to build it.
        """
        steps = folder / f"steps-{steps_digest()}.zip"
        environments = sorted(folder.glob("environment-*.tar.gz"), key=lambda path: path.stat().st_mtime)
        if not steps.is_file() or not environments:
            built = "was built from other step code" if environments else "has not been built"
            raise EngineError(f"the package for EMR in {folder} {built}: run `make package`, or set OLIST_EMR_PACKAGE")
        return cls(steps, environments[-1], Path(spark_steps.__path__[0]) / "__main__.py")

    def upload(self, store: ObjectStore, on_progress: Callable[[str], None] = lambda _: None) -> "Uploaded":
        """Upload the files that the lake does not have yet, and return their paths there."""
        names = Uploaded(
            steps=f"{CODE}/{self.steps.name}",
            environment=f"{CODE}/{self.environment.name}",
            main=f"{CODE}/main-{steps_digest()}.py",
        )
        existing = {meta["path"] for meta in list_objects(store, CODE)}
        for path, name in ((self.steps, names.steps), (self.environment, names.environment), (self.main, names.main)):
            if name not in existing:
                on_progress(f"uploading {path.name} ({path.stat().st_size / 1e6:,.1f} MB)")
                store.put(name, path)  # in parts; another process would write the same
        return names


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The paths of a package's files in a lake."""

    steps: str
    environment: str
    main: str


def build(folder: Path, *, platform: str = _PLATFORM, constraints: Path = Path("constraints.txt")) -> Package:
    """Build the wheel and the environment. Equal contents get equal names.

    Args:
        folder: target folder; older packages in it are kept.
        platform: the cluster's platform, as uv names it.
        constraints: file with the tested versions.

    Raises:
        subprocess.CalledProcessError: a package cannot be built or fetched; uv has printed the reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wheels = Path(scratch, "wheels")
        _uv("build", "--wheel", "--out-dir", str(wheels))
        [wheel] = wheels.glob("*.whl")
        wheel.replace(folder / f"steps-{steps_digest()}.zip")
        root = Path(scratch, "environment")
        _build_environment(root, platform, constraints)
        archive = Path(scratch, "environment.tar.gz")
        _pack(root, archive)
        digest = sha256(archive.read_bytes()).hexdigest()[:12]
        shutil.move(archive, folder / f"environment-{digest}.tar.gz")
    return Package.find(folder)


def _build_environment(root: Path, platform: str, constraints: Path) -> None:
    """Install the packages that steps import into a folder, with a launcher of the cluster's Python."""
    _uv(
        *("pip", "install", "--python", sys.executable, "--target", str(root / "site-packages")),
        *("--python-platform", platform, "--python-version", "{}.{}".format(*_PYTHON), "--only-binary", ":all:"),
        *("--constraint", str(constraints), *_REQUIREMENTS),
    )
    shutil.rmtree(root / "site-packages" / "bin", ignore_errors=True)
    for excluded in [path for path in root.rglob("*") if path.name in _EXCLUDED and path.is_dir()]:
        shutil.rmtree(excluded, ignore_errors=True)
    if sys.version_info[:2] == _PYTHON:  # otherwise every step compiles what it imports
        never_stale = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(root, stripdir=str(root), quiet=2, workers=0, invalidation_mode=never_stale)
    (root / "bin").mkdir()
    (root / "bin" / "python").write_text(_LAUNCHER)
    (root / "bin" / "python").chmod(0o755)


def _pack(root: Path, archive: Path) -> None:
    """Pack a folder's content. Equal contents give equal archives."""

    def without_origin(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return member

    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as members,
    ):
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            if path.is_file():
                members.add(path, str(inside), filter=without_origin)


def _uv(*arguments: str) -> None:
    command = [sys.executable, "-m", "uv", "--quiet", *arguments]
    subprocess.run(command, check=True)  # noqa: S603 - arguments from this module and its command line


def main() -> int:
    """Build the package, for `make package`."""
    parser = argparse.ArgumentParser(prog="python -m olist_assets.engines.remote.package", description=__doc__)
    parser.add_argument(
        "--platform", default=_PLATFORM, help="the cluster's platform; aarch64-manylinux_2_28 for Graviton"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder that the package is built into")
    options = parser.parse_args()
    try:
        package = build(options.folder, platform=options.platform)
    except subprocess.CalledProcessError as error:
        return error.returncode
    for path in (package.steps, package.environment):
        print(f"{path}  {path.stat().st_size / 1e6:,.1f} MB")  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
