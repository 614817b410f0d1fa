"""Windows are half-open; requests and results are equal after a round trip through JSON."""

import json
from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import pytest

from spark_steps.declarations import Severity
from spark_steps.protocol import (
    Check,
    DayCounts,
    FileCounts,
    LandedFile,
    RowCounts,
    StepError,
    StepRequest,
    StepResult,
    TableHandle,
    Window,
)

WINDOW = Window(date(2018, 5, 10), date(2018, 5, 13))

REQUEST = StepRequest(
    output=TableHandle("trusted/orders", "s3://lake/trusted/orders"),
    window=WINDOW,
    inputs=(TableHandle("raw/orders", "s3://lake/raw/orders", WINDOW), TableHandle("raw/sellers", "/lake/raw/sellers")),
    quarantine=TableHandle("quarantine/orders", "s3://lake/quarantine/orders", Window.from_day(date(2018, 5, 12))),
    files=(
        LandedFile(
            uri="s3://lake/landzone/orders/2018-05-10/olist_orders_dataset.0123456789abcdef.csv",
            name="olist_orders_dataset_20180510T030000Z.csv",
            file_id="0123456789abcdef",
            landing_date=date(2018, 5, 10),
            extracted_at=datetime(2018, 5, 10, 3, 0, 0, 123456, tzinfo=UTC),
            received_at=datetime(2018, 5, 10, 4, 0, tzinfo=UTC),
            size=123,
        ),
    ),
    run_id="run 1",
    code_version="1.2.3+abc",
    limits_memory=True,
    recompute=True,
)

RESULT = StepResult(
    table="trusted/orders",
    version_before=3,
    version_after=4,
    rows=RowCounts(read=15, inserted=1, updated=2, deleted=6, copied=11, unchanged=3, superseded=4, quarantined=5),
    files=FileCounts(added=7, removed=8, bytes_added=9, bytes_removed=10),
    seconds=0.123,
    checks=(
        Check("rows_accounted_for", Severity.ERROR, 0, "every row is accounted for"),
        Check("seller_missing", Severity.WARN, 2, "the item names no seller"),
    ),
    days=(
        DayCounts(
            day=date(2018, 5, 10),
            rows=RowCounts(read=14, inserted=1, updated=2, unchanged=3, superseded=4, quarantined=4),
        ),
        DayCounts(day=date(2018, 5, 12), rows=RowCounts(read=1, quarantined=1), partition_rows=9),
    ),
)


WRITTEN_REQUEST = """
{
 "output": {
  "id": "trusted/orders",
  "uri": "s3://lake/trusted/orders",
  "window": null
 },
 "run_id": "run 1",
 "code_version": "1.2.3+abc",
 "window": {
  "start": "2018-05-10",
  "end": "2018-05-13"
 },
 "inputs": [
  {
   "id": "raw/orders",
   "uri": "s3://lake/raw/orders",
   "window": {
    "start": "2018-05-10",
    "end": "2018-05-13"
   }
  },
  {
   "id": "raw/sellers",
   "uri": "/lake/raw/sellers",
   "window": null
  }
 ],
 "quarantine": {
  "id": "quarantine/orders",
  "uri": "s3://lake/quarantine/orders",
  "window": {
   "start": "2018-05-12",
   "end": "2018-05-13"
  }
 },
 "files": [
  {
   "uri": "s3://lake/landzone/orders/2018-05-10/olist_orders_dataset.0123456789abcdef.csv",
   "name": "olist_orders_dataset_20180510T030000Z.csv",
   "file_id": "0123456789abcdef",
   "landing_date": "2018-05-10",
   "extracted_at": "2018-05-10T03:00:00.123456+00:00",
   "received_at": "2018-05-10T04:00:00+00:00",
   "size": 123
  }
 ],
 "limits_memory": true,
 "recompute": true
}
"""
"""The text of REQUEST, as `json.dumps` wrote it before msgspec did."""

# --- Windows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "inside"),
    [
        (date(2018, 5, 9), False),
        (date(2018, 5, 10), True),
        (date(2018, 5, 11), True),
        (date(2018, 5, 12), True),
        (date(2018, 5, 13), False),
        (date(2019, 5, 11), False),
    ],
)
def test_a_window_includes_its_start_and_excludes_its_end(day, inside):
    assert (day in WINDOW) is inside


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (
            date(2018, 5, 10),
            date(2018, 5, 10),
            "a window's end must be after its start, not 2018-05-10 to 2018-05-10",
        ),
        (
            date(2018, 5, 11),
            date(2018, 5, 10),
            "a window's end must be after its start, not 2018-05-11 to 2018-05-10",
        ),
    ],
)
def test_a_window_without_a_day_is_refused(start, end, message):
    with pytest.raises(ValueError, match="a window's end") as refusal:
        Window(start, end)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("day", "window"),
    [
        (date(2018, 5, 10), Window(date(2018, 5, 10), date(2018, 5, 11))),
        (date(2017, 12, 31), Window(date(2017, 12, 31), date(2018, 1, 1))),
        (date(2016, 2, 28), Window(date(2016, 2, 28), date(2016, 2, 29))),
    ],
)
def test_the_window_of_a_day_ends_where_the_next_day_starts(day, window):
    assert Window.from_day(day) == window


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (Window.from_day(date(2018, 5, 10)), "2018-05-10"),
        (WINDOW, "2018-05-10 to 2018-05-12"),
        (Window(date(2017, 12, 31), date(2018, 1, 2)), "2017-12-31 to 2018-01-01"),
    ],
)
def test_a_window_is_displayed_as_its_first_and_last_day(window, text):
    assert str(window) == text


