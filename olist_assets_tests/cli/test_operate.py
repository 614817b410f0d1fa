"""`olist status`, and the plans of `olist rebuild`."""

import json
import shutil

import pytest

from olist_assets_tests.cli.shell import Shell
from olist_assets_tests.lake import damage


def test_status_shows_tables_rows_and_the_last_landing_date(loaded):
    lines = [line.split() for line in loaded("status").splitlines()]
    assert ["raw", "orders", "400", "1", "2016-11-20"] in lines
    assert ["trusted", "orders", "400", "1", "2016-11-20"] in lines
    assert ["no", "open", "problems"] in lines


@pytest.fixture
def loaded_copy(loaded, tmp_path):
    """A copy of the loaded lake, with its deliveries, for tests that change it."""
    for folder in ("lake", "source"):
        shutil.copytree(loaded.root / folder, tmp_path / folder)
    return Shell(tmp_path)


def test_a_healthy_lake_passes_the_check(loaded):
    assert "no open problems" in loaded("status", "--check")


def test_the_check_fails_if_anything_needs_attention(loaded_copy):
    damage.truncate_newest_commit(loaded_copy.root / "lake/trusted/orders")
    output, _ = loaded_copy.both("status", "--check", fails=1)
    lines = [line.split() for line in output.splitlines()]
    assert ["trusted", "orders", "unreadable", "1", "2016-11-20"] in lines
    assert ["raw", "orders", "400", "1", "2016-11-20"] in lines
    assert output.splitlines()[-1] == (
        "! trusted/orders is unreadable: commit 1 of its log is damaged: `olist rebuild trusted/orders` recomputes it"
    )
    loaded_copy("status")


def test_status_is_printed_as_json(loaded_copy):
    shutil.rmtree(loaded_copy.root / "lake/trusted/sellers")
    status = json.loads(loaded_copy("status", "--json"))
    tables = {table.pop("table"): table for table in status["tables"]}
    assert tables["raw/orders"] == {
        "state": "present", "rows": 400, "version": 1, "last_landing_dates": "2016-11-20"
    }  # fmt: skip
    assert tables["trusted/sellers"]["state"] == "missing"
    assert status["problems"] == ["trusted/sellers is missing although days are loaded: `olist run` recomputes it"]
    loaded_copy("status", "--json", "--check", fails=1)


def test_a_rebuild_prints_its_plan_and_changes_nothing(loaded):
    output = loaded("rebuild", "raw.sellers")
    lines = [line.split() for line in output.splitlines()]
    assert ["raw/sellers", "present", "12", "1", "1"] in lines
    assert ["quarantine/sellers", "present", "0", "0"] in lines
    assert "6 tables to remove, and to recompute from 2016-11-20" in output
    assert output.endswith("nothing has been changed; do it with --yes\n")
    assert "no open problems" in loaded("status", "--check")


def test_the_plan_of_a_rebuild_is_printed_as_json(loaded):
    plan = json.loads(loaded("rebuild", "refined/dim_date", "--json"))
    assert (plan["first_day"], plan["last_day"]) == ("2016-11-20", "2016-11-20")
    [table] = plan["tables"]
    assert (table["table"], table["state"], table["archived_files"]) == ("refined/dim_date", "present", None)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("trusted/order",), 1, "no table or layer 'trusted/order'; did you mean trusted/orders?"),
        (("landzone/orders",), 1, "no table or layer 'landzone/orders'"),
        (("trusted/orders", "--yes", "--json"), 2, "--json prints the plan; it goes without --yes"),
        ((), 2, "Missing argument"),
    ],
)
def test_a_rebuild_without_known_tables_is_refused(loaded, arguments, code, message):
    assert message in loaded("rebuild", *arguments, fails=code)


def test_a_wrong_setting_of_an_engine_on_aws_is_a_note_of_the_status(loaded):
    output = loaded("status", OLIST_ENGINE="emr", OLIST_EMR_UNITS="6")
    assert "no open problems" in output
    assert "note: machines of emr: OLIST_EMR_UNITS=6: Input should be a multiple of 4" in output


def test_an_engine_of_this_machine_has_no_machines_to_end(loaded):
    assert loaded("stop") == "no machine of sail to end\n"
    assert json.loads(loaded("stop", "--json", "--yes")) == {"machines": [], "ended": True}
    assert "has no workers on AWS" in loaded("spark-ui", "j-1/s-1", fails=1)
