"""A dump delivered day by day, loaded in any order of days, ends in the tables of the dump loaded whole.

The dump is the real one where it lies (see `real_dump`), else a generated one. Only the steps run, not Dagster: the
same deliveries in hundreds of runs would take an hour of its events.
"""

import os
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path

import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets.lake.files import FILE_STEMS
from olist_assets.operations.diff import differences
from olist_assets.sources.deliver import deliver
from olist_assets.sources.deliveries import Deliveries
from olist_assets.sources.generator.dump import generate
from olist_assets.sources.replay import replay
from olist_assets_tests.lakes import TestLake
from olist_assets_tests.test_real_data import real_dump
from spark_steps.declarations import Layer
from spark_steps.protocol import Window
from spark_steps.tables import TABLES, tables_in

_ONE_BY_ONE = int(os.environ.get("OLIST_TEST_DAYS", "5"))
_LINEAGE = frozenset({"_landing_date", "_extracted_at", "_file_id", "_file_name", "_row", "_run_id"})
"""Where a row came from, which is not the same in a dump and in its replay."""


def as_one_range(days: list[date]) -> Iterable[list[date]]:
    return [days]


def days_then_months_backwards(days: list[date]) -> Iterator[list[date]]:
    """The first days one by one, and the months of the others from the last to the first."""
    yield from ([day] for day in days[:_ONE_BY_ONE])
    months = [list(month) for _, month in groupby(days[_ONE_BY_ONE:], key=lambda day: (day.year, day.month))]
    yield from reversed(months)


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
    day, _, _ = deliver(dump, str(lake.source))
    load(lake, lake.deliveries, [day])
    return lake


@pytest.fixture(scope="module")
def replayed(dump, tmp_path_factory) -> Deliveries:
    """The dump's daily deliveries."""
    source = tmp_path_factory.mktemp("source")
    replay(dump, str(source))
    return Deliveries(str(source))


def load(lake: TestLake, deliveries: Deliveries, days: list[date]) -> None:
    """Take these days' deliveries through the lineage, as one run."""
    window = Window(days[0], days[-1] + timedelta(days=1))
    for name in FILE_STEMS:
        for day in days:
            for file in deliveries.files(name, day):
                lake.lake.landzone.land(name, day, file)
    for table in (t for layer in (Layer.RAW, Layer.TRUSTED, Layer.REFINED) for t in tables_in(layer)):
        files = lake.lake.landzone.files(table.name, window) if table.layer is Layer.RAW else ()
        lake.run(table.id, window=window, files=files)
        lake.lake.landzone.remove(files)


@pytest.mark.parametrize("plan", [as_one_range, days_then_months_backwards])
def test_a_replay_ends_in_the_tables_of_the_dump(plan, whole, replayed, tmp_path):
    lake = TestLake(tmp_path / "lake", SailEngine())
    days = sorted(replayed.days())
    assert len(days) > 2 * _ONE_BY_ONE
    for part in plan(days):
        load(lake, replayed, part)
    compared = [table for table in TABLES.values() if table.layer in (Layer.TRUSTED, Layer.REFINED)]
    found = [line for t in compared for line in differences(t, lake.root, whole.root, without=_LINEAGE)]
    assert found == []
