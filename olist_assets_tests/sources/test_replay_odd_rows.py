"""Replays of irregular rows, of odd texts, and of dumps that cannot be replayed."""

from datetime import UTC, date, datetime, timedelta

import pytest

from olist_assets.errors import DeliveryError
from olist_assets.sources.replay import replay
from olist_assets_tests.sources.replay_dumps import (
    ESTIMATED,
    read_deliveries,
    read_last_rows,
    replay_orders,
    write_dump,
)


def test_a_repeated_order_has_no_history_and_its_last_row_is_the_newest(tmp_path):
    first = f"o1,c1,delivered,2018-05-01 10:00:00,2018-05-02 10:00:00,,2018-05-06 10:00:00,{ESTIMATED}"
    last = f"o1,c1,shipped,2018-05-01 10:00:00,2018-05-02 10:00:00,2018-05-03 10:00:00,,{ESTIMATED}"
    assert replay_orders(tmp_path, first, last) == {"2018-05-06": [first, last]}
    assert replay_orders(tmp_path / "reversed", last, first) == {"2018-05-03": [last], "2018-05-06": [first]}


def test_rows_without_a_day_or_with_an_earlier_one_are_delivered_on_the_first_day(tmp_path):
    dump = write_dump(
        tmp_path / "dump",
        orders=[
            f"o1,c1,created,2018-05-02 10:00:00,,,,{ESTIMATED}",
            f"o2,c2,created,,,,,{ESTIMATED}",
            f"o3,c3,created,1970-01-01 00:00:00,,,,{ESTIMATED}",
            f"o4,c4,created,05/04/2018,,,,{ESTIMATED}",
            f",c5,created,2018-05-04 10:00:00,,,,{ESTIMATED}",
            f"o6,c6,created,2018-05-05 10:00:00,,,,{ESTIMATED}",
            "o7,c7",
        ],
        customers=["c1,ana,1,x,SP", "c2,bia,2,x,SP", "c9,nobody,9,x,SP", "c6,eva,6,x,SP", ",,,,", "c6"],
        order_items=["o6,1,p1,s1,,1.00,1.00", "o9,1,p1,s2,,1.00,1.00", ",2,p3,s3,,1.00,1.00", "o6,2,p4,s4,,1,1"],
        order_payments=["o9,1,boleto,1,1.00", "o6,1,boleto,1,1.00", "o6"],
        order_reviews=[
            "r1,o1,5,,,2018-05-08 00:00:00,soon",
            "r2,o9,5,,,2018-05-07 00:00:00,2018-05-09 00:00:00",
            "r3,o1,5,,,,",
            "r4,o1,5,,,,2018-05-01 00:00:00",
            "r5,o1",
        ],
        products=["p1,,,,,,,,", "p2,,,,,,,,", "p4,,,,,,,,", "p4"],
        sellers=["s1,1,x,SP", "s2,1,x,SP", "s9,1,x,SP", "s4,1,x,SP"],
    )
    replay(dump, str(tmp_path / "source"))
    assert read_deliveries(tmp_path / "source") == {
        "2018-05-02": {
            "orders": [
                f"o1,c1,created,2018-05-02 10:00:00,,,,{ESTIMATED}",
                f"o2,c2,created,,,,,{ESTIMATED}",
                f"o3,c3,created,1970-01-01 00:00:00,,,,{ESTIMATED}",
                f"o4,c4,created,05/04/2018,,,,{ESTIMATED}",
                "o7,c7",
            ],
            "customers": ["c1,ana,1,x,SP", "c2,bia,2,x,SP", "c9,nobody,9,x,SP", ",,,,", "c6"],
            "order_items": ["o9,1,p1,s2,,1.00,1.00", ",2,p3,s3,,1.00,1.00"],
            "order_payments": ["o9,1,boleto,1,1.00", "o6"],
            "order_reviews": ["r3,o1,5,,,,", "r4,o1,5,,,,2018-05-01 00:00:00", "r5,o1"],
            "products": ["p1,,,,,,,,", "p2,,,,,,,,", "p4"],
            "sellers": ["s2,1,x,SP", "s9,1,x,SP"],
        },
        "2018-05-04": {"orders": [f",c5,created,2018-05-04 10:00:00,,,,{ESTIMATED}"]},
        "2018-05-05": {
            "orders": [f"o6,c6,created,2018-05-05 10:00:00,,,,{ESTIMATED}"],
            "customers": ["c6,eva,6,x,SP"],
            "order_items": ["o6,1,p1,s1,,1.00,1.00", "o6,2,p4,s4,,1,1"],
            "order_payments": ["o6,1,boleto,1,1.00"],
            "products": ["p4,,,,,,,,"],
            "sellers": ["s1,1,x,SP", "s4,1,x,SP"],
        },
        "2018-05-08": {"order_reviews": ["r1,o1,5,,,2018-05-08 00:00:00,soon"]},
        "2018-05-09": {"order_reviews": ["r2,o9,5,,,2018-05-07 00:00:00,2018-05-09 00:00:00"]},
    }


