"""Whether a process on this host is still running, safe against reuse of its id."""

import hashlib
import os
import socket
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

_MACHINE_ID_LENGTH = 32
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_TOLERANCE_TICKS = _TICKS_PER_SECOND
"""psutil derives times from the clock, which may be adjusted between two readings."""


@cache
def boot_id() -> str:
    """The scope in which a process id is unique: one boot of one machine, and one process namespace of it."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return f"{uuid.getnode():x}"


@cache
def installation_id() -> str | None:
    """The host's name and a digest of the id of its operating system, which restarts keep; None if it has no id."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with suppress(OSError, ValueError):
            if len(text := Path(path).read_text().strip()) == _MACHINE_ID_LENGTH:
                return f"{socket.gethostname()} {hashlib.sha256(f'olist {text}'.encode()).hexdigest()[:16]}"
    return None


def is_earlier_boot(boot: str) -> bool:
    """Whether this host has been restarted since the `boot_id`, if that was an id of this host.

    Another process namespace of the same boot is no earlier boot: its processes may run.
    """
    return boot.partition(" ")[0] != boot_id().partition(" ")[0]


def start_time(pid: int) -> str | None:
    """When a process of this host started, in clock ticks since the boot, as text; None if it cannot be read."""
    try:
        return str(_ticks(psutil.Process(pid)))
    except psutil.Error:
        return None


def has_exited(pid: int, started: str | None) -> bool:
    """Whether a process of this host is known to have ended.

    A process whose state cannot be read counts as alive.

    Args:
        pid: its id, which another process may have by now.
        started: its `start_time`; None if it is unknown: then any process of that id counts as this one.
    """
    expected = int(started) if started and started.isdecimal() else None
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return True
        return expected is not None and abs(_ticks(process) - expected) > _TOLERANCE_TICKS
    except psutil.ZombieProcess:
        return True
    except psutil.NoSuchProcess:
        return not _is_hidden(pid)
    except psutil.Error:
        return False


def _ticks(process: psutil.Process) -> int:
    """A process's start in ticks since the boot. Unlike the time of day, it does not change with the clock."""
    return round((process.create_time() - psutil.boot_time()) * _TICKS_PER_SECOND)


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
