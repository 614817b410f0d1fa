"""Any order of deliveries, with repeats, in any windows, gives the same tables."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from olist_assets_tests.spark_steps.steps.trusted.trusted_rows import ORDERS, counts
from spark_steps.protocol import Window

_FIRST_DAY = date(2018, 5, 1)
_numbers = count()

_rows = st.tuples(
    st.sampled_from(["o1", "o2", "o3"]),
    st.sampled_from(["created", "shipped", "", "lost"]),  # the last is an unknown status
    st.sampled_from(["2018-04-30", "2018-05-01"]),
)
_files = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 3), st.lists(_rows, min_size=1, max_size=3)), min_size=1, max_size=4
)


@st.composite
def _deliveries(draw):
    """Files (day, hour of extraction, rows), and the runs: which files land, and the days that are then loaded."""
    files = draw(_files)
    order_of_arrival = draw(
        st.permutations([*range(len(files)), *draw(st.lists(st.integers(0, len(files) - 1), max_size=2))])
    )
    runs = []
    while order_of_arrival:
        landing = order_of_arrival[: draw(st.integers(1, 3))]
        order_of_arrival = order_of_arrival[len(landing) :]
        days = [files[n][0] for n in landing]
        runs.append((landing, draw(st.integers(0, min(days))), draw(st.integers(max(days), 2))))
    return files, runs


@settings(
    derandomize=True,
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example has its own lake
)
@given(deliveries=_deliveries())
def test_any_order_of_deliveries_in_any_windows_gives_the_same_tables(lake, deliveries):
    files, runs = deliveries
    lake = replace(lake, root=lake.root / str(next(_numbers)))
    landed = [_land(lake, number, *file) for number, file in enumerate(files)]
    for numbers, first, last in runs:
        window = Window(_FIRST_DAY + timedelta(days=first), _FIRST_DAY + timedelta(days=last + 1))
        lake.run("raw/orders", window=window, files=[landed[n] for n in numbers])
        counts(lake.run("trusted/orders", window=window))

    columns = ("order_id", "order_status", "order_purchase_timestamp", "order_month")
    lineage = ("_extracted_at", "_landing_date", "_file_id", "_row")
    versions = [
        ((f"{landed[n].extracted_at:%Y-%m-%d %H:%M:%S}", str(landed[n].landing_date), landed[n].file_id, position), row)
        for n, (_, _, rows) in enumerate(files)
        for position, row in enumerate(rows)
    ]
    newest = {}
    for place, (order_id, status, day) in sorted(versions):
        if status != "lost":
            newest[order_id] = (order_id, status or None, f"{day} 00:00:00", day[:7], *place)
    found = lake.read("trusted/orders", *columns, *lineage)
    assert [tuple(row.values()) for row in found] == [newest[key] for key in sorted(newest)]
    refused = sorted(place for place, (_, status, _) in versions if status == "lost")
    assert sorted(tuple(row.values()) for row in lake.read("quarantine/orders", *lineage)) == refused


def _land(lake, number, day, hour, rows):
    """A landed file of orders; its number keeps files of equal rows apart."""
    content = ORDERS + "".join(f"{order_id},c{number},{status},{bought},,,,\n" for order_id, status, bought in rows)
    landing_date = _FIRST_DAY + timedelta(days=day)
    return lake.file(f"{number}.csv", content, day=landing_date, extracted_at=f"2018-05-04 0{hour}:00:00")
