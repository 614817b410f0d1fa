"""Load marks: one object per month, which several processes may change at once; marks of earlier releases count."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from olist_assets.lake.layout import Lake
from olist_assets.lake.load_state import LoadMarks
from olist_assets.lake.storage import list_objects

FILES = ["olist_orders_dataset.csv 9 2018-05-10T03:00:00+00:00"]
DAY = date(2018, 5, 10)


@pytest.fixture
def lake(root):
    return Lake(root)


def objects(lake):
    return sorted(meta["path"].removeprefix("control/days/") for meta in list_objects(lake.store, "control/days"))


def mark_by_earlier_release(lake, day, content=None):
    text = json.dumps(FILES).encode() if content is None else content
    lake.store.put(f"control/days/{day}.json", text)


def test_marks_are_written_and_cleared(lake):
    marks = lake.load_marks
    marks.write({DAY: FILES, date(2018, 6, 1): ["a"], date(2018, 5, 2): []})
    assert marks.read() == {date(2018, 5, 2): [], DAY: FILES, date(2018, 6, 1): ["a"]}
    assert marks.days() == [date(2018, 5, 2), DAY, date(2018, 6, 1)]
    marks.clear([DAY, date(2018, 7, 1)])
    assert marks.read() == {date(2018, 5, 2): [], date(2018, 6, 1): ["a"]}
    marks.write({DAY: ["b"]})
    assert marks.read()[DAY] == ["b"]


def test_a_month_has_two_objects_at_most(lake):
    for n in range(5):
        lake.load_marks.clear([DAY + timedelta(days=n)])
        lake.load_marks.write({DAY + timedelta(days=n): FILES})
    assert objects(lake) == ["2018-05/00000005.json", "2018-05/00000006.json"]
    lake.load_marks.clear([date(2018, 5, 1)])  # has no mark
    assert objects(lake) == ["2018-05/00000005.json", "2018-05/00000006.json"]


def test_marks_of_an_earlier_release_count_and_move_when_their_month_changes(lake):
    for day in (DAY, date(2018, 5, 11), date(2018, 6, 1)):
        mark_by_earlier_release(lake, day)
    marks = dict.fromkeys((DAY, date(2018, 5, 11), date(2018, 6, 1)), FILES)
    assert lake.load_marks.read() == marks
    lake.load_marks.clear([date(2018, 5, 11)])
    assert lake.load_marks.read() == {DAY: FILES, date(2018, 6, 1): FILES}
    assert objects(lake) == ["2018-05/00000001.json", "2018-06-01.json"]


def test_the_marks_of_a_month_survive_a_process_that_is_killed_while_they_move(lake):
    mark_by_earlier_release(lake, DAY)
    lake.load_marks.write({date(2018, 5, 11): FILES})
    mark_by_earlier_release(lake, DAY, b'["older"]')  # was not removed
    assert lake.load_marks.read() == {DAY: FILES, date(2018, 5, 11): FILES}
    lake.load_marks.clear([DAY])
    assert lake.load_marks.read() == {date(2018, 5, 11): FILES}
    assert not [path for path in objects(lake) if path.startswith("2018-05-")]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"2018-05-10": 1}', b'{"2018-05-33": []}', b"\xff"])
def test_a_damaged_month_counts_as_loaded_but_not_with_these_files(lake, content):
    lake.load_marks.write({DAY: FILES, date(2018, 6, 1): FILES})
    lake.store.put("control/days/2018-05/00000002.json", content)
    damaged = {}
    marks = lake.load_marks.read(damaged.__setitem__)
    assert marks == dict.fromkeys([date(2018, 5, day) for day in range(1, 32)]) | {date(2018, 6, 1): FILES}
    assert damaged == {"control/days/2018-05/00000002.json": [date(2018, 5, day) for day in range(1, 32)]}
    lake.load_marks.write({DAY: ["new"]})
    assert lake.load_marks.read() == {DAY: ["new"], date(2018, 6, 1): FILES}


def test_changes_by_several_processes_at_once_are_all_kept(lake):
    lake.load_marks.write(dict.fromkeys([date(2018, 5, day) for day in range(1, 9)], FILES))

    def change(day):
        marks = LoadMarks(lake.store)
        marks.clear([date(2018, 5, day)])
        marks.write({date(2018, 5, 10 + day): [str(day)]})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(1, 9)))
    assert lake.load_marks.read() == {date(2018, 5, 10 + day): [str(day)] for day in range(1, 9)}


def test_two_years_of_marks_take_few_requests(s3_requests, bucket):
    lake = Lake(f"{bucket}/lake")
    first = date(2016, 9, 1)
    lake.load_marks.write({first + timedelta(days=n): FILES * 9 for n in range(730)})
    s3_requests.clear()
    assert len(lake.load_marks.read()) == 730
    assert len(s3_requests) <= 26, s3_requests
    s3_requests.clear()
    lake.load_marks.clear([DAY])
    lake.load_marks.write({DAY: FILES})
    assert len(s3_requests) <= 14, s3_requests
