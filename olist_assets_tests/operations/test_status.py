"""The status of a lake: rows and versions from the Delta logs, windows and problems from the control objects."""

import shutil
from datetime import UTC, date, datetime

import pytest

from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import RecordedWindow, StepRecord
from olist_assets.operations.status import look_at
from olist_assets_tests.lake import damage
from spark_steps.declarations import Severity
from spark_steps.protocol import Check

DAY = date(2018, 5, 10)


@pytest.fixture
def lake(sail_lake):
    """The lake of `sail_lake`, with a source that has no deliveries."""
    sail_lake.source.mkdir()
    return Lake(str(sail_lake.root))


def record(table, minute, *, day=10, **fields):
    return StepRecord(
        table=table,
        run_id=f"run-{minute}",
        started_at=datetime(2018, 5, day, 3, minute, tzinfo=UTC),
        window=RecordedWindow(date(2018, 5, 9), date(2018, 5, 9 + minute)),
        **{"status": "succeeded"} | fields,
    )


def tables(test_lake):
    return {status.id: status for status in look_at(test_lake.lake, test_lake.deliveries).tables}


def problems(test_lake):
    return look_at(test_lake.lake, test_lake.deliveries).lines[0]


def notes(test_lake):
    return look_at(test_lake.lake, test_lake.deliveries).lines[1]


def test_tables_are_listed_with_rows_and_versions(sail_lake, lake):
    sail_lake.rows("trusted/sellers", {"seller_id": "s1"}, {"seller_id": "s2"})
    sail_lake.rows("trusted/sellers", {"seller_id": "s3"})
    lake.step_records.write(record("trusted/sellers", 1))
    listed = tables(sail_lake)
    sellers, orders = listed["trusted/sellers"], listed["raw/orders"]
    assert (sellers.state, sellers.rows, sellers.version, sellers.last_window) == ("present", 3, 2, "2018-05-09")
    assert (orders.state, orders.rows, orders.version, orders.last_window) == ("missing", None, None, "")


def test_the_last_window_is_that_of_the_newest_run(sail_lake, lake):
    lake.step_records.write(record("raw/orders", 2, day=9))
    lake.step_records.write(record("raw/orders", 4, day=10))
    assert tables(sail_lake)["raw/orders"].last_window == "2018-05-09 to 2018-05-12"


def test_an_empty_lake_has_no_problems(sail_lake, lake):
    assert look_at(lake, sail_lake.deliveries).lines == ([], [])


def test_failed_steps_and_failed_checks_of_the_last_runs_are_problems(sail_lake, lake):
    lake.step_records.write(record("landzone/orders", 1, status="failed", error="disk full"))
    lake.step_records.write(record("raw/sellers", 1, status="failed", error="no header"))
    lake.step_records.write(record("raw/customers", 1, status="failed", error="no header"))
    lake.step_records.write(record("raw/customers", 2))
    checks = (
        Check("rows_accounted_for", Severity.ERROR, 1, "every raw row has won"),
        Check("nothing_quarantined", Severity.WARN, 3, "no row violates a rule"),
        Check("seller_missing", Severity.WARN, 2, "the item names no seller"),
    )
    lake.step_records.write(record("trusted/order_items", 1, checks=checks))
    assert problems(sail_lake) == [
        "landzone/orders failed in its last run: disk full",
        "raw/sellers failed in its last run: no header",
        "trusted/order_items failed a check in its last run: rows_accounted_for: 1 row: every raw row has won",
    ]
    assert notes(sail_lake) == ["trusted/order_items: seller_missing: 2 rows in its last run"]


def test_quarantined_rows_are_a_note(sail_lake, lake):
    sail_lake.rows("quarantine/orders", {"record": "{}", "rule": "order_status_unknown", "reason": "x"})
    assert look_at(lake, sail_lake.deliveries).lines == (
        [],
        [
            (
                "1 row of orders is quarantined: see why with "
                "`olist sql 'select rule, reason, count(*) from quarantine.orders group by all'`"
            )
        ],
    )


def test_days_that_a_run_did_not_load_completely_are_counted_as_days(sail_lake, lake):
    sail_lake.deliver("2018-05-10", "olist_sellers_dataset.csv", "x")
    for name in ("a", "b"):
        landed = sail_lake.root / f"landzone/orders/2018-05-10/{name}.0123456789abcdef.csv"
        landed.parent.mkdir(parents=True, exist_ok=True)
        landed.write_text("x")
    assert problems(sail_lake) == ["1 day (2018-05-10) is not loaded, or not completely: load it with `olist run`"]
    sail_lake.deliver("2018-05-13", "olist_sellers_dataset.csv", "x")
    lake.load_marks.write({DAY: sail_lake.deliveries.days()[DAY]})
    [line] = problems(sail_lake)[-1:]
    assert line == "2 days (2018-05-10 to 2018-05-13) are not loaded, or not completely: load them with `olist run`"


def test_a_source_that_cannot_be_read_is_a_problem(sail_lake, lake):
    sail_lake.source.rmdir()
    [line] = problems(sail_lake)
    assert line.startswith(f"no deliveries: the folder {sail_lake.source} does not exist; set OLIST_SOURCE")
    assert lake.load_marks.read() == {}


