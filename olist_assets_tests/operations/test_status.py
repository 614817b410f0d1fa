"""The state of the lake: rows and versions from the log, last windows and problems from control objects."""

from datetime import UTC, date, datetime

import pytest

from olist_assets.lake.layout import Lake
from olist_assets.operations import status


@pytest.fixture
def objects(sail_lake):
    return Lake(str(sail_lake.root))


def _record(table, minute, *, outcome="succeeded", error=None, day=10):
    return {
        "table": table,
        "run_id": f"run-{minute}",
        "started_at": datetime(2018, 5, day, 3, minute, tzinfo=UTC),
        "window": {"from": date(2018, 5, 9), "to": date(2018, 5, 9 + minute)},
        "status": outcome,
        "error": error,
    }


def test_tables_are_listed_with_rows_and_versions(sail_lake, objects):
    sail_lake.rows("trusted/sellers", {"seller_id": "s1"}, {"seller_id": "s2"})
    sail_lake.rows("trusted/sellers", {"seller_id": "s3"})
    objects.write_step_record(_record("trusted/sellers", 1))
    listed = {f"{s.layer}.{s.name}": s for s in status.tables(objects)}
    sellers, orders = listed["trusted.sellers"], listed["raw.orders"]
    assert (sellers.rows, sellers.version, sellers.last_window) == (3, 2, "2018-05-09")
    assert (orders.rows, orders.version, orders.last_window) == (None, None, "")


def test_the_last_window_is_that_of_the_newest_run(objects):
    objects.write_step_record(_record("raw/orders", 2, day=9))
    objects.write_step_record(_record("raw/orders", 4, day=10))
    listed = {f"{s.layer}.{s.name}": s for s in status.tables(objects)}
    assert listed["raw.orders"].last_window == "2018-05-09 to 2018-05-12"


def test_problems_are_failed_steps_quarantined_rows_and_waiting_files(sail_lake, objects):
    assert status.problems(objects, status.tables(objects)) == []
    sail_lake.rows("quarantine/orders", {"record": "{}", "rule": "order_status_unknown", "reason": "x"})
    landed = sail_lake.root / "landzone/orders/2018-05-10/olist_orders_dataset.0123456789abcdef.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text("x")
    objects.write_step_record(_record("landzone/orders", 1, outcome="failed", error="disk full"))
    objects.write_step_record(_record("raw/sellers", 1, outcome="failed", error="no header"))
    objects.write_step_record(_record("raw/customers", 1, outcome="failed", error="no header"))
    objects.write_step_record(_record("raw/customers", 2))
    assert status.problems(objects, status.tables(objects)) == [
        (
            "1 rows of orders are quarantined: see why with "
            "`olist sql 'select rule, reason, count(*) from quarantine.orders group by all'`"
        ),
        "landzone/orders failed in its last run: disk full",
        "raw/sellers failed in its last run: no header",
        "1 files wait in the landzone: load them with `olist run`",
    ]
