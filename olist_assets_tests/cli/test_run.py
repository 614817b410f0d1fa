"""`olist run`: what it loads, prints and leaves, and how it ends."""

import os
import shutil
import signal

import pytest

from olist_assets.lake.files import FILE_STEMS
from olist_assets_tests.cli.shell import Shell
from olist_assets_tests.lake import damage
from spark_steps.declarations import Severity
from spark_steps.protocol import Check
from spark_steps.steps import trusted

pytestmark = pytest.mark.slow_module


@pytest.fixture
def loaded_copy(loaded, tmp_path):
    """A copy of the loaded lake, with its deliveries, for tests that change it."""
    for folder in ("lake", "source"):
        shutil.copytree(loaded.root / folder, tmp_path / folder)
    return Shell(tmp_path)


def sellers_file(olist, day: str, *ids: str) -> None:
    """Deliver sellers with these ids on a day."""
    path = olist.root / "source" / day / f"{FILE_STEMS['sellers']}.csv"
    path.parent.mkdir(parents=True)
    rows = [f"{seller},1001,sao paulo,SP\n" for seller in ids]
    path.write_text("".join(["seller_id,seller_zip_code_prefix,seller_city,seller_state\n", *rows]))


def test_run_prints_one_line_per_asset(loaded):
    lines = (loaded.root / "run.txt").read_text().splitlines()
    assert lines[0] == f"loading 2016-11-20 into {loaded.root}/lake"
    assert sum(line.startswith("  ✓ ") for line in lines) == 41
    assert "  ✓ landzone/customers                           1 landed" in lines
    [orders] = [line for line in lines if "trusted/orders " in line]
    assert orders.split()[:4] == ["✓", "trusted/orders", "400", "inserted"]
    [report] = [line for line in lines if "serving/report " in line]
    assert report.split()[3:5] == ["MB", "written"]
    assert lines[-1].startswith("41 assets in ")


@pytest.mark.long
def test_a_loaded_day_is_loaded_again_only_if_it_is_named_or_its_delivery_has_changed(loaded_copy):
    olist = loaded_copy
    assert olist("run") == "nothing to load: every delivered day has been loaded\n"
    count = "select count(*) n from raw.sellers"
    [before] = olist.sql(count)
    select = ("--select", "landzone/sellers", "--select", "raw/sellers")
    assert "nothing new" in olist("run", "--day", "2016-11-20", *select)
    assert olist.sql(count) == [before]
    late = olist.root / "source/2016-11-20/olist_sellers_dataset_20161121T000000Z.csv"
    late.write_text("seller_id,seller_zip_code_prefix,seller_city,seller_state\nlate,1001,sao paulo,SP\n")
    os.utime(late, (1_480_000_000, 1_480_000_000))  # a file that was moved here can be older than the load
    olist("run", "--day", "2016-11-20", "--select", "landzone")  # the file is landed, but not loaded
    assert "1 inserted" in olist("run")
    assert olist("run") == "nothing to load: every delivered day has been loaded\n"
    assert olist.sql(count) == [{"n": f"{int(before['n']) + 1}"}]


@pytest.mark.long
def test_an_interrupted_run_keeps_committed_data_and_the_same_command_continues(olist):
    olist("generate", "--orders", "50", "--days", "10", f"{olist.root}/dump")
    olist("deliver", f"{olist.root}/dump", "--day", "2016-10-01")
    process = olist.start("run")
    for line in process.stdout:
        if "raw/customers" in line:
            process.send_signal(signal.SIGINT)
            break
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors == "interrupted: committed data is kept; run the same command again to continue\n"
    process = olist.start("run")
    output, errors = process.communicate(timeout=240)
    assert (process.returncode, errors) == (0, "")
    assert "nothing new" in output
    assert output.count("✓") == 41
    assert olist.sql(
        "select (select count(*) from raw.customers) in_raw, (select count(*) from trusted.customers) in_trusted"
    ) == [{"in_raw": "50", "in_trusted": "50"}]


@pytest.mark.long
def test_a_reader_that_closes_the_pipe_does_not_end_the_run(olist):
    sellers_file(olist, "2018-05-10", "s1")
    process = olist.start("run", "--select", "landzone/sellers", "--select", "raw/sellers")
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert olist.sql("select seller_id from raw.sellers") == [{"seller_id": "s1"}]


def test_a_range_is_printed_as_totals(olist):
    sellers_file(olist, "2018-05-10", "s1")
    sellers_file(olist, "2018-05-12", "s2")
    keys = [f"{layer}/sellers" for layer in ("landzone", "raw", "trusted")]
    output = olist("run", "--from", "2018-05-10", "--to", "2018-05-12", *(o for k in keys for o in ("--select", k)))
    lines = [line.split()[:4] for line in output.splitlines() if "✓" in line]
    assert lines == [["✓", key, "2", what] for key, what in zip(keys, ("landed", "inserted", "inserted"), strict=True)]


def test_files_that_belong_to_no_table_are_named_and_not_loaded(olist):
    sellers_file(olist, "2018-05-10", "s1")
    (olist.root / "source/2018-05-10/olist_order_dataset.csv").write_text("misspelt\n")
    output = olist("run", "--select", "landzone/sellers", "--select", "raw/sellers")
    assert output.count("note: ignored: 2018-05-10/olist_order_dataset.csv: no file name of a table") == 1
    assert olist.sql("select seller_id from raw.sellers") == [{"seller_id": "s1"}]


