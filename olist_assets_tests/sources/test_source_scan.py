"""The scan of the source: one odd entry does not stop the load, and each entry that is left out is named."""

import os
from datetime import UTC, date, datetime, timedelta

import pytest

from olist_assets.errors import DeliveryError
from olist_assets.lake.folders import printable
from olist_assets.sources.deliveries import Deliveries
from olist_assets.sources.notices import DUE_LATER, IGNORED, Notice, describe_notices
from spark_steps.protocol import Window

ORDERS = "olist_orders_dataset.csv"
GOOD = date(2018, 5, 10)


@pytest.fixture
def source(tmp_path):
    """A source with one good delivery."""
    folder = tmp_path / "source"
    _write(folder / "2018-05-10" / ORDERS)
    return folder


def _write(path, text="order_id\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _scan(source):
    """The days of the source's deliveries and its notices, of the whole and of the single day alike."""
    scan = Deliveries(str(source)).scan()
    [good] = Deliveries(str(source)).scan(Window.from_day(GOOD)).deliveries.values()
    assert good == scan.deliveries[GOOD]
    return list(scan.deliveries), [(notice.status, notice.path, notice.reason) for notice in scan.notices]


def test_a_folder_of_tomorrow_is_due_and_one_before_the_first_landing_date_is_ignored(source):
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    for day in (f"{tomorrow}", "2062-01-01", "2015-12-31"):
        _write(source / day / ORDERS)
    assert _scan(source) == (
        [GOOD],
        [
            (IGNORED, "2015-12-31", "before the first landing date, 2016-01-01"),
            (DUE_LATER, f"{tomorrow}", f"due from {tomorrow}, 00:00 UTC"),
            (DUE_LATER, "2062-01-01", "due from 2062-01-01, 00:00 UTC"),
        ],
    )


def test_a_file_with_a_time_in_the_future_is_due_later(source):
    _write(source / "2018-05-10" / "olist_sellers_dataset_99991231T235959Z.csv")
    late = _write(source / "2018-05-10" / "olist_products_dataset.csv")
    os.utime(late, (15_000_000_000, 15_000_000_000))
    shifted = _write(source / "2018-05-10" / "olist_customers_dataset.csv")
    soon = datetime.now(UTC).timestamp() + 3600 * 14  # a clock of another time zone
    os.utime(shifted, (soon, soon))
    days, notices = _scan(source)
    assert days == [GOOD]
    assert notices == [
        (
            DUE_LATER,
            "2018-05-10/olist_products_dataset.csv",
            "its modification time, 2445-05-01 02:40:00 UTC, is in the future",
        ),
        (
            DUE_LATER,
            "2018-05-10/olist_sellers_dataset_99991231T235959Z.csv",
            "its extraction time, 9999-12-31 23:59:59 UTC, is in the future",
        ),
    ]
    assert [file.name for file in Deliveries(str(source)).scan().deliveries[GOOD]] == [shifted.name, ORDERS]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x\ny.csv", r"x\ny.csv"),
        ("x\ty.csv", r"x\ty.csv"),
        ("x\x1b[31m.csv", r"x\x1b[31m.csv"),
        ("olist_sellers_dataset_\x1b.csv", r"olist_sellers_dataset_\x1b.csv"),
        (b"x\xff.csv", r"x\xff.csv"),
        ("x\u202egnp.csv", r"x\u202egnp.csv"),
    ],
)
def test_a_name_that_cannot_be_printed_is_ignored_and_shown_with_marks(source, name, shown):
    for folder in (source, source / "2018-05-10"):
        with open(os.path.join(os.fsencode(folder), os.fsencode(name)), "w"):  # noqa: PTH118, PTH123 - bytes
            pass
    days, notices = _scan(source)
    assert days == [GOOD]
    reason = "its name has characters that cannot be printed"
    assert notices == [(IGNORED, f"2018-05-10/{shown}", reason), (IGNORED, shown, reason)]


def test_links_are_followed_within_the_source_only(source, tmp_path):
    _write(tmp_path / "secret")
    outside = _write(tmp_path / "elsewhere" / "2018-05-12" / ORDERS).parent
    day = source / "2018-05-10"
    (day / "olist_sellers_dataset.csv").symlink_to(tmp_path / "secret")
    (day / "olist_products_dataset.csv").symlink_to(day / "olist_products_dataset.csv")
    (day / "olist_customers_dataset.csv").symlink_to("nowhere")
    (day / "olist_order_items_dataset.csv").symlink_to(ORDERS)
    (source / "2018-05-11").symlink_to("2018-05-10")
    (source / "2018-05-12").symlink_to(outside)
    (source / "loop").symlink_to(".")
    days, notices = _scan(source)
    assert days == [GOOD, date(2018, 5, 11)]
    leaving = "a link that leads out of the folder"
    expected = [
        (IGNORED, "2018-05-10/olist_customers_dataset.csv", "a link that leads nowhere"),
        (IGNORED, "2018-05-10/olist_products_dataset.csv", "a link that leads nowhere"),
        (IGNORED, "2018-05-10/olist_sellers_dataset.csv", leaving),
        (IGNORED, "2018-05-12", leaving),
        (IGNORED, "loop", "no folder of a landing date, such as 2018-05-10"),
    ]
    assert [notice for notice in notices if not notice[1].startswith("2018-05-11")] == expected
    [alone] = Deliveries(str(source)).scan(Window.from_day(date(2018, 5, 12))).notices
    assert (alone.path, alone.reason) == ("2018-05-12", leaving)


