"""Runs `olist` in tests: in this process, or as a process of its own where the process is the subject."""

import csv
import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from olist_assets.cli import main


@dataclass(frozen=True)
class Shell:
    """A shell whose lake, source and Dagster instance are below a folder."""

    root: Path

    def __call__(self, *arguments: str, fails: int = 0, stdin: str = "", **environment: str) -> str:
        """Run a command in this process; returns its output, or its errors if it is to fail with this exit code."""
        return self.both(*arguments, fails=fails, stdin=stdin, **environment)[1 if fails else 0]

    def both(self, *arguments: str, fails: int = 0, stdin: str = "", **environment: str) -> list[str]:
        """Run a command in this process; returns its output and its errors."""
        output, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with (
            patch.dict(os.environ, self._variables() | environment),
            patch("sys.stdin", io.StringIO(stdin)),
            redirect_stdout(output),
            redirect_stderr(errors),
        ):
            code = _run_main(arguments)
        texts = [_text(stream) for stream in (output, errors)]
        assert code == fails, "".join(texts)
        return texts

    def start(self, *arguments: str, stdout: int = subprocess.PIPE, **environment: str) -> subprocess.Popen[str]:
        """Start a command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "olist_assets", *arguments],
            env=self.environment() | environment,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sql(self, query: str) -> list[dict[str, str]]:
        """The rows of a query, as text."""
        return list(csv.DictReader(io.StringIO(self("sql", query, "--format", "csv"))))

    def environment(self) -> dict[str, str]:
        """The variables of a process."""
        return os.environ | self._variables()

    def _variables(self) -> dict[str, str]:
        return {
            "OLIST_LAKE": f"{self.root}/lake",
            "OLIST_SOURCE": f"{self.root}/source",
            "DAGSTER_HOME": f"{self.root}/dagster",
            "COLUMNS": "200",
        }


def _run_main(arguments: tuple[str, ...]) -> int:
    """The exit code of a command."""
    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    raise AssertionError("main returned")


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()