def test_bad_rows_are_quarantined_and_unreadable_files_fail_while_the_rest_is_loaded(olist):
    day = olist.root / "source" / "2018-05-10"
    day.mkdir(parents=True)
    files = {
        "orders": "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
        "order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date\n"
        "o1,c1,delivered,2018-05-09 10:00:00,,,,\n"
        "o2,c2,teleported,2018-05-09 10:00:00,,,,\n"
        "o3,c3,created\n",
        "order_items": "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value\n"
        "o1,1,p1,s1,,ten,1.00\no1,2,p1,s1,,10.00,1.00\n",
        "sellers": "seller_id,seller_city,seller_state\ns1,x,SP\n",
        "products": "",
    }
    for table, content in files.items():
        (day / f"{FILE_STEMS[table]}.csv").write_text(content)
    (day / f"{FILE_STEMS['customers']}.csv").write_bytes("customer_id,customer_unique_id\nsão".encode("latin-1"))
    errors = olist("run", "--day", "2018-05-10", fails=1)
    assert errors.endswith("; downstream assets were skipped; fix the failure and run again\n")
    failed = [line for line in errors.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 3
    assert any("raw/sellers" in line and "lacks the column seller_zip_code_prefix" in line for line in failed)
    assert any("raw/products" in line and "is empty: it has no header" in line for line in failed)
    assert any("raw/customers" in line and "is not UTF-8" in line for line in failed)

    assert olist.sql("select order_id, order_status from trusted.orders") == [
        {"order_id": "o1", "order_status": "delivered"}
    ]
    assert olist.sql("select rule, reason from quarantine.orders order by 1") == [
        {"rule": "order_status_unknown", "reason": "order_status is unknown: teleported"},
        {"rule": "row_unparsed", "reason": "expected 8 columns, got 3"},
    ]
    assert olist.sql("select rule, reason from quarantine.order_items") == [
        {"rule": "price_unreadable", "reason": "price is not an amount: ten"}
    ]
    assert olist("run", fails=1).count("failed: ") == 3  # a day with a failed asset does not count as loaded

    problems = olist("status")
    assert "2 rows of orders are quarantined" in problems
    assert "raw/sellers failed in its last run" in problems
    assert "1 day (2018-05-10) is not loaded, or not completely" in problems


def test_a_failed_blocking_check_is_printed_and_fails_the_run(olist, monkeypatch):
    sellers_file(olist, "2018-05-10", "s1")
    lost = Check("rows_accounted_for", Severity.ERROR, 1, "every raw row has won, was superseded or is quarantined")
    warning = Check("nothing_quarantined", Severity.WARN, 2, "no row violates a rule")
    monkeypatch.setattr(trusted, "_check", lambda *_: (lost, warning))
    keys = ("landzone/sellers", "raw/sellers", "trusted/sellers", "refined/dim_sellers")
    run = ("run", "--day", "2018-05-10", *(option for key in keys for option in ("--select", key)))
    reason = "rows_accounted_for: 1 row fails: every raw row has won, was superseded or is quarantined"
    output, errors = olist.both(*run, fails=1)
    assert [line for line in output.splitlines() if "trusted" in line] == [f"  ✗ trusted/sellers: {reason}"]
    assert "refined" not in output
    assert errors.splitlines()[0] == f"failed: trusted/sellers: {reason}"
    assert errors.splitlines()[1].startswith("2 assets in ")
    status = olist("status", "--check", fails=1)
    assert status == ""
    assert (
        "! trusted/sellers failed a check in its last run: rows_accounted_for: 1 row: every raw row has won, was "
        "superseded or is quarantined\n"
    ) in olist("status")


def test_a_failed_warning_is_a_line_below_its_asset(olist):
    day = olist.root / "source/2018-05-10"
    day.mkdir(parents=True)
    (day / f"{FILE_STEMS['order_items']}.csv").write_text(
        "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value\no1,1,p1,,,10.00,1.00\n"
    )
    keys = [f"{layer}/order_items" for layer in ("landzone", "raw", "trusted")]
    output = olist("run", "--day", "2018-05-10", *(option for key in keys for option in ("--select", key)))
    lines = [line.strip() for line in output.splitlines()]
    [number] = [n for n, line in enumerate(lines) if line.startswith("✓ trusted/order_items")]
    assert lines[number + 1] == "! trusted/order_items: seller_missing: 1 row"


def test_an_unreadable_table_is_named_by_a_run_that_has_nothing_to_load(loaded_copy):
    damage.remove_data_file(loaded_copy.root / "lake/trusted/sellers")
    output, errors = loaded_copy.both("run", fails=1)
    assert output == "nothing to load: every delivered day has been loaded\n"
    assert errors.startswith("error: trusted/sellers is unreadable: its data file part-")
    assert errors.endswith(" is missing: `olist rebuild trusted/sellers` recomputes it\n")


def test_a_plain_run_recomputes_a_lost_table_and_what_is_computed_from_it(loaded_copy):
    sellers = "select count(*) n, max(seller_id) newest from trusted.sellers"
    before = loaded_copy.sql(sellers)
    shutil.rmtree(loaded_copy.root / "lake/trusted/sellers")
    lines = loaded_copy("run").splitlines()
    assert lines[0] == "note: missing or incomplete although days are loaded: trusted/sellers"
    assert lines[1] == f"recomputing 4 tables from 2016-11-20 in {loaded_copy.root}/lake"
    assert sorted(line.split()[1] for line in lines if "✓" in line) == [
        *("refined/dim_location", "refined/dim_sellers", "refined/fact_order_items"),
        *("serving/report", "trusted/sellers"),
    ]
    assert lines[-1] == "nothing to load: every delivered day has been loaded"
    assert loaded_copy.sql(sellers) == before
    assert "no open problems" in loaded_copy("status", "--check")
