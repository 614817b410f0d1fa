"""Delivering a dump: its day, its names, and what happens when it is delivered again."""

from datetime import date

import pytest

from olist_assets.errors import DeliveryError
from olist_assets.sources.deliver import deliver

ORDERS = (
    "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
    "order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date\n"
)
REVIEWS = (
    "review_id,order_id,review_score,review_comment_title,review_comment_message,"
    "review_creation_date,review_answer_timestamp\n"
)
SELLERS = "seller_id,seller_zip_code_prefix,seller_city,seller_state\n"


@pytest.fixture
def dump(tmp_path):
    folder = tmp_path / "dump"
    folder.mkdir()
    (folder / "olist_orders_dataset.csv").write_text(
        f"{ORDERS}o1,c1,approved,2018-05-01 10:00:00,2018-05-02 10:00:00,,,\n"
    )
    (folder / "notes.csv").write_text("not Olist's\n")
    return folder


def _delivered(source) -> list[str]:
    return sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())


def test_a_dump_is_delivered_on_the_day_after_its_newest_event(dump, tmp_path):
    (dump / "olist_order_reviews_dataset.csv").write_text(
        f'{REVIEWS}r1,o1,5,,"two\nlines",,2018-05-09 23:59:59\nr2,o1,5,,,,never\n'
    )
    delivery = deliver(dump, str(tmp_path / "source"))
    assert delivery.day == date(2018, 5, 10)
    assert delivery.files == (
        "olist_order_reviews_dataset_20180510T000000Z.csv",
        "olist_orders_dataset_20180510T000000Z.csv",
    )
    assert delivery.missing == (
        "customers",
        "geolocation",
        "order_items",
        "order_payments",
        "product_category_translation",
        "products",
        "sellers",
    )
    assert _delivered(tmp_path / "source") == [f"2018-05-10/{name}" for name in delivery.files]


def test_a_dump_delivered_again_is_one_delivery(dump, tmp_path):
    copied = []
    first = deliver(dump, str(tmp_path / "source"), on_file=copied.append)
    assert deliver(dump, str(tmp_path / "source"), on_file=copied.append) == first
    assert copied == ["olist_orders_dataset_20180503T000000Z.csv"]


def test_a_corrected_dump_is_added_with_a_later_extraction_time(dump, tmp_path):
    deliver(dump, str(tmp_path / "source"), day=date(2018, 6, 1))
    (dump / "olist_orders_dataset.csv").write_text(f"{ORDERS}o1,c1,approved,2018-05-01 11:00:00,,,,\n")
    deliver(dump, str(tmp_path / "source"), day=date(2018, 6, 1))
    deliver(dump, str(tmp_path / "source"), day=date(2018, 6, 1))
    assert _delivered(tmp_path / "source") == [
        "2018-06-01/olist_orders_dataset_20180601T000000Z.csv",
        "2018-06-01/olist_orders_dataset_20180601T000001Z.csv",
    ]


def test_a_file_keeps_the_extraction_time_in_its_name(dump, tmp_path):
    (dump / "olist_orders_dataset.csv").rename(dump / "olist_orders_dataset_20180502T033000Z.csv")
    assert deliver(dump, str(tmp_path / "source")).files == ("olist_orders_dataset_20180502T033000Z.csv",)


def test_a_corrected_file_with_a_time_in_its_name_is_added_a_second_later(dump, tmp_path):
    orders = dump / "olist_orders_dataset_20180502T033000Z.csv"
    (dump / "olist_orders_dataset.csv").rename(orders)
    deliver(dump, str(tmp_path / "source"), day=date(2018, 6, 1))
    orders.write_text(f"{ORDERS}o1,c1,approved,2018-05-01 11:00:00,,,,\n")
    deliver(dump, str(tmp_path / "source"), day=date(2018, 6, 1))
    assert _delivered(tmp_path / "source") == [
        "2018-06-01/olist_orders_dataset_20180502T033000Z.csv",
        "2018-06-01/olist_orders_dataset_20180502T033001Z.csv",
    ]


@pytest.mark.parametrize("day", [date(2015, 12, 31), date(2199, 1, 1)])
def test_an_invalid_landing_date_is_refused(dump, tmp_path, day):
    with pytest.raises(DeliveryError, match=f"{day} cannot be a landing date: the landing dates are 2016-01-01 to "):
        deliver(dump, str(tmp_path / "source"), day=day)
    assert not (tmp_path / "source").exists()


def test_missing_empty_and_eventless_dumps_have_different_errors(tmp_path):
    source = str(tmp_path / "source")
    with pytest.raises(DeliveryError, match=r"no dump: .*/nowhere is neither a folder nor a file"):
        deliver(tmp_path / "nowhere", source)
    (tmp_path / "dump").mkdir()
    with pytest.raises(DeliveryError, match=r"no dump: .*/dump has no file named like olist_orders_dataset.csv"):
        deliver(tmp_path / "dump", source)
    (tmp_path / "dump" / "olist_sellers_dataset.csv").write_text(f"{SELLERS}s1,1001,x,SP\n")
    message = r"/dump has no orders or reviews to derive a day from; give one with --day"
    with pytest.raises(DeliveryError, match=message):
        deliver(tmp_path / "dump", source)
    assert not (tmp_path / "source").exists()
