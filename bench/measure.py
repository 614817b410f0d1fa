"""Running a command in a process of its own, and measuring what it and the processes below it take. Linux only."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Self

from bench.errors import BenchError

_PROC = Path("/proc")
_LOOK_EVERY_SECONDS = 0.1
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Fields of /proc/<pid>/stat, counted from the one behind the program's name.
_SESSION, _USER_TICKS, _SYSTEM_TICKS, _RESIDENT_PAGES = 3, 11, 12, 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a command took.

    Attributes:
        started: when its process was started, in seconds since 1970.
        wall: seconds from then until it had ended.
        cpu: CPU seconds of all its processes.
        peak_process: the most bytes of memory that any one of its processes held, as the kernel tells (VmHWM).
        peak_tree: the most bytes that its processes held together when they were looked at, ten times a second;
            memory that they share counts for each of them.
        output: what it printed on standard output.
    """

    started: float
    wall: float
    cpu: float
    peak_process: int
    peak_tree: int
    output: str


def measure(command: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> Measurement:
    """Run a command to its end.

    Args:
        command: the program and its arguments.
        environment: all its environment variables.
        folder: its working directory.

    Raises:
        BenchError: this is not Linux; or the command failed: with the last lines of what it printed.
    """
    if not (_PROC / "self" / "stat").exists():
        raise BenchError("memory of processes is read from /proc, which only Linux has")
    with TemporaryFile() as printed, TemporaryFile() as complaints:
        started, clock = time.time(), time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - the bench's own commands
            command, env=environment, cwd=folder, stdout=printed, stderr=complaints, start_new_session=True
        )
        try:
            with _Watch(process.pid) as watch:
                _, status, used = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                wall = time.perf_counter() - clock
        finally:
            _end(process)
        output, complaint = _text(printed), _text(complaints)
    if process.returncode:
        last = " | ".join((output + complaint).strip().splitlines()[-5:])
        raise BenchError(f"`{' '.join(command)}` ended with exit code {process.returncode}: {last}")
    return Measurement(
        started=started,
        wall=wall,
        # The kernel's account has no processes that nobody waited for, the watch's none of the last tenth of a second.
        cpu=max(used.ru_utime + used.ru_stime, watch.cpu),
        peak_process=watch.peak_process,
        peak_tree=watch.peak_tree,
        output=output,
    )


class _Watch:
    """Looks at all processes of a session, from a thread, while the `with` block runs."""

    def __init__(self, session: int) -> None:
        self.peak_process = self.peak_tree = 0
        self._session = session
        self._strangers: set[str] = set()
        self._cpu_ticks: dict[str, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes, as last seen of each."""
        return sum(self._cpu_ticks.values()) / _TICKS_A_SECOND

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_EVERY_SECONDS):
            self._look()

    def _look(self) -> None:
        together = 0
        for name in os.listdir(_PROC):  # noqa: PTH208 - a tenth of what Path.iterdir costs, ten times a second
            if not name.isdecimal() or name in self._strangers:
                continue
            try:
                fields = (_PROC / name / "stat").read_text().rpartition(")")[2].split()
                status = (_PROC / name / "status").read_text()
            except (FileNotFoundError, ProcessLookupError):  # it has just ended
                continue
            if int(fields[_SESSION]) != self._session:
                self._strangers.add(name)
                continue
            self._cpu_ticks[name] = int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
            together += int(fields[_RESIDENT_PAGES]) * _PAGE_BYTES
            self.peak_process = max(self.peak_process, _most_kibibytes(status) * 1024)
        self.peak_tree = max(self.peak_tree, together)


def _most_kibibytes(status: str) -> int:
    """The VmHWM of a /proc/<pid>/status; 0 of a process that has ended."""
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1])


def _end(process: subprocess.Popen) -> None:
    """End the command's processes if it still runs: the bench was interrupted."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