@pytest.mark.usefixtures("lake")
def test_a_control_folder_that_cannot_be_read_is_a_problem(sail_lake):
    sail_lake.rows("trusted/sellers", {"seller_id": "s1"})
    (sail_lake.root / "control").write_text("a file")
    assert tables(sail_lake)["trusted/sellers"].rows == 1
    assert "control/days cannot be read: a file is in its place" in problems(sail_lake)


def test_a_lost_table_is_named(loaded_lake_copy):
    assert problems(loaded_lake_copy) == []
    shutil.rmtree(loaded_lake_copy.root / "trusted/order_items")
    assert problems(loaded_lake_copy) == [
        "trusted/order_items is missing although days are loaded: `olist run` recomputes it"
    ]
    shutil.rmtree(loaded_lake_copy.root / "quarantine/orders")
    assert problems(loaded_lake_copy) == [
        "trusted/order_items, quarantine/orders are missing although days are loaded: `olist run` recomputes them"
    ]


def test_tables_are_not_lost_as_long_as_no_day_is_loaded(sail_lake, lake):
    sail_lake.rows("raw/orders", {"order_id": "o1"})
    assert look_at(lake, sail_lake.deliveries).lines == ([], [])


def test_an_unreadable_table_is_named_and_the_others_are_shown(loaded_lake_copy):
    damage.truncate_newest_commit(loaded_lake_copy.root / "trusted/orders")
    listed = tables(loaded_lake_copy)
    assert (listed["trusted/orders"].state, listed["trusted/orders"].rows) == ("unreadable", None)
    assert listed["raw/orders"].state == "present"
    assert problems(loaded_lake_copy) == [
        "trusted/orders is unreadable: commit 1 of its log is damaged: `olist rebuild trusted/orders` recomputes it"
    ]


def test_a_table_that_lost_its_newest_commits_is_named(loaded_lake_copy):
    log = loaded_lake_copy.root / "trusted/sellers/_delta_log"
    for file in log.glob("00000000000000000001.*"):
        file.unlink()
    assert tables(loaded_lake_copy)["trusted/sellers"].rows == 0
    assert problems(loaded_lake_copy) == [
        (
            "trusted/sellers is at version 0, but its last run wrote version 1: `olist rebuild trusted/sellers` "
            "recomputes it"
        )
    ]


def test_a_recomputation_that_was_interrupted_is_named(loaded_lake_copy):
    loaded_lake_copy.lake.recompute_marks.write(["trusted/sellers", "refined/dim_sellers"], remove=False)
    assert problems(loaded_lake_copy) == [
        "the recomputation of trusted/sellers, refined/dim_sellers was interrupted: `olist run` continues it"
    ]


def test_damaged_control_objects_are_named_with_the_remedy(loaded_lake_copy):
    control = loaded_lake_copy.root / "control"
    [mark] = (control / "days").glob("*/*.json")
    mark.write_text('["olist_or')
    (control / "days/2018-05-10.json").write_text("")
    lease = max((control / "leases/trusted.orders").iterdir())
    lease.write_text('{"id"')
    [step] = (control / "steps").glob("*/*/raw.orders.json")
    step.write_text('{"a": 1}')
    assert problems(loaded_lake_copy) == [
        "1 day (2018-10-20) is not loaded, or not completely: load it with `olist run`",
        "control/days/2018-05-10.json is damaged: the source has no such day: remove it",
        "control/days/2018-10/00000001.json is damaged: `olist run` loads its days again",
        (
            f"control/leases/trusted.orders/{lease.name} is damaged: the next run of the table replaces it, 60 seconds "
            "after its last change"
        ),
        f"{step.relative_to(loaded_lake_copy.root)} is not a step record and is skipped: remove it",
    ]


def test_foreign_objects_are_ignored(loaded_lake_copy):
    before = look_at(loaded_lake_copy.lake, loaded_lake_copy.deliveries).lines
    for path in (
        *(
            "control/.DS_Store",
            "control/days/.DS_Store",
            "control/days/2018-02-30.json",
            "control/days/a/2018-05-10.json",
        ),
        *(
            "control/leases/.DS_Store",
            "control/leases/trusted.orders/.DS_Store",
            "control/leases/trusted.orders/9.json",
        ),
        *("control/steps/.DS_Store", "control/steps/notes/a/raw.orders.json", "control/steps/2030-01-01/a/notes.txt"),
        *("control/recompute/.DS_Store", "control/recompute/a.b.json"),
        "landzone/orders/2018-02-30/olist_orders_dataset.0123456789abcdef.csv",
        *("landzone/.DS_Store", "archive/.DS_Store", "trusted/.DS_Store", "trusted/orders/notes.txt"),
        *("control/steps/a\nb", "control/steps/2030-01-01/a\x1bb", "control/days/a\tb", "landzone/orders/a\nb"),
    ):
        file = loaded_lake_copy.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("foreign")
    for folder in ("control/steps", "control/days", "control/leases/trusted.orders", "landzone/orders"):
        (loaded_lake_copy.root / folder / "loop").symlink_to("loop")
    assert look_at(loaded_lake_copy.lake, loaded_lake_copy.deliveries).lines == before
    loaded_lake_copy.materialize("raw/orders", "trusted/orders", day="2018-10-20")
