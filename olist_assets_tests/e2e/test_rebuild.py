"""Lost and broken tables are recomputed: afterwards every table of the lake is as before, also if a run is killed."""

import shutil
import signal

import pytest

from olist_assets.lake.layout import Lake
from olist_assets.operations.diff import differences
from olist_assets_tests.cli.shell import Shell
from olist_assets_tests.lake import damage
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES

OF_THE_RUN = frozenset({"_run_id"})
REVENUE = "select sum(revenue) revenue from aggregate_orders_per_day"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> Shell:
    """A shell on a lake that was loaded from daily deliveries, in two runs. Read only."""
    olist = Shell(tmp_path_factory.mktemp("loaded"))
    olist("generate", "--orders", "150", "--days", "15", "--seed", "4", f"{olist.root}/dump")
    olist("replay", f"{olist.root}/dump")
    days = sorted(folder.name for folder in (olist.root / "source").iterdir())
    olist("run", "--from", days[0], "--to", days[9])
    olist("run")
    return olist


@pytest.fixture
def olist(loaded, tmp_path) -> Shell:
    """A shell on a copy of it."""
    for folder in ("lake", "source"):
        shutil.copytree(loaded.root / folder, tmp_path / folder)
    return Shell(tmp_path)


def assert_equal(olist, loaded) -> None:
    """Assert that all tables of two lakes are equal, and that there is nothing left to do."""
    lakes = [shell.root / "lake" for shell in (olist, loaded)]
    assert [line for table in TABLES.values() for line in differences(table, *lakes, without=OF_THE_RUN)] == []
    assert "no open problems" in olist("status", "--check")
    assert olist("run") == "nothing to load: every delivered day has been loaded\n"
    assert not list((olist.root / "lake/landzone").rglob("*.csv"))


@pytest.mark.parametrize("names", [("raw",), ("trusted.orders", "refined/dim_products")])
def test_a_rebuild_ends_in_the_same_tables(olist, loaded, names):
    for name in ("trusted/orders", "refined/fact_orders"):
        damage.truncate_data_file(olist.root / "lake" / name)
    olist("rebuild", *names, "--yes")
    assert_equal(olist, loaded)


@pytest.mark.parametrize("layers", [(Layer.QUARANTINE, Layer.REFINED), tuple(Layer)])
def test_a_plain_run_recomputes_lost_tables(olist, loaded, layers):
    for layer in layers:
        shutil.rmtree(olist.root / "lake" / layer)
    olist("run")
    assert_equal(olist, loaded)


def test_a_lost_table_does_not_falsify_the_next_day(olist, loaded):
    marks = Lake(str(olist.root / "lake")).load_marks
    newest = marks.days()[-1]
    marks.clear([newest])  # as if the day were new
    shutil.rmtree(olist.root / "lake/trusted/order_items")
    errors = olist("run", "--day", f"{newest}", fails=1)
    assert "trusted/order_items is missing although days other than" in errors
    assert olist.sql(REVENUE) == loaded.sql(REVENUE)
    olist("run")
    assert_equal(olist, loaded)


def test_raw_is_rebuilt_from_the_source_if_there_is_no_archive(olist, loaded):
    shutil.rmtree(olist.root / "lake/archive")
    shutil.rmtree(olist.root / "lake/raw/orders")
    olist("run", OLIST_LANDZONE_AFTER_RAW="delete")
    assert_equal(olist, loaded)


def test_raw_is_rebuilt_from_the_archive_if_the_source_is_empty(olist, loaded):
    shutil.rmtree(olist.root / "source")
    (olist.root / "source").mkdir()
    olist("rebuild", "raw/orders", "--yes")
    shutil.rmtree(olist.root / "source")
    shutil.copytree(loaded.root / "source", olist.root / "source")
    assert_equal(olist, loaded)


def test_a_raw_table_without_files_does_not_stop_the_others(olist, loaded):
    for folder in ("archive/sellers", "raw/sellers"):
        shutil.rmtree(olist.root / "lake" / folder)
    for file in (olist.root / "source").rglob("olist_sellers_dataset*"):
        file.unlink()
    assert "raw/sellers cannot be recomputed: its files of" in olist("rebuild", "raw/sellers", "--yes", fails=1)
    output, errors = olist.both("run", fails=1)
    assert "raw/sellers cannot be recomputed: its files of" in errors
    assert "✓ refined/dim_products" in output
    assert olist.sql("select count(*) n from trusted.sellers") == loaded.sql("select count(*) n from trusted.sellers")


@pytest.mark.parametrize(
    ("last_line", "signal_"),
    [
        ("to remove", signal.SIGKILL),
        ("recomputing", signal.SIGKILL),
        ("raw/orders", signal.SIGKILL),
        ("trusted/orders", signal.SIGKILL),
        ("refined/dim_customers", signal.SIGINT),
    ],
)
def test_a_rebuild_that_was_killed_is_continued_by_a_plain_run(olist, loaded, last_line, signal_):
    process = olist.start("rebuild", "raw/orders", "--yes")
    for line in process.stdout:
        if last_line in line and not line.startswith(("raw", "trusted", "refined")):  # the lines of the plan
            process.send_signal(signal_)
            break
    process.communicate(timeout=120)
    assert process.returncode != 0
    if last_line != "to remove":
        olist("status", "--check", fails=1)
    olist("run")
    assert_equal(olist, loaded)
