"""Which landing dates a run without dates loads, and how assets are selected by name."""

from datetime import date

import dagster as dg
import pytest

from olist_assets.errors import SettingsError
from olist_assets.operations.pending import windows_to_load
from olist_assets.runs import Lakehouse
from olist_assets.settings.general import Settings
from olist_assets_tests.lakes import ASSETS
from spark_steps import delta
from spark_steps.protocol import Window
from spark_steps.steps import raw


@pytest.fixture
def shop(sail_lake):
    """A lake, and deliveries on the 1st, 2nd, 4th, 5th and 9th of May."""
    for day in (1, 2, 4, 5, 9):
        sail_lake.deliver(f"2018-05-0{day}", "olist_sellers_dataset.csv", f"{day}")
    return sail_lake


def windows(shop) -> list[Window]:
    """The windows that a run without dates would load."""
    return windows_to_load(shop.lake, shop.deliveries.days())


def days(*numbers: int) -> Window:
    """The landing dates from the first to the last of these days of May."""
    return Window(date(2018, 5, numbers[0]), date(2018, 5, numbers[-1] + 1))


def load(shop, *numbers: int) -> None:
    """Mark these days as loaded, with their present deliveries."""
    for number in numbers:
        day = date(2018, 5, number)
        shop.lake.load_marks.write({day: shop.deliveries.days()[day]})


@pytest.fixture
def shops_lakehouse(shop, tmp_path, monkeypatch):
    settings = {"OLIST_LAKE": shop.lake.root, "OLIST_SOURCE": str(shop.source), "DAGSTER_HOME": str(tmp_path / "home")}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "home").mkdir()
    return Lakehouse.from_settings(Settings.from_environment(settings))


def test_a_long_step_reports_what_it_is_doing(shop, shops_lakehouse, monkeypatch):
    monkeypatch.setattr(raw, "_MAX_COLLECTED_BYTES", 0)
    monkeypatch.setattr(delta, "MAX_COLLECTED_ROWS", 0)
    columns = "seller_id,seller_zip_code_prefix,seller_city,seller_state"
    shop.deliver("2018-05-01", "olist_sellers_dataset.csv", f"{columns}\ns1,1001,rio,RJ\ns2,1001,rio,RJ\n")
    lines = []
    names = [f"{layer}/sellers" for layer in ("landzone", "raw", "trusted")]
    shops_lakehouse.materialize(days(1), shops_lakehouse.select(names, days(1)), on_progress=lines.append)
    assert lines == [
        "raw/sellers: files to read: 1 (0.0 MB)",
        "trusted/sellers: 2 rows: looking for repeated keys",
        "trusted/sellers: 2 rows: comparing them with the table",
        "trusted/sellers: 2 rows: writing the changed ones",
    ]


def test_a_run_leaves_its_step_records_in_a_bundle(shop, shops_lakehouse):
    steps = shops_lakehouse.materialize(days(1), shops_lakehouse.select(["landzone/orders", "raw/orders"], days(1)))
    assert [step.asset for step in steps] == ["landzone/orders", "raw/orders"]
    assert shop.objects("control/steps") == []
    assert len(shop.objects("control/step_bundles")) == 1
    assert [record.table for record in shop.lake.step_records.read_all()] == ["landzone/orders", "raw/orders"]


def test_days_without_a_delivery_do_not_split_a_window(shop):
    assert windows(shop) == [days(1, 9)]
    load(shop, 1, 2)
    assert windows(shop) == [days(4, 9)]


def test_loaded_days_split_windows_and_are_not_loaded_again(shop):
    load(shop, 2, 5)
    assert windows(shop) == [days(1), days(4), days(9)]
    load(shop, 1, 4)
    assert windows(shop) == [days(9)]
    load(shop, 9)
    assert windows(shop) == []


def test_a_day_with_a_changed_delivery_is_loaded_again(shop):
    load(shop, 1, 2, 4, 5, 9)
    shop.deliver("2018-05-01", "olist_sellers_dataset_20180512T000000Z.csv", "corrected")
    shop.deliver("2018-05-09", "olist_sellers_dataset_20180512T000000Z.csv", "corrected")
    assert windows(shop) == [days(1), days(9)]


def test_files_in_the_landing_zone_are_loaded_even_without_their_delivery(shop):
    load(shop, 1, 2, 4, 5, 9)
    file = next(iter(shop.deliveries.files("sellers", date(2018, 5, 4))))
    shop.lake.landzone.land("sellers", date(2018, 5, 3), file)
    assert windows(shop) == [days(3)]


@pytest.fixture(scope="module")
def lakehouse():
    """The lakehouse under default settings."""
    return Lakehouse.from_settings(Settings.from_environment({}))


def test_assets_are_selected_by_key_or_layer_upstream_first(lakehouse):
    assert lakehouse.select([], days(1)) == [asset.key for asset in ASSETS]
    assert lakehouse.select(["trusted/orders", "raw/orders"], days(1)) == [
        dg.AssetKey(["raw", "orders"]),
        dg.AssetKey(["trusted", "orders"]),
    ]
    landzone = [asset.key for asset in ASSETS if asset.key.path[0] == "landzone"]
    assert lakehouse.select(["landzone", "serving/report"], days(1)) == [*landzone, dg.AssetKey(["serving", "report"])]


@pytest.mark.parametrize(
    ("names", "window", "message"),
    [
        (["trusted/order"], days(1), "no asset or layer 'trusted/order'; did you mean trusted/orders"),
        (["xyzzy"], days(1), "no asset or layer 'xyzzy'; see olist status"),
        ([], Window(date(2015, 12, 31), date(2016, 1, 2)), "2015-12-31 is not a landing date: the landing dates are "),
    ],
)
def test_unknown_names_and_days_are_refused(lakehouse, names, window, message):
    with pytest.raises(SettingsError, match=f"^{message}"):
        lakehouse.select(names, window)
