"""A lake that the previous release wrote: today's code reads its records and leases, and loads its pending days.

The archive contains a source with deliveries of 2016-09-04 to 2016-09-16 and a lake. The days up to 09-10 are loaded
whole, 09-11 up to raw, 09-12 is landed only. One payment is quarantined. The data is generated. Load marks contain the
modification times of the source's files, so these are kept by the extraction.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets.lake.json_objects import decode
from olist_assets.lake.layout import Lake
from olist_assets.lake.leases import Lease
from olist_assets.lake.step_records import StepRecord
from olist_assets.lake.storage import list_objects, read_object
from olist_assets.operations.diff import differences
from olist_assets.operations.pending import tables_to_recompute
from olist_assets.operations.recovery import plan
from olist_assets.operations.status import look_at
from olist_assets.serving.sql import connect
from olist_assets.sources.deliveries import Deliveries
from olist_assets_tests.lakes import TestLake
from spark_steps.tables import TABLES

ARCHIVE = Path(__file__).with_name("previous_release.tar.xz")
LOADED = [date(2016, 9, day) for day in range(4, 11)]
PENDING = "2016-09-11 to 2016-09-16"
NOT_COMPARED = frozenset({"_run_id", "_received_at"})  # old rows have no time of receipt


@pytest.fixture
def lake(tmp_path) -> Lake:
    """The lake; its source is the folder beside it."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return Lake(str(tmp_path / "lake"))


def records(lake: Lake) -> list[StepRecord]:
    """All step records, in the order in which the steps started."""
    return lake.step_records.read_all()


def test_load_marks_and_deliveries_agree(lake, tmp_path):
    marks, delivered = lake.load_marks.read(), Deliveries(str(tmp_path / "source")).days()
    assert sorted(marks) == LOADED
    assert {day: delivered[day] for day in LOADED} == marks


def test_status_lists_tables_quarantined_rows_and_landed_files(lake, tmp_path):
    found = look_at(lake, Deliveries(str(tmp_path / "source")))
    tables = {table.id: table for table in found.tables}
    assert [table_id for table_id, table in tables.items() if table.rows is None] == []
    assert {table_id for table_id, table in tables.items() if table.last is None} == {
        table_id for table_id in TABLES if table_id.startswith("quarantine/")
    }
    assert tables["raw/orders"].last_window == "2016-09-11"
    assert tables["trusted/orders"].last_window == "2016-09-10"
    assert tables["refined/fact_orders"].last.rows_inserted == 5
    [pending], [quarantined, *_] = found.lines
    assert quarantined.startswith("1 row of order_payments is quarantined: ")
    assert pending == "6 days (2016-09-11 to 2016-09-16) are not loaded, or not completely: load them with `olist run`"


def test_a_table_that_the_previous_release_did_not_have_is_computed_from_all_loaded_days(lake, tmp_path):
    assert tables_to_recompute(lake) == frozenset()
    shutil.rmtree(tmp_path / "lake/refined/dim_date")
    assert tables_to_recompute(lake) == {"refined/dim_date"}
    recovery = plan(lake, Deliveries(str(tmp_path / "source")), {"refined/dim_date"})
    assert (recovery.tables, str(recovery.window)) == (("refined/dim_date",), "2016-09-04 to 2016-09-11")


def test_all_step_records_are_read(lake):
    found = records(lake)
    assert len(found) == len(list_objects(lake.store, "control/steps"))
    assert {record.status for record in found} == {"succeeded"}
    assert {record.run_id for record in found if record.table.startswith("landzone/") and record.files}
    assert sum(record.rows_quarantined or 0 for record in found) == 1
    checks = {check.name for record in found for check in record.checks or ()}
    assert {"rows_accounted_for", "nothing_quarantined"} <= checks


def test_its_leases_are_free(lake):
    now = datetime.now(UTC)
    folders = lake.store.list_with_delimiter("control/leases")["common_prefixes"]
    assert len(folders) == len([table_id for table_id in TABLES if not table_id.startswith("quarantine/")])
    for folder in folders:
        newest = max(meta["path"] for meta in list_objects(lake.store, folder))
        lease = decode(read_object(lake.store, newest), Lease)
        assert lease.released
        assert lease.is_free(now - timedelta(days=3650))


@pytest.mark.long
def test_olist_run_loads_the_pending_days_as_a_whole_load_does(lake, tmp_path):
    earlier = {record.run_id for record in records(lake)}
    with connect(lake.root) as session:
        columns = session.columns("control.steps")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OLIST_", "DAGSTER_"))}
    settings = {
        "OLIST_LAKE": lake.root,
        "OLIST_SOURCE": str(tmp_path / "source"),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }
    run = subprocess.run(
        [sys.executable, "-m", "olist_assets", "run"],
        env=environment | settings,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    new = [record for record in records(lake) if record.run_id not in earlier]
    assert {str(record.window) for record in new if record.window} == {PENDING}
    assert len({record.run_id for record in new}) == 1
    assert sorted(lake.load_marks.read()) == [date(2016, 9, day) for day in range(4, 17)]
    with connect(lake.root) as session:
        assert session.columns("control.steps") == columns

    whole = TestLake(tmp_path / "whole" / "lake", SailEngine())
    whole.source.parent.mkdir()
    whole.source.symlink_to(tmp_path / "source")
    whole.materialize(day="2016-09-04", to="2016-09-16")
    lines = [
        line
        for table in TABLES.values()
        for line in differences(table, Path(lake.root), whole.root, without=NOT_COMPARED)
    ]
    assert lines == []
