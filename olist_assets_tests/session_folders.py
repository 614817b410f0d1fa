"""Folders that are built once per test session, for all workers of pytest-xdist."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def build_once(tmp_path_factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """A folder of the test session, built by the first worker that needs it; the others wait.

    It is in the session's own temporary folder, so it can never be the result of older code.

    Args:
        tmp_path_factory: pytest's fixture of this name.
        name: the name of the folder, unique in the session.
        build: fills the folder, which is empty. If it fails, the next worker that needs the folder tries again.
    """
    session = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        session = session.parent  # a worker's own folder is one level below
    folder, complete = session / name, session / f"{name}.complete"
    with FileLock(session / f"{name}.lock"):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            complete.touch()
    return folder
