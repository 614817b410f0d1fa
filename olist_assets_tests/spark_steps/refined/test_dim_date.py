"""The calendar: its days and their attributes."""

from datetime import date, timedelta

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import build, order, whole

UNKNOWN_DAY = {
    "date_key": -1,
    "date": None,
    "year": None,
    "quarter": None,
    "month": None,
    "month_name": None,
    "year_month": None,
    "day": None,
    "day_of_week": None,
    "day_name": None,
    "is_weekend": None,
}
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def calendar(lake, *orders):
    if orders:
        lake.rows("trusted/orders", *orders)
    build(lake, "dim_date")
    return whole(lake, "dim_date", "date")


def first_and_last(lake, *orders):
    _unknown, *days = calendar(lake, *orders)
    return days[0]["date"], days[-1]["date"]


def every_day(first, last):
    """The expected calendar, computed in Python."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [
        {
            "date_key": int(f"{day:%Y%m%d}"),
            "date": day.isoformat(),
            "year": day.year,
            "quarter": 1 + (day.month - 1) // 3,
            "month": day.month,
            "month_name": MONTHS[day.month - 1],
            "year_month": f"{day:%Y-%m}",
            "day": day.day,
            "day_of_week": day.isoweekday(),
            "day_name": DAYS[day.isoweekday() - 1],
            "is_weekend": day.isoweekday() in (6, 7),
        }
        for day in days
    ]


def test_the_calendar_has_every_day_once_and_the_unknown_day(lake):
    orders = [order("o1", "c1", "2016-09-04 21:15:19"), order("o2", "c2", "2018-10-17 17:30:18")]
    assert calendar(lake, *orders) == [UNKNOWN_DAY, *every_day(date(2016, 1, 1), date(2019, 12, 31))]


@pytest.mark.parametrize(
    ("newest_order", "last_day"),
    [
        ("2016-01-01 00:00:00", "2017-12-31"),
        ("2018-12-31 23:59:59.999999", "2019-12-31"),
        ("2019-01-01 00:00:00", "2020-12-31"),
        ("2031-06-15 12:00:00", "2032-12-31"),  # no clock is used
    ],
)
def test_the_calendar_runs_from_2016_to_the_end_of_the_year_after_the_newest_order(lake, newest_order, last_day):
    orders = [order("o1", "c1", newest_order), order("o2", "c2", "2016-01-01 00:00:00")]
    assert first_and_last(lake, *orders) == ("2016-01-01", last_day)


def test_a_calendar_without_orders_has_no_gap(lake):
    assert calendar(lake) == [UNKNOWN_DAY, *every_day(date(2016, 1, 1), date(2017, 12, 31))]


def test_an_order_older_than_2016_has_its_day_in_the_calendar(lake):
    days = calendar(lake, order("o1", "c1", "2015-06-01 12:00:00"))
    assert 20150601 in [day["date_key"] for day in days]
    assert days == [UNKNOWN_DAY, *every_day(date(2015, 1, 1), date(2016, 12, 31))]


def test_a_canceled_order_counts_as_the_newest(lake):
    assert first_and_last(lake, order("o1", "c1", "2018-05-10 12:00:00", status="canceled"))[1] == "2019-12-31"


def _day(date_key, day_of_week, *, is_weekend, **more):
    text = f"{date_key}"
    iso, month = f"{text[:4]}-{text[4:6]}-{text[6:]}", int(text[4:6])
    plain = {"date_key": date_key, "date": iso, "year": int(text[:4]), "month": month, "day": int(text[6:])}
    names = {"month_name": MONTHS[month - 1], "year_month": iso[:7], "day_name": DAYS[day_of_week - 1]}
    return plain | names | {"day_of_week": day_of_week, "is_weekend": is_weekend} | more


def test_the_attributes_of_a_day(lake):
    expected = [
        _day(20160101, 5, is_weekend=False, quarter=1, month_name="January", day_name="Friday"),
        _day(20160229, 1, is_weekend=False, quarter=1, month_name="February", day_name="Monday"),  # a leap day
        _day(20160331, 4, is_weekend=False, quarter=1, month_name="March", day_name="Thursday"),
        _day(20160401, 5, is_weekend=False, quarter=2, month_name="April", day_name="Friday"),
        _day(20171231, 7, is_weekend=True, quarter=4, month_name="December", day_name="Sunday"),
        _day(20180513, 7, is_weekend=True, quarter=2, month_name="May", day_name="Sunday"),
        _day(20180514, 1, is_weekend=False, quarter=2, month_name="May", day_name="Monday"),
        _day(20180630, 6, is_weekend=True, quarter=2, month_name="June", day_name="Saturday"),
        _day(20180706, 5, is_weekend=False, quarter=3, month_name="July", day_name="Friday"),
        _day(20180829, 3, is_weekend=False, quarter=3, month_name="August", day_name="Wednesday"),
        _day(20180925, 2, is_weekend=False, quarter=3, month_name="September", day_name="Tuesday"),
        _day(20181017, 3, is_weekend=False, quarter=4, month_name="October", day_name="Wednesday"),
        _day(20181101, 4, is_weekend=False, quarter=4, month_name="November", day_name="Thursday"),
    ]
    days = calendar(lake, order("o1", "c1", "2018-10-17 17:30:18"))
    keys = [day["date_key"] for day in expected]
    assert [row for row in days if row["date_key"] in keys] == expected


def test_only_leap_years_have_a_29th_of_february(lake):
    days = calendar(lake, order("o1", "c1", "2023-05-10 12:00:00"))
    assert [day["date"] for day in days if day["month"] == 2 and day["day"] == 29] == [
        "2016-02-29",
        "2020-02-29",
        "2024-02-29",
    ]


def test_a_week_runs_from_monday_1_to_sunday_7_and_ends_with_the_weekend(lake):
    days = calendar(lake, order("o1", "c1"))
    week = [day for day in days if 20180507 <= day["date_key"] <= 20180513]
    assert [(day["day_of_week"], day["day_name"], day["is_weekend"]) for day in week] == [
        (1, "Monday", False),
        (2, "Tuesday", False),
        (3, "Wednesday", False),
        (4, "Thursday", False),
        (5, "Friday", False),
        (6, "Saturday", True),
        (7, "Sunday", True),
    ]


def test_a_rebuild_writes_the_same_calendar(lake):
    before = calendar(lake, order("o1", "c1"))
    build(lake, "dim_date")
    assert whole(lake, "dim_date", "date") == before
