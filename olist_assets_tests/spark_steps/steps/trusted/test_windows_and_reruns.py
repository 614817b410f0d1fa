"""A window loads its landing dates and no others; a rerun changes nothing."""

from dataclasses import replace
from datetime import date

import pytest

from olist_assets_tests.spark_steps.steps.trusted.trusted_rows import (
    ALL_DAYS,
    MAY_9,
    MAY_10,
    MAY_11,
    MAY_12,
    cities,
    counts,
    customer,
    order,
    version,
)
from spark_steps.declarations import Severity
from spark_steps.protocol import Check, DayCounts, RowCounts, StepRequest, StepResult, Window
from spark_steps.steps import run_step


def test_only_the_days_of_the_window_are_loaded(lake):
    days = (MAY_9, MAY_10, MAY_11, MAY_12)
    lake.rows("raw/customers", *(customer(f"c{day.day}", "rio", _landing_date=day) for day in days))
    assert counts(lake.run("trusted/customers", window=Window(MAY_10, MAY_12))) == {"read": 2, "inserted": 2}
    assert cities(lake) == {"c10": "rio", "c11": "rio"}


def test_a_past_day_can_be_loaded_at_any_time_without_reverting_newer_rows(lake):
    lake.rows(
        "raw/customers",
        customer("c1", "newest", _landing_date=MAY_12, _extracted_at="2018-05-12 03:00:00"),
        customer("c1", "older", _landing_date=MAY_9, _extracted_at="2018-05-09 03:00:00"),
        customer("c2", "only then", _landing_date=MAY_9, _extracted_at="2018-05-09 03:00:00", _row=1),
    )
    assert counts(lake.run("trusted/customers", day=MAY_12)) == {"read": 1, "inserted": 1}
    assert counts(lake.run("trusted/customers", day=MAY_9)) == {"read": 2, "inserted": 1, "superseded": 1}
    assert cities(lake) == {"c1": "newest", "c2": "only then"}


def test_loading_days_one_by_one_or_at_once_gives_equal_tables(lake):
    rows = [
        customer(f"c{n}", f"day {day.day}", _landing_date=day, _extracted_at=f"{day} 03:00:00", _row=n)
        for day in (MAY_10, MAY_11, MAY_12)
        for n in range(day.day - 9)
    ]
    once, daily = replace(lake, root=lake.root / "once"), replace(lake, root=lake.root / "daily")
    for other in (once, daily):
        other.rows("raw/customers", *rows)
    assert counts(once.run("trusted/customers", window=ALL_DAYS)) == {"read": 6, "inserted": 3, "superseded": 3}
    for day in (MAY_11, MAY_10, MAY_12):
        daily.run("trusted/customers", day=day)
    assert once.read("trusted/customers") == daily.read("trusted/customers")
    assert cities(once) == {"c0": "day 12", "c1": "day 12", "c2": "day 12"}


def test_row_outcomes_are_reported_per_landing_date(lake):
    def landed(day, *states):
        lake.rows(
            "raw/orders",
            *(
                order(order_id, status, _landing_date=day, _extracted_at=f"{day} 03:00:00", _row=row)
                for row, (order_id, status) in enumerate(states)
            ),
        )

    landed(MAY_9, ("o1", "created"), ("o2", "created"))
    lake.run("trusted/orders", day=MAY_9)
    landed(MAY_10, ("o1", "approved"), ("o3", "created"), ("o4", "lost"))  # o1 is superseded later
    landed(MAY_12, ("o1", "shipped"), ("o3", "created"), ("o5", "created"), ("o6", "created"), (None, "created"))
    window = Window(MAY_9, date(2018, 5, 14))  # on the 11th and the 13th nothing lands
    result = lake.run("trusted/orders", window=window)
    assert result.days == (
        DayCounts(day=MAY_9, rows=RowCounts(read=2, unchanged=1, superseded=1)),
        DayCounts(day=MAY_10, rows=RowCounts(read=3, superseded=2, quarantined=1)),
        DayCounts(day=MAY_12, rows=RowCounts(read=5, inserted=3, updated=1, quarantined=1)),
    )
    assert counts(result) == {
        "read": 10,
        "inserted": 3,
        "updated": 1,
        "unchanged": 1,
        "superseded": 3,
        "quarantined": 2,
    }
    assert lake.run("trusted/orders", day=MAY_11).days == ()


def test_without_a_window_all_days_are_loaded(lake):
    lake.rows("raw/customers", *(customer(f"c{day.day}", "rio", _landing_date=day) for day in (MAY_9, MAY_12)))
    lake.rows("raw/customers", customer("c3", "rio", customer_state="XX", _row=1))
    assert counts(lake.run("trusted/customers", day=None)) == {"read": 3, "inserted": 2, "quarantined": 1}
    assert counts(lake.run("trusted/customers", day=None)) == {"read": 3, "unchanged": 2, "quarantined": 1}
    assert cities(lake) == {"c12": "rio", "c9": "rio"}
    assert lake.read("quarantine/customers", "_landing_date", "rule") == [
        {"_landing_date": "2018-05-10", "rule": "customer_state_unknown"}
    ]


def test_a_rerun_of_a_day_changes_nothing(lake):
    lake.rows("raw/orders", order("o1"), order("o2", _row=1), order("o1", "shipped", _row=2))
    assert counts(lake.run("trusted/orders")) == {"read": 3, "inserted": 2, "superseded": 1}
    before = lake.read("trusted/orders")
    again = lake.run("trusted/orders")
    assert replace(again, seconds=0.0, checks=()) == StepResult(
        table="trusted/orders",
        version_before=1,
        version_after=1,
        rows=RowCounts(read=3, unchanged=2, superseded=1),
        days=(DayCounts(day=MAY_10, rows=RowCounts(read=3, unchanged=2, superseded=1)),),
    )
    assert lake.read("trusted/orders") == before
    assert (version(lake, "trusted/orders"), version(lake, "quarantine/orders")) == (1, 0)


def test_a_rerun_of_an_older_day_changes_nothing(lake):
    for day in (MAY_10, MAY_11):
        lake.rows("raw/customers", customer("c1", f"day {day.day}", _landing_date=day, _extracted_at=f"{day} 03:00:00"))
        lake.run("trusted/customers", day=day)
    assert counts(lake.run("trusted/customers", day=MAY_10)) == {"read": 1, "superseded": 1}
    assert version(lake, "trusted/customers") == 2
    assert cities(lake) == {"c1": "day 11"}


def test_a_window_without_rows_creates_empty_tables(lake):
    result = lake.run("trusted/orders")
    assert replace(result, seconds=0.0) == StepResult(
        table="trusted/orders",
        version_before=0,
        version_after=0,
        checks=(
            Check("rows_accounted_for", Severity.ERROR, 0, "every raw row has won, was superseded or is quarantined"),
            Check("nothing_quarantined", Severity.WARN, 0, "no row violates a rule"),
            Check("delivered_before_purchase", Severity.WARN, 0, "delivered before it was purchased"),
        ),
    )
    assert lake.read("trusted/orders") == []
    assert lake.read("quarantine/orders") == []


def test_a_step_without_a_quarantine_is_refused(lake):
    request = StepRequest(
        output=lake.table("trusted/orders"), run_id="r", code_version="1", inputs=(lake.table("raw/orders"),)
    )
    with pytest.raises(ValueError, match="trusted/orders: a trusted step needs a quarantine table"):
        run_step(lake.spark, request)