def test_rows_of_one_key_are_delivered_in_the_dumps_order(tmp_path):
    late, early = "r1,o1,1,,,,2018-05-09 08:00:00", "r1,o1,5,,,,2018-05-07 08:00:00"
    dump = write_dump(
        tmp_path / "dump",
        orders=[f"o1,c1,created,2018-05-02 10:00:00,,,,{ESTIMATED}"],
        customers=["c1,ana,1,x,SP", "c1,bia,1,x,SP"],
        order_reviews=[late, early],
    )
    replay(dump, str(tmp_path / "source"))
    assert read_deliveries(tmp_path / "source")["2018-05-02"]["customers"] == ["c1,ana,1,x,SP", "c1,bia,1,x,SP"]
    assert read_deliveries(tmp_path / "source")["2018-05-09"] == {"order_reviews": [late, early]}


def test_texts_are_delivered_unchanged(tmp_path):
    texts = ["00123", " blank ", 'a "quote", a comma', "two\nlines", "\r\nmore", "são é ü 🙂", "NULL", "1e5", "\t", "'"]
    dump = write_dump(
        tmp_path / "dump",
        orders=[f"o1,c1,created,2018-05-02 10:00:00,,,,{ESTIMATED}"],
        order_reviews=[
            f'r{n},o1,5,"{text.replace(chr(34), chr(34) * 2)}",,,2018-05-02 10:00:00' for n, text in enumerate(texts)
        ],
    )
    replay(dump, str(tmp_path / "source"))
    [reviews] = (tmp_path / "source/2018-05-02").glob("olist_order_reviews*")
    assert [row["review_comment_title"] for row in read_last_rows(reviews).values()] == texts


def test_byte_order_mark_line_ends_and_unknown_columns(tmp_path):
    dump = write_dump(tmp_path / "dump", orders=[f"o1,c1,created,2018-05-02 10:00:00,,,,{ESTIMATED}"])
    (dump / "product_category_name_translation.csv").write_bytes(
        b"\xef\xbb\xbfproduct_category_name_english,it's/odd,product_category_name,_row\r\n"
        b'art,"caf\xc3\xa9 ""x""",artes,9\r\n\r\nmusic,,musica,\r\nonly\r\n'
    )
    replay(dump, str(tmp_path / "source"))
    [translation] = (tmp_path / "source/2018-05-02").glob("product_category*")
    assert translation.read_text(encoding="utf-8") == (
        '"product_category_name_english","it\'s/odd","product_category_name","_row"\n'
        '"art","café ""x""","artes","9"\n"music",,"musica",\nonly\n'
    )


