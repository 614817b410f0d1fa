"""A dump delivered day by day, loaded in any order of days, ends in the tables of the dump loaded whole.

The dump is the real one where it is present (see `real_dump`), else a generated one. Only the steps run, without
Dagster, whose events would take longer than the steps. Months in any order are the subject of the scenarios, on small
data; here the real deliveries are loaded once as one range, and once by single days and by quarters backwards.
"""

import os
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby
from pathlib import Path

import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets.operations.diff import differences
from olist_assets.sources.deliver import deliver
from olist_assets.sources.deliveries import Deliveries
from olist_assets.sources.generator.dump import generate
from olist_assets.sources.replay import replay
from olist_assets_tests.dumps import load_days, real_dump
from olist_assets_tests.lakes import TestLake
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES

_ONE_BY_ONE = int(os.environ.get("OLIST_TEST_DAYS", "5"))
_LINEAGE = frozenset({"_landing_date", "_extracted_at", "_file_id", "_file_name", "_row", "_run_id", "_received_at"})
"""The columns that say where a row came from: a dump and its replay differ in them."""

pytestmark = pytest.mark.slow_module


def as_one_range(days: list[date]) -> Iterable[list[date]]:
    return [days]


def as_days_then_quarters_backwards(days: list[date]) -> Iterator[list[date]]:
    """The first days one by one, then the quarters of the others from the last to the first."""
    yield from ([day] for day in days[:_ONE_BY_ONE])
    quarters = groupby(days[_ONE_BY_ONE:], key=lambda day: (day.year, (day.month - 1) // 3))
    yield from reversed([list(quarter) for _, quarter in quarters])


@pytest.fixture(scope="module")
def dump(tmp_path_factory) -> Path:
    folder = real_dump() or tmp_path_factory.mktemp("dump")
    if real_dump() is None:
        generate(folder, orders=10_000, days=700, seed=4)
    return folder


@pytest.fixture(scope="module")
def whole(dump, tmp_path_factory) -> TestLake:
    """A lake with the dump loaded whole."""
    lake = TestLake(tmp_path_factory.mktemp("whole") / "lake", SailEngine())
    day = deliver(dump, str(lake.source)).day
    load_days(lake, [day])
    return lake


@pytest.fixture(scope="module")
def replayed(dump, tmp_path_factory) -> Deliveries:
    """The dump's daily deliveries."""
    source = tmp_path_factory.mktemp("source")
    replay(dump, str(source))
    return Deliveries(str(source))


@pytest.mark.parametrize("plan", [as_one_range, as_days_then_quarters_backwards])
def test_a_replay_ends_in_the_tables_of_the_dump(plan, whole, replayed, tmp_path):
    lake = TestLake(tmp_path / "lake", SailEngine())
    days = sorted(replayed.days())
    assert len(days) > 2 * _ONE_BY_ONE
    for part in plan(days):
        load_days(lake, part, replayed)
    compared = [table for table in TABLES.values() if table.layer in (Layer.TRUSTED, Layer.REFINED)]
    assert [line for t in compared for line in differences(t, lake.root, whole.root, without=_LINEAGE)] == []
