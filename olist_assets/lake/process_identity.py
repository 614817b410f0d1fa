"""Whether a process of this machine still runs, though its id may be another's by now."""

import os
import uuid
from functools import cache
from pathlib import Path


@cache
def boot_id() -> str:
    """Where a process's id means that process: one boot of one machine, and there one namespace of processes."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return f"{uuid.getnode():x}"


def start_time(pid: int) -> str | None:
    """When a process of this machine started, in ticks since the boot; None if that is not known."""
    status = _status(pid)
    return status[19] if status else None


def has_exited(pid: int, since: str | None) -> bool:
    """Whether a process of this machine is known to have ended; who cannot be asked about counts as alive."""
    if os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # another user's
    status = _status(pid)
    return bool(status) and (status[0] in "ZX" or since not in (None, status[19]))


def _status(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; none if there is no such file."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
