"""Sessions over lakes with damaged tables and objects: everything else can be queried, and errors name the remedy."""

import json
import shutil
from datetime import UTC, datetime

import pytest

from olist_assets.errors import QueryError
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import StepRecord
from olist_assets.serving.sql.results import rows
from olist_assets.serving.sql.session import connect
from olist_assets_tests.lake import damage
from olist_assets_tests.serving.sql.payment_lakes import COUNT, STARTED, one

SELLERS = "select count(*) from trusted.sellers"
REMEDY = "`olist rebuild trusted/sellers` recomputes it"


@pytest.fixture
def lake(sail_lake, payments):  # noqa: ARG001 - the lake has the payments
    """A lake with payments and a table of sellers."""
    sail_lake.rows("trusted/sellers", {"seller_id": "s1"})
    return sail_lake


def error(session, statement=SELLERS):
    with pytest.raises(QueryError) as raised:
        rows(session.query(statement))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("break_table", "reason"),
    [
        (damage.truncate_newest_commit, "trusted/sellers is unreadable: commit 1 of its log is damaged: "),
        (damage.empty_newest_commit, "trusted/sellers is unreadable: commit 1 of its log is empty: "),
        (damage.remove_first_commit, "trusted/sellers is unreadable: commit 0 of its log is missing: "),
        (damage.skip_a_version, "trusted/sellers is unreadable: commit 1 of its log is missing: "),
        (damage.require_unknown_feature, "trusted/sellers is unreadable: it needs the reader feature tomorrow, "),
        (damage.truncate_checkpoint, "trusted/sellers is unreadable: the checkpoint of its log is damaged: "),
        (damage.put_file_in_place, "trusted/sellers is unreadable: a file is in its place: "),
        (damage.link_log_to_itself, "trusted/sellers is unreadable: its files cannot be read: Too many levels of "),
        (damage.remove_data_file, ""),
        (damage.truncate_data_file, ""),
        (damage.overwrite_data_file, ""),
    ],
)
def test_a_broken_table_is_named_with_the_remedy_and_others_are_read(lake, break_table, reason):
    break_table(lake.root / "trusted/sellers")
    with connect(str(lake.root)) as session:
        assert one(session, COUNT) == 3
        message = error(session)
        assert message.startswith(reason)
        assert message.endswith(REMEDY)
        assert "<unknown>" not in message
        assert len(message) < 600, message
        assert one(session, COUNT) == 3


def test_a_truncated_commit_does_not_hide_earlier_versions_of_other_tables(lake):
    damage.truncate_newest_commit(lake.root / "trusted/sellers")
    with connect(str(lake.root), as_of=datetime.now(UTC)) as session:
        assert one(session, COUNT) == 3
        assert "trusted/sellers" in error(session)


@pytest.fixture
def steps(payments):
    """A lake with one step record, and the folder of the records."""
    lake = Lake(payments)
    record = StepRecord(table="raw/orders", run_id="r1", started_at=STARTED, rows_inserted=5, status="succeeded")
    lake.step_records.write(record)
    return lake


@pytest.mark.parametrize("content", [b"", b'{"table', b'{"a": 1}', b"[1]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_objects_that_are_no_step_records_are_left_out(steps, content):
    for name in ("2018-05-11/r2/raw.orders.json", "2018-05-09/r0/raw.orders.json", "notes/a/b.json"):
        steps.store.put(f"control/steps/{name}", content)
    with connect(steps.root) as session:
        answer = rows(session.query('select "table", run_id, rows_inserted from control.steps'))
        assert answer == [("raw/orders", "r1", 5)]


def test_the_columns_of_steps_do_not_depend_on_the_records(steps):
    with connect(steps.root) as session:
        columns = session.columns("control.steps")
    steps.store.put("control/steps/2018-05-11/r2/a.b.json", json.dumps({"table": 5, "more": {"x": 1}}).encode())
    with connect(steps.root) as session:
        assert session.columns("control.steps") == columns
        assert "did you mean run_id" in error(session, "select run_ids from control.steps")


def test_a_lake_whose_step_records_were_removed_has_no_steps(steps):
    shutil.rmtree(f"{steps.root}/control/steps")
    with connect(steps.root) as session:
        assert error(session, "select * from control.steps").startswith("control.steps is empty")
