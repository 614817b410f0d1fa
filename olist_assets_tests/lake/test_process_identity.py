"""Process identity: a process counts as exited only if that is certain."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from olist_assets.lake.process_identity import has_exited, start_time


def shifted(seconds):
    """The start time of this process, shifted."""
    return str(int(start_time(os.getpid())) + round(seconds * os.sysconf("SC_CLK_TCK")))


def test_the_start_time_is_that_of_the_kernel():
    """Leases on disk have this number, so that releases agree about a process."""
    assert start_time(os.getpid()) == Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]


def test_this_process_is_running():
    assert not has_exited(os.getpid(), start_time(os.getpid()))


@pytest.mark.parametrize(("seconds", "exited"), [(0.9, False), (-0.9, False), (1.1, True), (-1.1, True)])
def test_a_process_with_another_start_time_is_another_process(seconds, exited):
    assert has_exited(os.getpid(), shifted(seconds)) == exited


@pytest.mark.parametrize("started", [None, "", "soon", "-1", "2018-05-10T03:00:00+00:00"])
def test_an_unknown_start_time_is_not_compared(started):
    assert not has_exited(os.getpid(), started)


def test_a_zombie_and_a_process_that_is_gone_have_exited():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = start_time(process.pid)
        assert not has_exited(process.pid, started)
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert has_exited(process.pid, started)
        assert has_exited(process.pid, None)
    assert has_exited(process.pid, started)
    assert start_time(process.pid) is None


def test_a_process_whose_state_cannot_be_read_is_running(monkeypatch):
    def deny(pid):
        raise psutil.AccessDenied(pid)

    monkeypatch.setattr(psutil, "Process", deny)
    assert not has_exited(os.getpid(), start_time(os.getpid()))


def test_a_process_that_is_hidden_from_this_user_is_running(monkeypatch):
    def hide(pid):
        raise psutil.NoSuchProcess(pid)

    def deny(pid, _):
        raise PermissionError(pid)

    monkeypatch.setattr(psutil, "Process", hide)
    monkeypatch.setattr(os, "kill", deny)
    assert not has_exited(4711, None)
