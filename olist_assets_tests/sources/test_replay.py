"""Replaying a dump: what is delivered on which day, and that nothing of the dump is lost or changed."""

import csv
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from olist_assets.errors import OlistError
from olist_assets.lake.files import FILE_STEMS, extraction_time, table_for_file
from olist_assets.sources.generator.dump import generate
from olist_assets.sources.replay import Replayed, replay
from olist_assets_tests.dumps import SOURCES, real_dump
from spark_steps.tables import TABLES

COLUMNS = {table: [c.name for c in TABLES[f"raw/{table}"].value_columns] for table in FILE_STEMS}
ESTIMATED = "2018-06-01 00:00:00"


pytestmark = pytest.mark.slow_module

REAL = [pytest.param("real", marks=pytest.mark.long)] if real_dump() else []


def write_dump(folder, **rows):
    """A dump with these lines, below the header, of each table."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, lines in rows.items():
        text = "".join(f"{line}\n" for line in [",".join(COLUMNS[table]), *lines])
        (folder / f"{FILE_STEMS[table]}.csv").write_text(text, newline="")
    return folder


def lines_of(path):
    """The rows of a file as lines without needless quotes, the header left out."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return [",".join(record) for record in csv.reader(lines) if record][1:]


def delivered(source):
    """Of each day, and of each table that something was delivered of, the lines."""
    days = {}
    for path in sorted(Path(source).rglob("*.csv")):
        days.setdefault(path.parent.name, {})[table_for_file(path.name)] = lines_of(path)
    return days


def orders_delivered(folder, *orders):
    """The days of a replay of these orders, and what was delivered of orders on each."""
    replay(write_dump(folder / "dump", orders=orders), str(folder / "source"))
    return {day: tables["orders"] for day, tables in delivered(folder / "source").items()}


def newest_states(source):
    """Of each table the newest row of each key: by time of extraction, landing date and position."""
    found = {table: {} for table in FILE_STEMS}
    for path in sorted(Path(source).rglob("*.csv"), key=lambda path: (extraction_time(path.name), path.parent.name)):
        found[table_for_file(path.name)] |= by_key(path)
    return found


def by_key(path):
    """The last row of each key in a file: texts by column."""
    key = SOURCES[table_for_file(path.name)][1]
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return {tuple(row[column] for column in key): row for row in csv.DictReader(lines)}


# --- A day at a time -------------------------------------------------------------------------------------------------


def test_a_dump_comes_day_by_day_as_the_shop_would_have_sent_it(tmp_path):
    dump = write_dump(
        tmp_path / "dump",
        orders=[
            "o1,c1,delivered,2018-05-01 10:00:00,2018-05-01 10:20:00,2018-05-03 09:00:00,2018-05-07 12:00:00,"
            + ESTIMATED,
            "o2,c2,unavailable,2018-05-03 23:59:59,2018-05-04 00:00:00,,," + ESTIMATED,
        ],
        customers=["c1,ana,01001,são paulo,SP", "c2,bia,20000,rio,RJ"],
        order_items=["o1,1,p1,s1,2018-05-05 00:00:00,10.00,1.00", "o2,1,p2,s1,2018-05-06 00:00:00,20.00,2.00"],
        order_payments=["o1,1,boleto,1,11.00", "o2,1,voucher,1,22.00"],
        order_reviews=["r1,o1,5,,,2018-05-08 00:00:00,2018-05-09 08:00:00"],
        products=["p1,artes,1,2,3,4,5,6,7", "p2,,,,,,,,"],
        sellers=["s1,01001,são paulo,SP"],
        geolocation=["01001,-23.5,-46.6,são paulo,SP"],
        product_category_translation=["artes,art"],
    )
    days = []

    result = replay(dump, str(tmp_path / "source"), on_day=lambda day, files: days.append((str(day), files)))

    assert delivered(tmp_path / "source") == {
        "2018-05-01": {
            "orders": ["o1,c1,approved,2018-05-01 10:00:00,2018-05-01 10:20:00,,," + ESTIMATED],
            "customers": ["c1,ana,01001,são paulo,SP"],
            "order_items": ["o1,1,p1,s1,2018-05-05 00:00:00,10.00,1.00"],
            "order_payments": ["o1,1,boleto,1,11.00"],
            "products": ["p1,artes,1,2,3,4,5,6,7"],
            "sellers": ["s1,01001,são paulo,SP"],
            "geolocation": ["01001,-23.5,-46.6,são paulo,SP"],
            "product_category_translation": ["artes,art"],
        },
        "2018-05-03": {
            "orders": [
                "o1,c1,shipped,2018-05-01 10:00:00,2018-05-01 10:20:00,2018-05-03 09:00:00,," + ESTIMATED,
                "o2,c2,created,2018-05-03 23:59:59,,,," + ESTIMATED,
            ],
            "customers": ["c2,bia,20000,rio,RJ"],
            "order_items": ["o2,1,p2,s1,2018-05-06 00:00:00,20.00,2.00"],
            "order_payments": ["o2,1,voucher,1,22.00"],
            "products": ["p2,,,,,,,,"],
        },
        "2018-05-04": {"orders": ["o2,c2,unavailable,2018-05-03 23:59:59,2018-05-04 00:00:00,,," + ESTIMATED]},
        "2018-05-07": {
            "orders": [
                "o1,c1,delivered,2018-05-01 10:00:00,2018-05-01 10:20:00,2018-05-03 09:00:00,2018-05-07 12:00:00,"
                + ESTIMATED
            ],
        },
        "2018-05-09": {"order_reviews": ["r1,o1,5,,,2018-05-08 00:00:00,2018-05-09 08:00:00"]},
    }
    assert days == [("2018-05-01", 8), ("2018-05-03", 5), ("2018-05-04", 1), ("2018-05-07", 1), ("2018-05-09", 1)]
    assert result == Replayed(tuple(date.fromisoformat(day) for day, _ in days), files=16, new_files=16, missing=())


