"""Run a command in a process of its own, and measure the time and memory of its whole process tree. Linux only.

The kernel's own peak of a process (VmHWM) and the processes of a session are read from /proc. psutil has neither: it
would sample the peak, and would miss processes whose parent has ended.
"""

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
_SAMPLE_SECONDS = 0.1
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Fields of /proc/<pid>/stat, counted from the one behind the program's name.
_SESSION, _USER_TICKS, _SYSTEM_TICKS, _RESIDENT_PAGES = 3, 11, 12, 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Time and memory of a command.

    Attributes:
        started: when its process was started, in seconds since 1970.
        wall: seconds from then until it had ended.
        cpu: CPU seconds of all its processes.
        peak_process: the peak memory of its largest process in bytes, by the kernel's account (VmHWM).
        peak_tree: the peak memory of all its processes total in bytes, sampled ten times a second; shared memory
            counts for each of them.
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
        # The kernel's sum lacks processes without a waiting parent; the samples lack the last tenth of a second.
        cpu=max(used.ru_utime + used.ru_stime, watch.cpu),
        peak_process=watch.peak_process,
        peak_tree=watch.peak_tree,
        output=output,
    )


class _Watch:
    """A thread that samples all processes of a session while the `with` block runs."""

    def __init__(self, session: int) -> None:
        self.peak_process = self.peak_tree = 0
        self._session = session
        self._other_sessions: set[str] = set()
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
        while not self._over.wait(_SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        total = 0
        for name in os.listdir(_PROC):  # noqa: PTH208 - a tenth of what Path.iterdir costs, ten times a second
            if not name.isdecimal() or name in self._other_sessions:
                continue
            try:
                fields = (_PROC / name / "stat").read_text().rpartition(")")[2].split()
                status = (_PROC / name / "status").read_text()
            except (FileNotFoundError, ProcessLookupError):  # it has just ended
                continue
            if int(fields[_SESSION]) != self._session:
                self._other_sessions.add(name)
                continue
            self._cpu_ticks[name] = int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
            total += int(fields[_RESIDENT_PAGES]) * _PAGE_BYTES
            self.peak_process = max(self.peak_process, _peak_kibibytes(status) * 1024)
        self.peak_tree = max(self.peak_tree, total)


def _peak_kibibytes(status: str) -> int:
    """The VmHWM in a /proc/<pid>/status; 0 if the process has ended."""
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1])


def _end(process: subprocess.Popen) -> None:
    """Kill the command's processes if it is still running, because the benchmark was interrupted."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
