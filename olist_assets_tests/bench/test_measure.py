"""What the benchmark measures of a command, and how a run's seconds are divided."""

import os
import sys

import pytest

from bench.errors import BenchError
from bench.full_load import Step, build_figures
from bench.measure import Measurement, measure


def test_a_command_is_measured_with_the_processes_below_it(tmp_path):
    child = "import time; kept = bytearray(150_000_000); time.sleep(0.5); print('kept')"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    took = measure([sys.executable, "-c", parent], environment=os.environ, folder=tmp_path)
    assert took.output == "kept\n"
    assert took.wall > 0.5
    assert took.cpu > 0
    assert 150e6 < took.peak_process <= took.peak_tree < 250e6


def test_a_command_that_fails_is_an_error_with_what_it_said(tmp_path):
    with pytest.raises(BenchError, match=r"exit code 3: no lake$"):
        measure(
            [sys.executable, "-c", "import sys; print('no lake'); sys.exit(3)"], environment=os.environ, folder=tmp_path
        )


def test_the_parts_of_a_run_add_up_to_its_wall_time():
    took = Measurement(started=100.0, wall=20.0, cpu=9.0, peak_process=1, peak_tree=2, output="")
    figures = build_figures(
        took,
        [
            Step("landzone/orders", started=104.0, seconds=1.0, work=1.0, files=0, bytes=0),
            Step("raw/orders", started=106.0, seconds=5.0, work=2.0, files=1, bytes=10),
            Step("refined/dim_date", started=108.0, seconds=9.0, work=8.5, files=1, bytes=5),
            Step("trusted/orders", started=111.5, seconds=2.5, work=2.0, files=3, bytes=20),
        ],
    )
    assert figures.layers == {"landzone": 1.0, "raw": 2.0, "trusted": 2.0, "refined": 8.5}
    assert figures.parts == {
        "start-up": 4.0,
        "engine start": 3.0,
        "work": 10.0,
        "end": 3.0,
    }
    assert sum(figures.parts.values()) == figures.wall == 20.0
    assert (figures.files, figures.bytes) == (5, 35)
