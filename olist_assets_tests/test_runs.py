"""Which landing dates a run without dates takes."""

from datetime import date

import pytest

from olist_assets import runs
from spark_steps.protocol import Window


@pytest.fixture
def shop(sail_lake, monkeypatch):
    """A lake, and deliveries on the 1st, 2nd, 4th, 5th and 9th of May."""
    for day in (1, 2, 4, 5, 9):
        sail_lake.deliver(f"2018-05-0{day}", "olist_sellers_dataset.csv", f"{day}")
    monkeypatch.setattr(runs, "lake", sail_lake.lake)
    monkeypatch.setattr(runs, "deliveries", sail_lake.deliveries)
    return sail_lake


def days(*numbers: int) -> Window:
    """The landing dates from the first to the last of these days of May."""
    return Window(date(2018, 5, numbers[0]), date(2018, 5, numbers[-1] + 1))


def load(shop, *numbers: int) -> None:
    """Note that these days have been loaded as they are."""
    for number in numbers:
        day = date(2018, 5, number)
        shop.lake.load_marks.write(day, shop.deliveries.days()[day])


def test_all_days_that_have_not_been_loaded_are_one_window_whatever_is_missing_between(shop):
    assert runs.windows_to_load() == [days(1, 9)]
    load(shop, 1, 2)
    assert runs.windows_to_load() == [days(4, 9)]


def test_days_that_have_been_loaded_part_windows_and_are_not_loaded_again(shop):
    load(shop, 2, 5)
    assert runs.windows_to_load() == [days(1), days(4), days(9)]
    load(shop, 1, 4)
    assert runs.windows_to_load() == [days(9)]
    load(shop, 9)
    assert runs.windows_to_load() == []


def test_a_day_whose_delivery_has_changed_is_loaded_again_alone(shop):
    load(shop, 1, 2, 4, 5, 9)
    shop.deliver("2018-05-01", "olist_sellers_dataset_20180512T000000Z.csv", "mended")
    shop.deliver("2018-05-09", "olist_sellers_dataset_20180512T000000Z.csv", "mended")
    assert runs.windows_to_load() == [days(1), days(9)]


def test_files_that_wait_in_the_landzone_are_loaded_though_their_delivery_is_gone(shop):
    load(shop, 1, 2, 4, 5, 9)
    file = next(iter(shop.deliveries.files("sellers", date(2018, 5, 4))))
    shop.lake.landzone.land("sellers", date(2018, 5, 3), file)
    assert runs.windows_to_load() == [days(3)]
