"""Step records: the newest per table is found, and their JSON is that of earlier releases."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from olist_assets.lake import json_objects
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import FileRecord, RecordedWindow, StepRecord
from spark_steps.declarations import Severity
from spark_steps.protocol import Check

START = datetime(2018, 5, 10, 3, tzinfo=UTC)
BASE = {
    "window": RecordedWindow(date(2018, 5, 9), date(2018, 5, 11)),
    "engine": "sail",
    "code_version": "0.1.0+34a84646d011",
    "run_id": "run-1",
    "started_at": START + timedelta(microseconds=476976),
    "status": "succeeded",
}
# As an earlier release wrote them.
BASE_TEXT = """\
 "window": {
  "from": "2018-05-09",
  "to": "2018-05-11"
 },
 "engine": "sail",
 "code_version": "0.1.0+34a84646d011",
 "run_id": "run-1",
 "started_at": "2018-05-10T03:00:00.476976+00:00",
 "status": "succeeded",
 "error": null,
"""
TABLE_TEXT = f"""{{
 "table": "trusted/orders",
{BASE_TEXT} "version_before": 1,
 "version_after": 2,
 "rows_read": 10,
 "rows_inserted": 5,
 "rows_updated": 5,
 "rows_deleted": 0,
 "rows_copied": 12,
 "rows_unchanged": 0,
 "rows_superseded": 0,
 "rows_quarantined": 0,
 "files_added": 2,
 "files_removed": 2,
 "bytes_added": 14528,
 "bytes_removed": 13906,
 "seconds": 0.526,
 "checks": [
  {{
   "name": "nothing_quarantined",
   "severity": "warn",
   "failed_rows": 0,
   "description": "no row breaks a rule"
  }}
 ],
 "total_seconds": 0.549
}}"""
TABLE = StepRecord(
    table="trusted/orders",
    version_before=1,
    version_after=2,
    rows_read=10,
    rows_inserted=5,
    rows_updated=5,
    rows_deleted=0,
    rows_copied=12,
    rows_unchanged=0,
    rows_superseded=0,
    rows_quarantined=0,
    files_added=2,
    files_removed=2,
    bytes_added=14528,
    bytes_removed=13906,
    seconds=0.526,
    checks=(Check("nothing_quarantined", Severity.WARN, 0, "no row breaks a rule"),),
    total_seconds=0.549,
    **BASE,
)
LANDING_TEXT = f"""{{
 "table": "landzone/orders",
{BASE_TEXT} "files": [
  {{
   "file_name": "olist_orders_dataset_20160910T235959Z.csv",
   "file_id": "b1f658fd341eb45f",
   "landing_date": "2016-09-10",
   "bytes": 1751,
   "extracted_at": "2016-09-10T23:59:59+00:00",
   "landed_at": "2026-11-27T15:44:27.445062+00:00"
  }}
 ],
 "total_seconds": 0.01,
 "seconds": 0.01
}}"""
LANDING = StepRecord(
    table="landzone/orders",
    files=(
        FileRecord(
            file_name="olist_orders_dataset_20160910T235959Z.csv",
            file_id="b1f658fd341eb45f",
            landing_date=date(2016, 9, 10),
            bytes=1751,
            extracted_at=datetime(2016, 9, 10, 23, 59, 59, tzinfo=UTC),
            landed_at=datetime(2026, 11, 27, 15, 44, 27, 445062, tzinfo=UTC),
        ),
    ),
    total_seconds=0.01,
    seconds=0.01,
    **BASE,
)
FAILED_TEXT = """{
 "table": "serving/report",
 "window": null,
 "engine": "sail",
 "code_version": "0.1.0+34a84646d011",
 "run_id": "run-1",
 "started_at": "2018-05-10T03:00:00+00:00",
 "status": "failed",
 "error": "disk full",
 "total_seconds": 0.01,
 "seconds": 0.01
}"""
FAILED = StepRecord(
    table="serving/report",
    engine="sail",
    code_version="0.1.0+34a84646d011",
    run_id="run-1",
    started_at=START,
    error="disk full",
    total_seconds=0.01,
    seconds=0.01,
)
RECORDS = pytest.mark.parametrize(
    ("record", "text"),
    [(TABLE, TABLE_TEXT), (LANDING, LANDING_TEXT), (FAILED, FAILED_TEXT)],
    ids=["table", "landzone", "failed"],
)


@RECORDS
def test_a_record_of_an_earlier_release_is_read(record, text):
    assert json_objects.decode(text.encode(), StepRecord) == record


@RECORDS
def test_a_record_has_the_keys_and_formats_of_earlier_releases(record, text):
    written = record.to_json().decode()
    assert json.loads(written) == json.loads(text)
    assert sorted(line.rstrip(",") for line in written.splitlines()) == sorted(
        line.rstrip(",") for line in text.splitlines()
    )


def test_unknown_fields_are_ignored_and_missing_ones_have_defaults():
    text = b'{"table": "raw/orders", "run_id": "r", "started_at": "2018-05-10T03:00:00+00:00", "rows_skipped": 1}'
    record = json_objects.decode(text, StepRecord)
    assert record == StepRecord(table="raw/orders", run_id="r", started_at=START)
    assert not record.succeeded


def test_a_record_accepts_only_figures_that_it_declares():
    record = StepRecord(table="raw/orders", run_id="r", started_at=START)
    record.update({"rows_read": 3, "tables_not_written": 2})
    assert (record.rows_read, record.tables_not_written) == (3, 2)
    with pytest.raises(AttributeError, match="rows_skipped"):
        record.update({"rows_skipped": 1})


def test_the_newest_record_of_a_table_is_found(root):
    records = Lake(root).step_records
    for minute in (1, 2):
        records.write(
            StepRecord(table="raw/orders", run_id=f"run-{minute}", started_at=START + timedelta(minutes=minute))
        )
    assert {table: record.run_id for table, record in records.newest({"raw/orders"}).items()} == {"raw/orders": "run-2"}
    assert [record.run_id for record in records.newest_of_lineage()] == ["run-2"]