@pytest.mark.parametrize(
    ("order", "states"),
    [
        pytest.param(
            "canceled,2018-05-01 10:00:00,2018-05-02 10:00:00,2018-05-03 10:00:00,2018-05-04 10:00:00",
            {
                "2018-05-01": "created,2018-05-01 10:00:00,,,",
                "2018-05-02": "approved,2018-05-01 10:00:00,2018-05-02 10:00:00,,",
                "2018-05-03": "shipped,2018-05-01 10:00:00,2018-05-02 10:00:00,2018-05-03 10:00:00,",
                "2018-05-04": "canceled,2018-05-01 10:00:00,2018-05-02 10:00:00,2018-05-03 10:00:00,"
                "2018-05-04 10:00:00",
            },
            id="cancelled after its delivery",
        ),
        pytest.param(
            "canceled,2018-05-01 10:00:00,,,",
            {"2018-05-01": "canceled,2018-05-01 10:00:00,,,"},
            id="cancelled before anything is known",
        ),
        pytest.param(
            "invoiced,2018-05-01 10:00:00,2018-05-02 10:00:00,,",
            {
                "2018-05-01": "created,2018-05-01 10:00:00,,,",
                "2018-05-02": "invoiced,2018-05-01 10:00:00,2018-05-02 10:00:00,,",
            },
            id="invoiced",
        ),
        pytest.param(
            "processing,2018-05-01 10:00:00,2018-05-01 10:00:00,,",
            {"2018-05-01": "processing,2018-05-01 10:00:00,2018-05-01 10:00:00,,"},
            id="approved at once",
        ),
        pytest.param(
            "delivered,2018-05-01 10:00:00,2018-05-04 10:00:00,2018-05-02 10:00:00,2018-05-03 10:00:00",
            {
                "2018-05-01": "created,2018-05-01 10:00:00,,,",
                "2018-05-02": "shipped,2018-05-01 10:00:00,,2018-05-02 10:00:00,",
                "2018-05-03": "delivered,2018-05-01 10:00:00,,2018-05-02 10:00:00,2018-05-03 10:00:00",
                "2018-05-04": "delivered,2018-05-01 10:00:00,2018-05-04 10:00:00,2018-05-02 10:00:00,"
                "2018-05-03 10:00:00",
            },
            id="approved after its delivery",
        ),
        pytest.param(
            "delivered,2018-05-01 10:00:00,2018-05-01 10:00:00,,2018-05-03 10:00:00",
            {
                "2018-05-01": "approved,2018-05-01 10:00:00,2018-05-01 10:00:00,,",
                "2018-05-03": "delivered,2018-05-01 10:00:00,2018-05-01 10:00:00,,2018-05-03 10:00:00",
            },
            id="delivered without a carrier",
        ),
        pytest.param(
            "delivered,2018-05-01 10:00:00,2018-05-01 10:00:00,2018-05-03 10:00:00,",
            {
                "2018-05-01": "approved,2018-05-01 10:00:00,2018-05-01 10:00:00,,",
                "2018-05-03": "delivered,2018-05-01 10:00:00,2018-05-01 10:00:00,2018-05-03 10:00:00,",
            },
            id="delivered at no time",
        ),
        pytest.param(
            "shipped,2018-05-02 10:00:00,2018-05-01 10:00:00,2018-04-30 10:00:00,",
            {"2018-05-02": "shipped,2018-05-02 10:00:00,2018-05-01 10:00:00,2018-04-30 10:00:00,"},
            id="all times before the purchase",
        ),
        pytest.param(
            "delivered,2018-05-02 10:00:00,2018-05-01 10:00:00,2018-05-04,2018-05-05T10:00:00.123",
            {
                "2018-05-02": "approved,2018-05-02 10:00:00,2018-05-01 10:00:00,,",
                "2018-05-04": "shipped,2018-05-02 10:00:00,2018-05-01 10:00:00,2018-05-04,",
                "2018-05-05": "delivered,2018-05-02 10:00:00,2018-05-01 10:00:00,2018-05-04,2018-05-05T10:00:00.123",
            },
            id="times in other notations",
        ),
        pytest.param(
            "teleported,2018-05-01 10:00:00,2018-05-02 10:00:00,,",
            {"2018-05-02": "teleported,2018-05-01 10:00:00,2018-05-02 10:00:00,,"},
            id="a status that trusted does not accept",
        ),
        pytest.param(
            "delivered,2018-05-01 10:00:00,2018-02-31 10:00:00,2018-05-03 10:00:00,2018-05-03 24:00:00",
            {"2018-05-03": "delivered,2018-05-01 10:00:00,2018-02-31 10:00:00,2018-05-03 10:00:00,2018-05-03 24:00:00"},
            id="times that trusted cannot read",
        ),
    ],
)
def test_an_order_comes_on_each_day_on_which_it_changed(tmp_path, order, states):
    assert orders_delivered(tmp_path, f"o1,c1,{order},{ESTIMATED}") == {
        day: [f"o1,c1,{state},{ESTIMATED}"] for day, state in states.items()
    }


