"""Replays: which rows are delivered on which day, ranges of days, and repetition."""

from datetime import date

import pytest

from olist_assets.sources.replay import Replay, replay
from olist_assets_tests.sources.replay_dumps import (
    ESTIMATED,
    read_deliveries,
    replay_orders,
    write_dump,
)


def test_a_dump_is_delivered_day_by_day(tmp_path):
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

    assert read_deliveries(tmp_path / "source") == {
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
    assert result == Replay(tuple(date.fromisoformat(day) for day, _ in days), files=16, new_files=16, missing=())


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
            id="canceled after its delivery",
        ),
        pytest.param(
            "canceled,2018-05-01 10:00:00,,,",
            {"2018-05-01": "canceled,2018-05-01 10:00:00,,,"},
            id="canceled before anything is known",
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
def test_an_order_is_delivered_on_each_day_on_which_it_changed(tmp_path, order, states):
    assert replay_orders(tmp_path, f"o1,c1,{order},{ESTIMATED}") == {
        day: [f"o1,c1,{state},{ESTIMATED}"] for day, state in states.items()
    }


def test_a_range_delivers_the_same_as_the_whole_replay_on_its_days(daily_dump, tmp_path):
    replay(daily_dump, str(tmp_path / "whole"))
    replay(daily_dump, str(tmp_path / "part"), first=date(2018, 5, 3), last=date(2018, 5, 5))
    replay(daily_dump, str(tmp_path / "end"), first=date(2018, 5, 6))
    replay(daily_dump, str(tmp_path / "start"), last=date(2018, 5, 2))
    whole = read_deliveries(tmp_path / "whole")
    assert read_deliveries(tmp_path / "part") == {day: whole[day] for day in ("2018-05-03", "2018-05-04", "2018-05-05")}
    assert (
        read_deliveries(tmp_path / "start") | read_deliveries(tmp_path / "part") | read_deliveries(tmp_path / "end")
        == whole
    )


def test_a_range_without_events_delivers_nothing(daily_dump, tmp_path):
    result = replay(daily_dump, str(tmp_path / "source"), first=date(2018, 7, 1), last=date(2018, 7, 31))
    assert (result.days, result.files) == ((), 0)
    assert read_deliveries(tmp_path / "source") == {}


def test_repeating_a_replay_changes_nothing(daily_dump, tmp_path):
    source = tmp_path / "source"
    first = replay(daily_dump, str(source))
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*.csv")}
    again = replay(daily_dump, str(source))
    assert {path: path.stat().st_mtime_ns for path in source.rglob("*.csv")} == before
    assert (again.days, again.files, again.new_files) == (first.days, len(before), 0)


def test_a_replay_continues_after_an_interruption(daily_dump, tmp_path):
    def interrupt(day, _files):
        if day == date(2018, 5, 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(daily_dump, str(tmp_path / "source"), on_day=interrupt)
    assert list(read_deliveries(tmp_path / "source")) == ["2018-05-01", "2018-05-02", "2018-05-03", "2018-05-04"]
    replay(daily_dump, str(tmp_path / "source"))
    replay(daily_dump, str(tmp_path / "whole"))
    assert read_deliveries(tmp_path / "source") == read_deliveries(tmp_path / "whole")


def test_file_names_have_the_end_of_their_day(daily_dump, tmp_path):
    replay(daily_dump, str(tmp_path / "source"), last=date(2018, 5, 1))
    assert sorted(
        path.relative_to(tmp_path / "source").as_posix() for path in (tmp_path / "source").rglob("*.csv")
    ) == [
        "2018-05-01/olist_customers_dataset_20180501T235959Z.csv",
        "2018-05-01/olist_orders_dataset_20180501T235959Z.csv",
    ]
