"""Deliveries: which files count, of which table, on which day, and from when they are."""

import os
from datetime import UTC, date, datetime

import pytest

from olist_assets.errors import DeliveryError
from olist_assets.lake.files import extraction_time, table_for_file
from olist_assets.sources.deliveries import Deliveries
from olist_assets.sources.landing_dates import LandingDates
from olist_assets.sources.notices import describe_notices
from spark_steps.protocol import Window


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("olist_orders_dataset.csv", "orders"),
        ("olist_orders_dataset_20180510T030000Z.csv", "orders"),
        ("olist_orders_dataset_part2.csv", "orders"),
        ("olist_order_items_dataset.csv", "order_items"),
        ("olist_order_payments_dataset.csv", "order_payments"),
        ("olist_order_reviews_dataset.csv", "order_reviews"),
        ("olist_customers_dataset.csv", "customers"),
        ("olist_products_dataset.csv", "products"),
        ("olist_sellers_dataset.csv", "sellers"),
        ("olist_geolocation_dataset.csv", "geolocation"),
        ("product_category_name_translation.csv", "product_category_translation"),
        ("olist_orders_dataset2.csv", None),
        ("olist_orders_dataset.csv.gz", None),
        ("readme.csv", None),
    ],
)
def test_a_file_name_determines_the_table(name, table):
    assert table_for_file(name) == table


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("olist_orders_dataset_20180510T030405Z.csv", datetime(2018, 5, 10, 3, 4, 5, tzinfo=UTC)),
        ("olist_orders_dataset.csv", None),
        ("olist_orders_dataset_20181310T030405Z.csv", None),
        ("olist_orders_dataset_20180510.csv", None),
    ],
)
def test_a_file_name_may_have_the_extraction_time(name, time):
    assert extraction_time(name) == time


def test_days_are_folders_named_like_dates_with_an_olist_file_in_them(tmp_path):
    for path in (
        "2018-05-11/olist_orders_dataset.csv",
        "2018-05-10/olist_sellers_dataset.csv",
        "2018-05-12/notes.txt",
        "2018-02-31/olist_orders_dataset.csv",
        "latest/olist_orders_dataset.csv",
        "2018-05-13/inner/olist_orders_dataset.csv",
        "olist_orders_dataset.csv",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    deliveries = Deliveries(str(tmp_path))
    assert list(deliveries.days()) == [date(2018, 5, 10), date(2018, 5, 11)]
    assert describe_notices(deliveries.scan().notices) == [
        "ignored: olist_orders_dataset.csv: a file outside the folders of landing dates, such as 2018-05-10",
        "ignored: 2018-05-13/inner: a folder within a delivery",
        "ignored: 2018-05-12/notes.txt: no file name of a table",
        "ignored: 2018-02-31, latest: no folder of a landing date, such as 2018-05-10",
    ]
    # Of other days' folders nothing is read.
    window = Window(date(2018, 5, 10), date(2018, 5, 13))
    assert list(deliveries.scan(window).deliveries) == [date(2018, 5, 10), date(2018, 5, 11)]
    assert [notice.path for notice in deliveries.scan(window).notices_in(window)] == [
        "2018-02-31",
        "2018-05-12/notes.txt",
        "latest",
        "olist_orders_dataset.csv",
    ]


def test_several_files_of_a_table_in_one_delivery(tmp_path):
    day = tmp_path / "2018-05-10"
    day.mkdir()
    (day / "olist_orders_dataset.csv").write_text("abc")
    (day / "olist_orders_dataset_20180510T030000Z.csv").write_text("de")
    (day / "olist_sellers_dataset.csv").write_text("f")
    os.utime(day / "olist_orders_dataset.csv", (1_525_950_000, 1_525_950_000))
    files = Deliveries(str(tmp_path)).files("orders", date(2018, 5, 10))
    assert [(f.name, f.size, f.extracted_at, b"".join(f.chunks())) for f in files] == [
        ("olist_orders_dataset.csv", 3, datetime(2018, 5, 10, 11, 0, tzinfo=UTC), b"abc"),
        ("olist_orders_dataset_20180510T030000Z.csv", 2, datetime(2018, 5, 10, 3, 0, tzinfo=UTC), b"de"),
    ]
    assert Deliveries(str(tmp_path)).files("orders", date(2018, 5, 11)) == ()


def test_a_missing_source_folder_says_what_to_do(tmp_path):
    with pytest.raises(DeliveryError) as error:
        Deliveries(str(tmp_path / "nowhere")).days()
    assert str(error.value) == (
        f"no deliveries: the folder {tmp_path / 'nowhere'} does not exist; "
        "set OLIST_SOURCE, or make one with `olist deliver`"
    )
    (tmp_path / "file").write_text("")
    with pytest.raises(DeliveryError, match="/file is a file; a folder is needed"):
        Deliveries(str(tmp_path / "file")).days()


def test_deliveries_outside_the_landing_dates_are_ignored_with_the_reason(tmp_path):
    for day in ("2018-05-09", "2018-05-10", "2018-05-11", "2018-05-12"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "olist_orders_dataset.csv").write_text("x")
    scan = Deliveries(str(tmp_path), LandingDates(date(2018, 5, 10), date(2018, 5, 11))).scan()
    assert list(scan.deliveries) == [date(2018, 5, 10), date(2018, 5, 11)]
    assert describe_notices(scan.notices) == [
        "ignored: 2018-05-12: after the last landing date, 2018-05-11",
        "ignored: 2018-05-09: before the first landing date, 2018-05-10",
    ]


def test_the_steps_of_a_run_share_one_scan_of_the_source(tmp_path):
    def add(table):
        (tmp_path / "2018-05-10").mkdir(exist_ok=True)
        (tmp_path / "2018-05-10" / f"olist_{table}_dataset.csv").write_text("x")

    def files(run_id):
        scan = Deliveries(str(tmp_path)).scan_for_run(run_id, Window.from_day(date(2018, 5, 10)))
        return [file.name for file in scan.deliveries[date(2018, 5, 10)]]

    add("orders")
    assert files("run 1") == ["olist_orders_dataset.csv"]
    add("sellers")
    assert files("run 1") == ["olist_orders_dataset.csv"]
    assert files("run 2") == ["olist_orders_dataset.csv", "olist_sellers_dataset.csv"]