def test_an_order_that_is_there_twice_has_no_history_and_its_last_row_is_the_newest(tmp_path):
    first = f"o1,c1,delivered,2018-05-01 10:00:00,2018-05-02 10:00:00,,2018-05-06 10:00:00,{ESTIMATED}"
    last = f"o1,c1,shipped,2018-05-01 10:00:00,2018-05-02 10:00:00,2018-05-03 10:00:00,,{ESTIMATED}"
    assert orders_delivered(tmp_path, first, last) == {"2018-05-06": [first, last]}
    assert orders_delivered(tmp_path / "turned", last, first) == {"2018-05-03": [last], "2018-05-06": [first]}


def test_what_has_no_day_or_an_earlier_one_comes_on_the_first_day(tmp_path):
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
    assert delivered(tmp_path / "source") == {
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


def test_rows_of_one_key_come_in_the_dumps_order(tmp_path):
    late, early = "r1,o1,1,,,,2018-05-09 08:00:00", "r1,o1,5,,,,2018-05-07 08:00:00"
    dump = write_dump(
        tmp_path / "dump",
        orders=[f"o1,c1,created,2018-05-02 10:00:00,,,,{ESTIMATED}"],
        customers=["c1,ana,1,x,SP", "c1,bia,1,x,SP"],
        order_reviews=[late, early],
    )
    replay(dump, str(tmp_path / "source"))
    assert delivered(tmp_path / "source")["2018-05-02"]["customers"] == ["c1,ana,1,x,SP", "c1,bia,1,x,SP"]
    assert delivered(tmp_path / "source")["2018-05-09"] == {"order_reviews": [late, early]}


# --- Texts -----------------------------------------------------------------------------------------------------------


def test_texts_are_delivered_as_they_are(tmp_path):
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
    assert [row["review_comment_title"] for row in by_key(reviews).values()] == texts


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


# --- Ranges and repetitions ------------------------------------------------------------------------------------------


@pytest.fixture
def dump(tmp_path):
    """One order a day, from the 1st to the 9th of May, each approved two days later."""
    return write_dump(
        tmp_path / "dump",
        orders=[
            f"o{n},c{n},approved,2018-05-0{n} 10:00:00,2018-05-{n + 2:02} 10:00:00,,,{ESTIMATED}" for n in range(1, 10)
        ],
        customers=[f"c{n},p{n},1,x,SP" for n in range(1, 10)],
    )


def test_a_range_holds_of_its_days_what_the_whole_replay_holds(dump, tmp_path):
    replay(dump, str(tmp_path / "whole"))
    replay(dump, str(tmp_path / "part"), first=date(2018, 5, 3), last=date(2018, 5, 5))
    replay(dump, str(tmp_path / "end"), first=date(2018, 5, 6))
    replay(dump, str(tmp_path / "start"), last=date(2018, 5, 2))
    whole = delivered(tmp_path / "whole")
    assert delivered(tmp_path / "part") == {day: whole[day] for day in ("2018-05-03", "2018-05-04", "2018-05-05")}
    assert delivered(tmp_path / "start") | delivered(tmp_path / "part") | delivered(tmp_path / "end") == whole


def test_a_range_without_events_delivers_nothing(dump, tmp_path):
    result = replay(dump, str(tmp_path / "source"), first=date(2018, 7, 1), last=date(2018, 7, 31))
    assert (result.days, result.files) == ((), 0)
    assert delivered(tmp_path / "source") == {}


def test_the_same_replay_again_changes_nothing(dump, tmp_path):
    source = tmp_path / "source"
    first = replay(dump, str(source))
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*.csv")}
    again = replay(dump, str(source))
    assert {path: path.stat().st_mtime_ns for path in source.rglob("*.csv")} == before
    assert (again.days, again.files, again.new_files) == (first.days, len(before), 0)


def test_an_interrupted_replay_goes_on_where_it_was(dump, tmp_path):
    def interrupt(day, _files):
        if day == date(2018, 5, 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(dump, str(tmp_path / "source"), on_day=interrupt)
    assert list(delivered(tmp_path / "source")) == ["2018-05-01", "2018-05-02", "2018-05-03", "2018-05-04"]
    replay(dump, str(tmp_path / "source"))
    replay(dump, str(tmp_path / "whole"))
    assert delivered(tmp_path / "source") == delivered(tmp_path / "whole")


def test_files_are_named_by_the_end_of_their_day(dump, tmp_path):
    replay(dump, str(tmp_path / "source"), last=date(2018, 5, 1))
    assert sorted(
        path.relative_to(tmp_path / "source").as_posix() for path in (tmp_path / "source").rglob("*.csv")
    ) == [
        "2018-05-01/olist_customers_dataset_20180501T235959Z.csv",
        "2018-05-01/olist_orders_dataset_20180501T235959Z.csv",
    ]


# --- Mistakes --------------------------------------------------------------------------------------------------------


def test_a_changed_dump_is_not_mixed_into_the_deliveries_of_another(dump, tmp_path):
    replay(dump, str(tmp_path / "source"))
    before = delivered(tmp_path / "source")
    customers = dump / "olist_customers_dataset.csv"
    customers.write_text(customers.read_text().replace("p4", "p44"))
    with pytest.raises(
        OlistError,
        match=r"delivery of 2018-05-04 holds olist_customers_dataset_20180504T235959Z.csv with other content; a dump",
    ):
        replay(dump, str(tmp_path / "source"))
    assert delivered(tmp_path / "source") == before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda dump: dump.rename(dump.with_name("gone")), r"no dump: .*/dump is not a folder$"),
        (
            lambda dump: (dump / "olist_orders_dataset.csv").unlink(),
            r"/dump has no olist_orders_dataset.csv to tell the days of a replay from$",
        ),
        (
            lambda dump: (dump / "olist_orders_dataset_2.csv").write_text(""),
            r"/dump has both olist_orders_dataset.csv and olist_orders_dataset_2.csv; a replay takes one file a table$",
        ),
        (
            lambda dump: (dump / "olist_sellers_dataset.csv").write_text("seller_id,seller_city,seller_state\n"),
            r"/olist_sellers_dataset.csv lacks the column seller_zip_code_prefix; mend it and replay again$",
        ),
        (
            lambda dump: (dump / "olist_sellers_dataset.csv").write_text(""),
            r"/olist_sellers_dataset.csv is empty: it has no header; mend it and replay again$",
        ),
        (
            lambda dump: (dump / "olist_customers_dataset.csv").write_bytes("são".encode("latin-1")),
            r"/olist_customers_dataset.csv is not UTF-8; mend it and replay again$",
        ),
        (
            lambda dump: write_dump(dump, sellers=['s1,1,x,"S', "s2,1,x,SP"]),
            r"/olist_sellers_dataset.csv ends within a quote that is never closed; mend it and replay again$",
        ),
        (
            lambda dump: write_dump(dump, orders=["o1,c1,created,2015-12-31 23:59:59,,,,", "o2,c2,created,,,,,"]),
            r"/dump has no order placed since 2016-01-01 to tell the days of a replay from$",
        ),
        (
            lambda dump: write_dump(
                dump, orders=["o1,c1,delivered,2018-05-01 10:00:00,,,2199-01-01 00:00:00," + ESTIMATED]
            ),
            r"dataset.csv goes up to 2199-01-01, which has not come yet; end the replay with --to \d{4}-\d\d-\d\d$",
        ),
    ],
)
def test_a_dump_that_cannot_be_replayed_is_refused_before_anything_is_delivered(dump, tmp_path, spoil, message):
    spoil(dump)
    with pytest.raises(OlistError, match=message):
        replay(dump, str(tmp_path / "source"))
    assert not (tmp_path / "source").exists()


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (date(2018, 5, 5), date(2018, 5, 4), "the first landing date, 2018-05-05, lies after the last one, 2018-05-04"),
        (date(2015, 12, 31), None, "2015-12-31 cannot be a landing date: it must lie between 2016-01-01 and today"),
        (None, date(2199, 1, 1), "2199-01-01 cannot be a landing date"),
    ],
)
def test_a_range_that_is_none_is_refused(dump, tmp_path, first, last, message):
    with pytest.raises(OlistError, match=message):
        replay(dump, str(tmp_path / "source"), first=first, last=last)


