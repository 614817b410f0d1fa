"""The command line as people use it: each command a process of its own, on a lake of its own."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from olist_assets.lake.files import FILE_STEMS

pytestmark = pytest.mark.xdist_group("cli")  # what the module loads is loaded once


class Shell:
    """Runs `olist` with its lake, source and instance below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *arguments: str, fails: int = 0, stdin: str = "", **environment: str) -> str:
        """The command's output; its errors where it is expected to fail with this exit code."""
        process = self.start(*arguments, stdin=subprocess.PIPE, **environment)
        output, errors = process.communicate(stdin, timeout=240)
        assert process.returncode == fails, output + errors
        return errors if fails else output

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL, **environment: str) -> subprocess.Popen[str]:
        """The command as a running process."""
        own = {
            "OLIST_LAKE": f"{self.root}/lake",
            "OLIST_SOURCE": f"{self.root}/source",
            "DAGSTER_HOME": f"{self.root}/dagster",
            "COLUMNS": "200",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "olist_assets", *arguments],
            env=os.environ | own | environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sql(self, query: str) -> list[dict[str, str]]:
        """The rows of a query, as text."""
        return list(csv.DictReader(io.StringIO(self("sql", query, "--format", "csv"))))


@pytest.fixture
def olist(tmp_path):
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A generated dump of 400 orders, delivered and loaded by the commands."""
    shell = Shell(tmp_path_factory.mktemp("loaded"))
    dump = f"{shell.root}/dump"
    shell("generate", "--orders", "400", "--days", "60", "--seed", "5", dump)
    shell("deliver", dump, "--day", "2016-11-20")
    shell.output = shell("run")
    return shell


def test_run_tells_what_it_did_asset_by_asset(loaded):
    lines = loaded.output.splitlines()
    assert lines[0] == f"loading 2016-11-20 into {loaded.root}/lake"
    assert sum(line.startswith("  ✓ ") for line in lines) == 41
    assert lines[1].split() == ["✓", "landzone/customers", "1", "landed"]
    [orders] = [line for line in lines if "trusted/orders " in line]
    assert orders.split()[:4] == ["✓", "trusted/orders", "400", "inserted"]
    assert lines[-1].startswith("41 assets in ")


def test_status_shows_tables_rows_and_the_last_landing_date(loaded):
    lines = [line.split() for line in loaded("status").splitlines()]
    assert ["raw", "orders", "400", "1", "2016-11-20"] in lines
    assert ["trusted", "orders", "400", "1", "2016-11-20"] in lines
    assert ["no", "open", "problems"] in lines


def test_sql_answers_in_all_formats(loaded):
    query = "select count(*) as orders, count(*) filter (customer_key = -1) as strangers from refined.fact_orders"
    assert loaded.sql(query) == [{"orders": "400", "strangers": "0"}]
    assert json.loads(loaded("sql", query, "--format", "json")) == [{"orders": 400, "strangers": 0}]
    assert [line.split() for line in loaded("sql", query).splitlines()] == [
        ["orders", "strangers"],
        ["400", "0"],
        ["(1", "row)"],
    ]
    file = loaded.root / "question.sql"
    file.write_text(f"-- how many?\n{query}")
    assert loaded("sql", "--file", f"{file}", "--format", "csv") == "orders,strangers\n400,0\n"
    assert loaded("sql", query, "--format", "markdown") == "| orders | strangers |\n| --: | --: |\n| 400 | 0 |\n"
    for arguments in (("sql",), ("sql", "-f", "-")):
        assert loaded(*arguments, "--format", "csv", stdin=query) == "orders,strangers\n400,0\n"


def test_sql_takes_parameters_and_a_time(loaded):
    query = "select count(*) as n from fact_orders where order_status = $status and items >= $items"
    [delivered] = loaded.sql("select count(*) as n from trusted.orders where order_status = 'delivered'")
    assert loaded("sql", query, "-p", "status=delivered", "--param", "items=0", "--format", "csv") == (
        f"n\n{delivered['n']}\n"
    )
    assert loaded("sql", query, "-p", "items=0", "-p", "status=x' or 'a=b", "--format", "csv") == "n\n0\n"
    assert loaded("sql", "--as-of", "2118-01-01", "select 1 as n from fact_orders limit 1").split()[:2] == ["n", "1"]
    for time, end in {
        "2018-05-10": "23:59:59",
        "2018-05-10T12:00": "12:00:00",
        "2018-05-10T12:00-03:00": "15:00:00",
    }.items():
        error = loaded("sql", "--as-of", time, "from fact_orders", fails=1)
        assert error.startswith(f"error: refined.fact_orders did not exist at 2018-05-10 {end} UTC: it was created at ")
        assert error.count("\n") == 1


def test_brackets_in_data_are_data(loaded):
    lines = loaded("sql", "select '[red]x[/y]' as \"[bold]c\"").splitlines()
    assert [line.strip() for line in lines] == ["[bold]c", "[red]x[/y]", "(1 row)"]


@pytest.mark.parametrize(
    "command",
    [
        ("sql", "select * from raw.orders"),
        ("sql", "select * from raw.orders", "--format", "csv"),
        ("run", "--day", "2016-11-20", "--select", "landzone/sellers", "--select", "raw/sellers"),
    ],
)
def test_a_reader_that_goes_away_is_no_error(loaded, command):
    process = loaded.start(*command)
    process.stdout.close()
    process.wait(timeout=60)
    assert (process.returncode, process.stderr.read()) == (0, "")
    process.stderr.close()


def test_the_demos_headline_figures_agree_with_trusted(loaded):
    headline = Path(__file__).parents[2] / "docs/questions/headline.sql"
    figures = {
        r["figure"]: r["count"]
        for r in csv.DictReader(io.StringIO(loaded("sql", "-f", f"{headline}", "--format", "csv")))
    }
    [trusted] = loaded.sql(
        "select (select count(*) from trusted.orders) orders, (select count(*) from trusted.order_items) items, "
        "(select count(*) from trusted.order_payments) payments, (select count(*) from trusted.order_reviews) reviews, "
        "(select count(distinct customer_unique_id) from trusted.customers) people"
    )
    assert {name: figures[name] for name in trusted} == trusted


def test_a_loaded_day_is_not_loaded_again_unless_its_delivery_changes_or_it_is_asked_for(loaded):
    assert loaded("run") == "nothing to load: every delivered day has been loaded\n"
    raw = "select count(*) n from raw.sellers"
    before = loaded.sql(raw)
    assert "nothing new" in loaded(
        "run", "--day", "2016-11-20", "--select", "landzone/sellers", "--select", "raw/sellers"
    )
    assert loaded.sql(raw) == before
    late = loaded.root / "source/2016-11-20/olist_sellers_dataset_20161121T000000Z.csv"
    late.write_text("seller_id,seller_zip_code_prefix,seller_city,seller_state\nlate,1001,sao paulo,SP\n")
    os.utime(late, (1_480_000_000, 1_480_000_000))  # moved in, older than the load
    loaded("run", "--day", "2016-11-20", "--select", "landzone")  # and landed, but not loaded
    assert "1 inserted" in loaded("run")
    assert loaded("run") == "nothing to load: every delivered day has been loaded\n"
    assert int(loaded.sql(raw)[0]["n"]) == int(before[0]["n"]) + 1


def test_an_interrupted_run_keeps_what_was_committed_and_goes_on_when_run_again(olist):
    olist("generate", "--orders", "50", "--days", "10", f"{olist.root}/dump")
    olist("deliver", f"{olist.root}/dump", "--day", "2016-10-01")
    process = olist.start("run")
    for line in process.stdout:
        if "raw/customers" in line:
            process.send_signal(signal.SIGINT)
            break
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors == "interrupted: what was committed stays; the same command goes on from there\n"
    assert "nothing new" in olist("run")
    assert olist.sql(
        "select (select count(*) from raw.customers) landed, (select count(*) from trusted.customers) kept"
    ) == [{"landed": "50", "kept": "50"}]


def test_a_range_is_told_as_a_whole(olist):
    for day in ("2018-05-10", "2018-05-12"):
        path = olist.root / "source" / day / f"{FILE_STEMS['sellers']}.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"seller_id,seller_zip_code_prefix,seller_city,seller_state\n{day},1,x,SP\n")
    keys = [f"{layer}/sellers" for layer in ("landzone", "raw", "trusted")]
    output = olist("run", "--from", "2018-05-10", "--to", "2018-05-12", *(o for k in keys for o in ("--select", k)))
    lines = [line.split()[:4] for line in output.splitlines() if "✓" in line]
    assert lines == [["✓", key, "2", what] for key, what in zip(keys, ("landed", "inserted", "inserted"), strict=True)]


def test_files_that_belong_to_no_table_are_named_and_left_alone(olist):
    day = olist.root / "source" / "2018-05-10"
    day.mkdir(parents=True)
    (day / "olist_order_dataset.csv").write_text("misspelt\n")
    (day / f"{FILE_STEMS['sellers']}.csv").write_text(
        "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns1,1,x,SP\n"
    )
    output = olist("run", "--select", "landzone/sellers", "--select", "raw/sellers")
    assert "note: 2018-05-10/olist_order_dataset.csv belongs to no table and is left alone" in output
    assert olist.sql("select seller_id from raw.sellers") == [{"seller_id": "s1"}]


def test_bad_rows_are_quarantined_and_broken_files_fail_while_the_rest_is_loaded(olist):
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
    assert olist("run", fails=1).count("failed: ") == 3  # a day is not loaded while something of it has failed

    problems = olist("status")
    assert "2 rows of orders are quarantined" in problems
    assert "raw/sellers failed in its last run" in problems
    assert "3 files wait in the landzone" in problems


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("run", "--day", "2018-13-01"), 2, "'2018-13-01' is not a date; write it as 2018-05-10"),
        (("run", "--day", "2015-01-01"), 1, "2015-01-01 is not a landing date: they go from 2016-01-01 to "),
        (("run", "--from", "2018-05-10"), 2, "--from and --to go together"),
        (("run", "--from", "2018-05-10", "--to", "2018-05-09"), 2, "--from 2018-05-10 lies after --to 2018-05-09"),
        (("run", "--day", "2018-05-10", "--to", "2018-05-11"), 2, "--day goes without --from and --to"),
        (("run", "--day", "2018-05-10", "--select", "trusted/order"), 1, "did you mean trusted/orders"),
        (("run",), 1, "no deliveries: the folder "),
        (("deliver", "nowhere"), 1, "no dump: nowhere is not a folder"),
        (("generate", "--orders", "0", "dump"), 2, "--orders"),
        (("status",), 1, "there is no lake at "),
        (("sql",), 2, "give a statement, a file with one, or one on standard input"),
        (("sql", "select 1", "-f", "-"), 2, "give a statement or a file with one, not both"),
        (("sql", "-f", "nowhere.sql"), 2, "there is no file nowhere.sql"),
        (("sql", "select 1", "--format", "xml"), 2, "xml"),
        (("sql", "select 1", "-p", "state"), 2, "-p state: write it as name=value"),
        (("sql", "select $a", "-p", "a=1", "-p", "a=2"), 2, "-p gives a name twice"),
        (("sql", "select 1", "--as-of", "yesterday"), 2, "'yesterday' is not a time; write it as 2018-05-10 or "),
        (("sql", "select 1"), 1, "there is no lake at "),
        (("frobnicate",), 2, "frobnicate"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(olist, arguments, code, message):
    error = olist(*arguments, fails=code)
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_bad_setting_is_named_by_every_command_that_uses_it(olist):
    assert (
        olist("run", fails=1, OLIST_ENGINE="flink")
        == "error: OLIST_ENGINE=flink: takes sail or spark or emr or emr-serverless\n"
    )


def test_a_lake_that_is_a_file_is_named_before_anything_runs(olist):
    (olist.root / "source").mkdir()
    (olist.root / "lake").write_text("")
    error = olist("run", "--day", "2018-05-10", fails=1)
    assert error == f"error: {olist.root}/lake is a file; a folder is needed\n"


@pytest.mark.parametrize("command", ["generate", "deliver", "run", "status", "sql", "ui"])
def test_every_command_has_help_with_an_example(olist, command):
    text = olist(command, "--help")
    assert "Example" in text
    assert f"olist {command}" in text