def test_a_changed_dump_is_not_mixed_into_the_deliveries_of_another(daily_dump, tmp_path):
    replay(daily_dump, str(tmp_path / "source"))
    before = read_deliveries(tmp_path / "source")
    customers = daily_dump / "olist_customers_dataset.csv"
    customers.write_text(customers.read_text().replace("p4", "p44"))
    with pytest.raises(
        DeliveryError,
        match=r"delivery of 2018-05-04 has olist_customers_dataset_20180504T235959Z.csv with other content; a ",
    ):
        replay(daily_dump, str(tmp_path / "source"))
    assert read_deliveries(tmp_path / "source") == before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda dump: dump.rename(dump.with_name("gone")), r"no dump: .*/dump is not a folder$"),
        (
            lambda dump: (dump / "olist_orders_dataset.csv").unlink(),
            r"/dump has no olist_orders_dataset.csv to derive the days of a replay from$",
        ),
        (
            lambda dump: (dump / "olist_orders_dataset_2.csv").write_text(""),
            (
                r"/dump has both olist_orders_dataset.csv and olist_orders_dataset_2.csv; "
                r"a replay takes one file per table$"
            ),
        ),
        (
            lambda dump: (dump / "olist_sellers_dataset.csv").write_text("seller_id,seller_city,seller_state\n"),
            r"/olist_sellers_dataset.csv lacks the column seller_zip_code_prefix; fix it and replay again$",
        ),
        (
            lambda dump: (dump / "olist_sellers_dataset.csv").write_text(""),
            r"/olist_sellers_dataset.csv is empty: it has no header; fix it and replay again$",
        ),
        (
            lambda dump: (dump / "olist_customers_dataset.csv").write_bytes("são".encode("latin-1")),
            r"/olist_customers_dataset.csv is not UTF-8; fix it and replay again$",
        ),
        (
            lambda dump: write_dump(dump, sellers=['s1,1,x,"S', "s2,1,x,SP"]),
            r"/olist_sellers_dataset.csv: the quote in line 2 is never closed; fix it and replay again$",
        ),
        (
            lambda dump: write_dump(dump, orders=["o1,c1,created,2015-12-31 23:59:59,,,,", "o2,c2,created,,,,,"]),
            r"/dump has no order placed since 2016-01-01 to derive the days of a replay from$",
        ),
        (
            lambda dump: write_dump(
                dump, orders=["o1,c1,delivered,2018-05-01 10:00:00,,,2199-01-01 00:00:00," + ESTIMATED]
            ),
            r"dataset.csv goes up to 2199-01-01, which is in the future; end the replay with --to \d{4}-\d\d-\d\d$",
        ),
    ],
)
def test_an_unusable_dump_is_refused_before_anything_is_delivered(daily_dump, tmp_path, spoil, message):
    spoil(daily_dump)
    with pytest.raises(DeliveryError, match=message):
        replay(daily_dump, str(tmp_path / "source"))
    assert not (tmp_path / "source").exists()


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (date(2018, 5, 5), date(2018, 5, 4), "the first landing date, 2018-05-05, is after the last one, 2018-05-04"),
        (date(2015, 12, 31), None, "2015-12-31 cannot be a landing date: the landing dates are 2016-01-01 to "),
        (None, date(2199, 1, 1), "2199-01-01 cannot be a landing date"),
    ],
)
def test_an_invalid_range_is_refused(daily_dump, tmp_path, first, last, message):
    with pytest.raises(DeliveryError, match=message):
        replay(daily_dump, str(tmp_path / "source"), first=first, last=last)


def test_events_after_today_are_left_out_if_the_range_ends_before(tmp_path):
    today = datetime.now(UTC).date()
    rows = [f"o{n},c{n},created,{today + timedelta(days=n)} 00:00:00,,,," for n in (-1, 0, 1)]
    dump = write_dump(tmp_path / "dump", orders=rows)
    with pytest.raises(DeliveryError, match=f"end the replay with --to {today}$"):
        replay(dump, str(tmp_path / "source"))
    replay(dump, str(tmp_path / "source"), last=today)
    assert [tables["orders"] for tables in read_deliveries(tmp_path / "source").values()] == [[rows[0]], [rows[1]]]