def test_events_after_today_are_left_out_if_the_range_ends_before(tmp_path):
    today = datetime.now(UTC).date()
    rows = [f"o{n},c{n},created,{today + timedelta(days=n)} 00:00:00,,,," for n in (-1, 0, 1)]
    dump = write_dump(tmp_path / "dump", orders=rows)
    with pytest.raises(OlistError, match=f"end the replay with --to {today}$"):
        replay(dump, str(tmp_path / "source"))
    replay(dump, str(tmp_path / "source"), last=today)
    assert [tables["orders"] for tables in delivered(tmp_path / "source").values()] == [[rows[0]], [rows[1]]]


# --- Nothing is lost -------------------------------------------------------------------------------------------------

times = st.sampled_from(
    ["", "", " ", "never", *(f"2018-05-0{day} {hour}:00:00" for day in range(1, 7) for hour in (10, 20))]
)
statuses = st.sampled_from(
    ["created", "approved", "invoiced", "processing", "shipped", "delivered", "canceled", "lost"]
)
order_rows = st.tuples(st.sampled_from("abcdefgh"), st.just("c"), statuses, *(times,) * 5).map(",".join)


@given(st.lists(order_rows, max_size=20))
@settings(max_examples=20, deadline=None)
def test_the_newest_state_of_each_order_is_the_last_row_of_the_dump(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("orders")
    days = orders_delivered(folder, f"z,c,created,2018-05-01 00:00:00,,,,{ESTIMATED}", *rows)
    dump = folder / "dump" / "olist_orders_dataset.csv"
    assert newest_states(folder / "source")["orders"] == by_key(dump)
    states = Counter(line for lines in days.values() for line in lines)
    assert Counter(lines_of(dump)) <= states
    earlier = states - Counter(lines_of(dump))
    orders = Counter(row[0] for row in rows)
    assert all(count == 1 and orders[state[0]] == 1 for state, count in earlier.items())


@pytest.fixture(scope="module", params=["generated", *REAL])
def replayed(request, tmp_path_factory):
    """A whole dump and its deliveries."""
    root = tmp_path_factory.mktemp(request.param)
    folder = real_dump() if request.param == "real" else root / "dump"
    if request.param == "generated":
        generate(folder, orders=2_000, days=120, seed=20)
    replay(folder, str(root / "source"))
    return folder, root / "source"


def test_the_last_state_of_each_key_is_that_of_the_dump(replayed):
    dump, source = replayed
    states = newest_states(source)
    for table, (name, _) in SOURCES.items():
        assert states[table] == by_key(dump / name), table


def test_every_row_of_a_dump_comes_just_once_and_only_orders_have_earlier_states(replayed):
    dump, source = replayed
    for table, (name, _) in SOURCES.items():
        rows = Counter(line for path in source.rglob(f"{FILE_STEMS[table]}_*") for line in lines_of(path))
        once = Counter(lines_of(dump / name))
        assert once <= rows if table == "orders" else once == rows, table


def test_rows_come_on_the_day_of_their_event_and_with_their_order(replayed):
    _, source = replayed
    first = {}
    for day in sorted(source.iterdir()):
        rows = [(table_for_file(path.name), row) for path in day.iterdir() for row in by_key(path).values()]
        for table, row in rows:
            first.setdefault((table, row[SOURCES[table][1][0]]), day.name)
        for table, row in rows:
            if table == "orders":
                assert first["orders", row["order_id"]] == row["order_purchase_timestamp"][:10]
                assert first["customers", row["customer_id"]] == row["order_purchase_timestamp"][:10]
                assert max(row[column][:10] for column in COLUMNS["orders"][3:7]) <= day.name
            elif table == "order_reviews":
                assert row["review_answer_timestamp"][:10] == day.name
            elif table in ("order_items", "order_payments"):
                assert first["orders", row["order_id"]] == day.name
            if table == "order_items":
                assert {("products", row["product_id"]), ("sellers", row["seller_id"])} <= first.keys()


# --- The central promise ---------------------------------------------------------------------------------------------

ODD = {
    "orders": [
        f"o1,c1,delivered,2018-05-01 10:00:00,2018-05-02 10:00:00,2018-05-03 10:00:00,2018-05-04 10:00:00,{ESTIMATED}",
        f"o2,c2,teleported,2018-05-01 10:00:00,2018-05-02 10:00:00,,,{ESTIMATED}",
        f"o3,c3,shipped,2018-05-01 10:00:00,2018-05-04 10:00:00,2018-05-03 10:00:00,,{ESTIMATED}",
        f"o3,c3,canceled,2018-05-01 10:00:00,2018-05-02 10:00:00,,,{ESTIMATED}",
        f"o4,c4,created,never,2018-05-02 10:00:00,,,{ESTIMATED}",
        f"o5,c5,delivered,2018-05-01 10:00:00,2018-05-02 10:00:00,2018-05-32 10:00:00,,{ESTIMATED}",
        "o6,c6,created,2018-05-02 10:00:00",
        f"o7,,approved,2018-05-01 10:00:00,2018-05-02 10:00:00,,,{ESTIMATED}",
        f"o8,c8,delivered,2018-05-01 10:00:00,2018-05-02 10:00:00,,,{ESTIMATED}",
        f"o8,c8,lost,2018-05-01 10:00:00,2018-05-03 10:00:00,,,{ESTIMATED}",
        f"\t,c9,approved,2018-05-01 10:00:00,2018-05-02 10:00:00,,,{ESTIMATED}",
    ],
    "order_reviews": [
        'r1,o1,5,,"two\nlines ""quoted""",,2018-05-03 10:00:00',
        "r1,o1,4,,,,2018-05-02 10:00:00",
        "r1,o1,9,,,,2018-05-04 10:00:00",
        "r2,o9,,,,,x",
        'r3,o1,"3',
    ],
}


@pytest.mark.parametrize("table", ["orders", "order_reviews"])
def test_days_loaded_in_any_order_end_in_the_same_tables_as_the_dump_loaded_whole(tmp_path, sail_lake, table):
    dump = write_dump(tmp_path / "dump", **ODD)
    replay(dump, str(tmp_path / "source"))
    whole, daily = (replace(sail_lake, root=tmp_path / name / "lake") for name in ("whole", "daily"))
    whole.load(table, (dump / f"{FILE_STEMS[table]}.csv").read_bytes())
    files = sorted((tmp_path / "source").rglob(f"{FILE_STEMS[table]}*"))
    for path in files[1::2] + files[::2][::-1]:
        daily.load(
            table,
            path.read_bytes(),
            day=date.fromisoformat(path.parent.name),
            extracted_at=str(extraction_time(path.name).replace(tzinfo=None)),
        )
    values = [c.name for c in TABLES[f"trusted/{table}"].columns if c.name == "_hash" or not c.name.startswith("_")]
    assert daily.read(f"trusted/{table}", *values) == whole.read(f"trusted/{table}", *values)
    quarantined = [
        sorted(map(str, loaded.read(f"quarantine/{table}", "record", "rule", "reason"))) for loaded in (daily, whole)
    ]
    assert quarantined[0] == quarantined[1]
    assert len(quarantined[1]) >= 3
