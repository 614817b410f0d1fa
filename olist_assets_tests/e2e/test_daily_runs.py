"""120 daily runs, with compactions and checkpoints in between, end in the tables of one load and of both oracles.

A replay of a small shop is loaded day by day. Only the steps run, without Dagster, and until the last run only those
that may commit: raw and trusted for delivered tables, and no aggregates, which each run computes whole.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import deltalake
import pytest

from bench.baseline import Delivery, build
from olist_assets.engines.local.sail import SailEngine
from olist_assets.operations import diff
from olist_assets.sources.deliveries import Deliveries
from olist_assets.sources.generator.dump import generate
from olist_assets.sources.replay import replay
from olist_assets_tests.lakes import TestLake
from olist_assets_tests.scenarios.delivery_strategies import File, Range, load
from olist_assets_tests.scenarios.oracle_comparison import COMPARED, differences, table_content
from spark_steps.declarations import Layer
from spark_steps.maintenance import CHECKPOINT_INTERVAL, MIN_FILES
from spark_steps.tables import TABLES

RUNS = 120
DAILY = tuple(table_id for table_id, table in TABLES.items() if not table.full_refresh)
UNPARTITIONED = tuple(table_id for table_id in DAILY if TABLES[table_id].partition is None)
LINEAGE = frozenset({"_landing_date", "_extracted_at", "_file_id", "_file_name", "_row", "_run_id", "_received_at"})

pytestmark = pytest.mark.slow_module


class ReplayedFile(File):
    """A file of a replay. It is extracted at the end of its day."""

    @property
    def extracted_at(self) -> str:
        """The end of its day."""
        return f"{self.landing_date} 23:59:59"


def replayed_files(dump: Path, source: Path) -> Iterator[ReplayedFile]:
    """The files of a dump's replay; its days are numbered from 0, without gaps."""
    replay(dump, str(source))
    deliveries = Deliveries(str(source))
    for number, day in enumerate(sorted(deliveries.days())):
        for table in (table for table in TABLES.values() if table.layer is Layer.RAW):
            for path in sorted((source / f"{day}").glob(f"{table.file_stem}*.csv")):
                with path.open(encoding="utf-8-sig", newline="") as lines:
                    yield ReplayedFile(table.name, number, 0, tuple(csv.DictReader(lines)))


@pytest.fixture(scope="module")
def dump(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dump")
    generate(folder, orders=360, days=RUNS, seed=6)
    return folder


@pytest.fixture(scope="module")
def files(dump, tmp_path_factory) -> tuple[ReplayedFile, ...]:
    return tuple(replayed_files(dump, tmp_path_factory.mktemp("source")))


@pytest.fixture(scope="module")
def lake(files, tmp_path_factory) -> TestLake:
    """A lake with the whole replay, most of it loaded by daily runs."""
    lake = TestLake(tmp_path_factory.mktemp("daily") / "lake", SailEngine())
    last = max(file.day for file in files)
    assert last >= RUNS
    for day in range(RUNS):
        delivered = {file.table for file in files if file.day == day}
        tables = [t for t in DAILY if TABLES[t].layer is Layer.REFINED or TABLES[t].name in delivered]
        load(lake, files, Range(day, day), tables)
    load(lake, files, Range(RUNS, last))
    return lake


def log_of(lake, table_id):
    return deltalake.DeltaTable(lake.table(table_id).uri)


def test_every_table_is_that_of_the_oracle(lake, files):
    assert differences(lake, files) == {}


def test_every_table_is_that_of_one_load(lake, files, tmp_path):
    whole = TestLake(tmp_path / "lake", SailEngine())
    load(whole, files, Range(0, max(file.day for file in files)))
    for table_id in COMPARED:
        assert table_content(lake, table_id) == table_content(whole, table_id), table_id


def test_every_table_is_that_of_the_baseline(lake, dump, tmp_path):
    build(Delivery(dump, date(2018, 5, 1), datetime(2018, 5, 1, tzinfo=UTC)), tmp_path)
    compared = [table for table in TABLES.values() if table.layer in (Layer.TRUSTED, Layer.REFINED)]
    assert [line for t in compared for line in diff.differences(t, tmp_path, lake.root, without=LINEAGE)] == []


def test_tables_have_few_files_and_checkpoints(lake):
    compactions = {}
    for table_id in UNPARTITIONED:
        table = log_of(lake, table_id)
        assert len(table.file_uris()) < MIN_FILES + 8, table_id
        if table.version() > CHECKPOINT_INTERVAL:
            assert list((lake.root / table_id / "_delta_log").glob("*.checkpoint.parquet")), table_id
        compactions[table_id] = [c["version"] for c in table.history() if c["operation"] == "OPTIMIZE"]
    assert {"trusted/order_items", "refined/dim_products", "refined/dim_customers"} <= {
        t for t, c in compactions.items() if c
    }


def test_a_compaction_changes_no_row_and_the_version_before_stays_readable(lake):
    table_id = "refined/dim_customers"
    for version in [c["version"] for c in log_of(lake, table_id).history() if c["operation"] == "OPTIMIZE"]:
        before, after = (
            deltalake.DeltaTable(lake.table(table_id).uri, version=v).to_pyarrow_table().sort_by("customer_key")
            for v in (version - 1, version)
        )
        assert before.equals(after)
