"""Whether a process on this host is still running, safe against reuse of its id."""

import os
import uuid
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import psutil

_TOLERANCE_SECONDS = 1
"""The operating system derives start times from the clock, so they shift when the clock is adjusted."""


@cache
def boot_id() -> str:
    """The scope in which a process id is unique: one boot of one machine, and one process namespace of it."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return f"{uuid.getnode():x}"


def start_time(pid: int) -> str | None:
    """When a process of this host started, as ISO text in UTC; None if it cannot be read."""
    try:
        return datetime.fromtimestamp(psutil.Process(pid).create_time(), UTC).isoformat()
    except psutil.Error:
        return None


def has_exited(pid: int, started: str | None) -> bool:
    """Whether a process of this host is known to have ended.

    A process whose state cannot be read counts as alive.

    Args:
        pid: its id, which another process may have by now.
        started: its `start_time`; None if it is unknown: then any process of that id counts as this one.
    """
    expected = _to_timestamp(started)
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return True
        return expected is not None and abs(process.create_time() - expected) > _TOLERANCE_SECONDS
    except psutil.ZombieProcess:
        return True
    except psutil.NoSuchProcess:
        return not _is_hidden(pid)
    except psutil.Error:
        return False


def _to_timestamp(started: str | None) -> float | None:
    """Seconds since 1970; None if the start time is unknown.

    Earlier releases wrote ticks since the boot, which are digits only. They cannot be compared with a time.
    """
    if started is None or started.isdecimal():
        return None
    try:
        return datetime.fromisoformat(started).timestamp()
    except ValueError:
        return None


def _is_hidden(pid: int) -> bool:
    """Whether a process exists although /proc does not show it to this user (mount option hidepid)."""
    if os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return False
