"""Replays of whole dumps: no row is lost or changed, and days can be loaded in any order."""

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from olist_assets.lake.files import FILE_STEMS, extraction_time, table_for_file
from olist_assets.sources.generator.dump import generate
from olist_assets.sources.replay import replay
from olist_assets_tests.dumps import SOURCES, real_dump
from olist_assets_tests.sources.replay_dumps import (
    COLUMNS,
    ESTIMATED,
    read_last_rows,
    read_lines,
    read_newest_states,
    replay_orders,
    write_dump,
)
from spark_steps.tables import TABLES

pytestmark = [pytest.mark.slow_module, pytest.mark.long]

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
    days = replay_orders(folder, f"z,c,created,2018-05-01 00:00:00,,,,{ESTIMATED}", *rows)
    dump = folder / "dump" / "olist_orders_dataset.csv"
    assert read_newest_states(folder / "source")["orders"] == read_last_rows(dump)
    states = Counter(line for lines in days.values() for line in lines)
    assert Counter(read_lines(dump)) <= states
    earlier = states - Counter(read_lines(dump))
    orders = Counter(row[0] for row in rows)
    assert all(count == 1 and orders[state[0]] == 1 for state, count in earlier.items())


REAL = [pytest.param("real", marks=pytest.mark.long)] if real_dump() else []


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
    states = read_newest_states(source)
    for table, (name, _) in SOURCES.items():
        assert states[table] == read_last_rows(dump / name), table


def test_every_row_is_delivered_once_and_only_orders_have_earlier_states(replayed):
    dump, source = replayed
    for table, (name, _) in SOURCES.items():
        rows = Counter(line for path in source.rglob(f"{FILE_STEMS[table]}_*") for line in read_lines(path))
        once = Counter(read_lines(dump / name))
        assert once <= rows if table == "orders" else once == rows, table


def test_rows_are_delivered_on_the_day_of_their_event_and_with_their_order(replayed):
    _, source = replayed
    first = {}
    for day in sorted(source.iterdir()):
        rows = [(table_for_file(path.name), row) for path in day.iterdir() for row in read_last_rows(path).values()]
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


IRREGULAR_ROWS = {
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
        f" o9,c9 ,shipped,2018-05-01T01:00:00Z,2018-05-02 01:00:00-0300,2018-05-03 10:00 +03:00,,{ESTIMATED}",
        f"p9,c9,approved,2018-05-01 10:00:00,2018-05-02 10:00:00,,,{ESTIMATED}",
        f"p9\u00a0,c9,created,2018-05-01 10:00:00,,,,{ESTIMATED}",
        f"\t,c9,approved,2018-05-01 10:00:00,2018-05-02 10:00:00,,,{ESTIMATED}",
    ],
    "order_reviews": [
        'r1,o1,5,,"two\nlines ""quoted""",,2018-05-03 10:00:00',
        "r1,o1,4,,,,2018-05-02 10:00:00",
        "r1,o1,9,,,,2018-05-04 10:00:00",
        "r2,o9,,,,,x",
        "r3,o1,3",
        " r4\u00a0,o1,5,,,,2018-05-04 02:00:00+03:00",
        "r4,o1 ,4,,,,2018-05-03 10:00 UTC",
    ],
}


@pytest.mark.parametrize("table", ["orders", "order_reviews"])
def test_days_loaded_in_any_order_give_the_same_tables_as_the_whole_dump(tmp_path, sail_lake, table):
    dump = write_dump(tmp_path / "dump", **IRREGULAR_ROWS)
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