def test_a_windows_days_are_all_but_its_end():
    assert WINDOW.days == (date(2018, 5, 10), date(2018, 5, 11), date(2018, 5, 12))
    assert Window.from_day(date(2017, 12, 31)).days == (date(2017, 12, 31),)


def test_a_windows_predicate_is_half_open_with_literal_dates():
    assert WINDOW.predicate() == "_landing_date >= DATE'2018-05-10' AND _landing_date < DATE'2018-05-13'"
    assert WINDOW.predicate("d.day") == "d.day >= DATE'2018-05-10' AND d.day < DATE'2018-05-13'"


def test_a_windows_predicate_selects_its_days_and_no_others(spark):
    days = [WINDOW.start + timedelta(days=n) for n in range(-1, 4)]
    values = ", ".join(f"(DATE'{day}')" for day in days)
    rows = spark.sql(f"SELECT day FROM VALUES {values} AS t(day) WHERE {WINDOW.predicate('day')} ORDER BY day")
    assert [row["day"] for row in rows.collect()] == [date(2018, 5, 10), date(2018, 5, 11), date(2018, 5, 12)]


# --- Requests and results as JSON ----------------------------------------------------------------------------------


def test_a_request_is_equal_after_a_round_trip_through_json():
    assert StepRequest.from_json(REQUEST.to_json()) == REQUEST


def test_a_request_with_only_an_output_is_equal_after_a_round_trip_through_json():
    request = StepRequest(output=TableHandle("refined/dim_date", "/lake/dim_date"), run_id="r", code_version="1")
    assert StepRequest.from_json(request.to_json()) == request


def test_a_request_as_json_has_its_dates_in_iso_format():
    written = json.loads(WRITTEN_REQUEST)
    written["files"][0] |= {"extracted_at": "2018-05-10T03:00:00.123456Z", "received_at": "2018-05-10T04:00:00Z"}
    assert json.loads(REQUEST.to_json()) == written


def test_an_extraction_time_of_another_zone_arrives_as_the_same_instant():
    brasilia = datetime(2018, 5, 10, 0, 0, tzinfo=timezone(timedelta(hours=-3)))
    file = LandedFile("/f.csv", "f.csv", "0123456789abcdef", date(2018, 5, 10), brasilia, brasilia, 123)
    request = StepRequest(output=TableHandle("raw/orders", "/lake"), run_id="r", code_version="1", files=(file,))
    [arrived] = StepRequest.from_json(request.to_json()).files
    assert arrived.extracted_at.astimezone(UTC).isoformat() == "2018-05-10T03:00:00+00:00"


def test_a_request_that_was_written_by_hand_is_decoded():
    assert StepRequest.from_json(WRITTEN_REQUEST) == REQUEST


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run_id": 5}, r"Expected `str`, got `int` - at `\$\.run_id`"),
        ({"window": {"start": "2018-05-10", "end": "2018-05-10"}}, "a window's end must be after its start"),
        ({"files": [{"uri": "f.csv"}]}, r"missing required field `name` - at `\$\.files\[0\]`"),
    ],
)
def test_a_malformed_request_is_refused_with_the_field(change, message):
    with pytest.raises(msgspec.DecodeError, match=message):
        StepRequest.from_json(json.dumps(json.loads(WRITTEN_REQUEST) | change))


def test_a_request_names_the_table_that_it_writes():
    assert REQUEST.table == "trusted/orders"
    assert REQUEST.output.declaration.id == "trusted/orders"


def test_a_result_is_equal_after_a_round_trip_through_json():
    assert StepResult.from_json(RESULT.to_json()) == RESULT


def test_an_error_in_place_of_a_result_is_raised():
    with pytest.raises(StepError, match=r"^raw/orders: no$"):
        StepResult.from_json(StepError("raw/orders: no").to_json())


def test_figures_of_a_result_are_flat_and_leave_out_days():
    assert RESULT.figures() == {
        "table": "trusted/orders",
        "version_before": 3,
        "version_after": 4,
        "rows_read": 15,
        "rows_inserted": 1,
        "rows_updated": 2,
        "rows_deleted": 6,
        "rows_copied": 11,
        "rows_unchanged": 3,
        "rows_superseded": 4,
        "rows_quarantined": 5,
        "files_added": 7,
        "files_removed": 8,
        "bytes_added": 9,
        "bytes_removed": 10,
        "seconds": 0.123,
        "checks": RESULT.checks,
    }


def test_file_counts_add_up_field_by_field():
    counts = FileCounts(added=1, removed=2, bytes_added=30, bytes_removed=40)
    assert counts + FileCounts(removed=5, bytes_added=6) == FileCounts(
        added=1, removed=7, bytes_added=36, bytes_removed=40
    )


def test_a_check_passes_when_no_row_fails_it():
    assert [check.passed for check in RESULT.checks] == [True, False]