def test_a_source_that_is_a_link_itself_is_read(source, tmp_path):
    (tmp_path / "link").symlink_to(source)
    assert list(Deliveries(str(tmp_path / "link")).scan().deliveries) == [GOOD]


def test_what_is_neither_a_file_nor_a_folder_is_ignored(source):
    os.mkfifo(source / "2018-05-10" / "olist_sellers_dataset.csv")
    assert _scan(source) == ([GOOD], [(IGNORED, "2018-05-10/olist_sellers_dataset.csv", "neither a file nor a folder")])


def test_a_folder_that_cannot_be_read_is_ignored(source, monkeypatch):
    _write(source / "2018-05-11" / ORDERS)
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("2018-05-11"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    assert _scan(source) == ([GOOD], [(IGNORED, "2018-05-11", "permission denied")])


def test_a_source_that_cannot_be_read_is_an_error(source, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(DeliveryError, match=r"^the deliveries cannot be listed: permission denied$"):
        Deliveries(str(source)).scan()


@pytest.mark.parametrize("path", ["", "/2018-05-11"])
def test_storage_that_fails_is_an_error_and_no_day_counts_as_empty(source, monkeypatch, path):
    _write(source / "2018-05-11" / ORDERS)
    scandir = os.scandir

    def fail(folder):
        if str(folder) == f"{source}{path}":
            raise OSError(5, "Input/output error", folder)
        return scandir(folder)

    monkeypatch.setattr("os.scandir", fail)
    for window in (None, *([Window.from_day(date(2018, 5, 11))] if path else [])):
        with pytest.raises(DeliveryError, match=r"^the deliveries cannot be listed: input/output error$"):
            Deliveries(str(source)).scan(window)


def test_a_bucket_that_cannot_be_listed_is_a_redacted_line(bucket, s3):
    deliveries = Deliveries(f"{bucket}/source")
    _ = deliveries.store
    s3.delete_bucket(Bucket=bucket.removeprefix("s3://"))
    for window in (None, Window.from_day(GOOD)):
        with pytest.raises(DeliveryError, match=r"^the deliveries cannot be listed: .*specified bucket does not exist"):
            deliveries.scan(window)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".DS_Store", "no file name of a table"),
        ("olist_orders_dataset.CSV", "no file name of a table; if it belongs to orders, rename it to " + ORDERS),
        ("olist_orders_dataset (1).csv", "no file name of a table; if it belongs to orders, rename it to " + ORDERS),
        ("OLIST_orders_dataset.csv", "no file name of a table; if it belongs to orders, rename it to " + ORDERS),
        ("olist_orders_dataset.csv.gz", "compressed: pass it to `olist deliver`, which unpacks gzip and zip"),
    ],
)
def test_a_name_that_is_almost_right_is_explained(source, name, reason):
    _write(source / "2018-05-10" / name)
    assert _scan(source) == ([GOOD], [(IGNORED, f"2018-05-10/{name}", reason)])


def test_keys_of_a_bucket_that_are_no_paths_do_not_stop_the_load(s3, bucket):
    name = bucket.removeprefix("s3://")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    keys = [f"2018-05-10/{ORDERS}", "2018-05-10/x\ty.csv", "2018-05-10//c.csv", "2018-05-10/", "2018-05-11/./d.csv"]
    for key in (*keys, f"{tomorrow}/{ORDERS}", "notes.txt"):
        s3.put_object(Bucket=name, Key=f"source/{key}", Body=b"order_id\n")
    days, notices = _scan(f"{bucket}/source")
    assert days == [GOOD]
    assert notices == [
        (IGNORED, "2018-05-10/", "its name cannot be printed or read"),
        (IGNORED, r"2018-05-10/x\ty.csv", "its name cannot be printed or read"),
        (IGNORED, "2018-05-11/.", "its name cannot be printed or read"),
        (DUE_LATER, f"{tomorrow}", f"due from {tomorrow}, 00:00 UTC"),
        (IGNORED, "notes.txt", "a file outside the folders of landing dates, such as 2018-05-10"),
    ]


def test_many_notices_of_one_kind_are_one_line():
    notices = [Notice(IGNORED, f"2018-05-10/{n}.txt", "no file name of a table") for n in range(9)]
    assert describe_notices([*notices, Notice(DUE_LATER, "2030-01-01", "due from 2030-01-01, 00:00 UTC")]) == [
        "due later: 2030-01-01: due from 2030-01-01, 00:00 UTC",
        "ignored: 2018-05-10/0.txt, 2018-05-10/1.txt, 2018-05-10/2.txt and 6 more: no file name of a table",
    ]


def test_printable_text_is_not_changed():
    assert printable("Área de trabalho (1) 🙂.csv") == "Área de trabalho (1) 🙂.csv"
