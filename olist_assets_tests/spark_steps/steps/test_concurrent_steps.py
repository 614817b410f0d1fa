"""Independent steps run at the same time in threads of one process, on one session."""

from dataclasses import replace

import pytest

from olist_assets_tests.spark_steps.steps.two_days import FIRST, SECOND, content, load
from spark_steps import delta

pytestmark = pytest.mark.slow_module


@pytest.mark.parametrize(
    "limit",
    [pytest.param(50_000, id="collected"), pytest.param(0, id="by-the-engine", marks=pytest.mark.long)],
)
def test_steps_that_run_at_the_same_time_give_the_tables_of_steps_in_sequence(sail_lake, monkeypatch, limit):
    monkeypatch.setattr(delta, "MAX_COLLECTED_ROWS", limit)
    sequence, threads = (replace(sail_lake, root=sail_lake.root / name) for name in ("sequence", "threads"))
    load(sequence, FIRST, SECOND)
    load(threads, FIRST, SECOND, threads=8)
    assert content(threads) == content(sequence)
