"""The status of a lake: rows and versions from the Delta logs, windows and problems from the step records."""

from datetime import UTC, date, datetime

import pytest

from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import RecordedWindow, StepRecord
from olist_assets.operations import status


@pytest.fixture
def lake(sail_lake):
    return Lake(str(sail_lake.root))


def _record(table, minute, *, status="succeeded", error=None, day=10):
    return StepRecord(
        table=table,
        run_id=f"run-{minute}",
        started_at=datetime(2018, 5, day, 3, minute, tzinfo=UTC),
        window=RecordedWindow(date(2018, 5, 9), date(2018, 5, 9 + minute)),
        status=status,
        error=error,
    )


def test_tables_are_listed_with_rows_and_versions(sail_lake, lake):
    sail_lake.rows("trusted/sellers", {"seller_id": "s1"}, {"seller_id": "s2"})
    sail_lake.rows("trusted/sellers", {"seller_id": "s3"})
    lake.step_records.write(_record("trusted/sellers", 1))
    listed = {f"{s.layer}.{s.name}": s for s in status.tables(lake)}
    sellers, orders = listed["trusted.sellers"], listed["raw.orders"]
    assert (sellers.rows, sellers.version, sellers.last_window) == (3, 2, "2018-05-09")
    assert (orders.rows, orders.version, orders.last_window) == (None, None, "")


def test_the_last_window_is_that_of_the_newest_run(lake):
    lake.step_records.write(_record("raw/orders", 2, day=9))
    lake.step_records.write(_record("raw/orders", 4, day=10))
    listed = {f"{s.layer}.{s.name}": s for s in status.tables(lake)}
    assert listed["raw.orders"].last_window == "2018-05-09 to 2018-05-12"


def test_problems_are_failed_steps_quarantined_rows_and_waiting_files(sail_lake, lake):
    assert status.problems(lake, status.tables(lake)) == []
    sail_lake.rows("quarantine/orders", {"record": "{}", "rule": "order_status_unknown", "reason": "x"})
    landed = sail_lake.root / "landzone/orders/2018-05-10/olist_orders_dataset.0123456789abcdef.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text("x")
    lake.step_records.write(_record("landzone/orders", 1, status="failed", error="disk full"))
    lake.step_records.write(_record("raw/sellers", 1, status="failed", error="no header"))
    lake.step_records.write(_record("raw/customers", 1, status="failed", error="no header"))
    lake.step_records.write(_record("raw/customers", 2))
    assert status.problems(lake, status.tables(lake)) == [
        (
            "1 rows of orders are quarantined: see why with "
            "`olist sql 'select rule, reason, count(*) from quarantine.orders group by all'`"
        ),
        "landzone/orders failed in its last run: disk full",
        "raw/sellers failed in its last run: no header",
        "1 files wait in the landzone: load them with `olist run`",
    ]
