"""The quarantine of a window is replaced by every rerun."""

from olist_assets_tests.spark_steps.steps.trusted.trusted_rows import ALL_DAYS, MAY_9, MAY_11, counts, order, rewrite


def quarantined(lake):
    rows = lake.read("quarantine/orders", "_landing_date", "_row", "rule")
    return [tuple(row.values()) for row in rows]


def test_a_rerun_after_a_correction_replaces_the_quarantine_of_its_window_and_loads_the_rows(lake):
    other_days = [order("o9", "lost", _landing_date=MAY_9), order("o11", "lost", _landing_date=MAY_11)]
    lake.rows("raw/orders", *other_days, order("o1", "lost"), order("o2", "lost", _row=1), order("o3", _row=2))
    assert counts(lake.run("trusted/orders", window=ALL_DAYS)) == {"read": 5, "inserted": 1, "quarantined": 4}
    rewrite(lake, "raw/orders", *other_days, order("o1"), order("o2", "gone", _row=1), order("o3", _row=2))
    assert counts(lake.run("trusted/orders")) == {"read": 3, "inserted": 1, "unchanged": 1, "quarantined": 1}
    assert quarantined(lake) == [
        ("2018-05-09", 0, "order_status_unknown"),
        ("2018-05-10", 1, "order_status_unknown"),
        ("2018-05-11", 0, "order_status_unknown"),
    ]
    rewrite(lake, "raw/orders", *other_days, order("o1"), order("o2", _row=1), order("o3", _row=2))
    assert counts(lake.run("trusted/orders")) == {"read": 3, "inserted": 1, "unchanged": 2}
    assert quarantined(lake) == [("2018-05-09", 0, "order_status_unknown"), ("2018-05-11", 0, "order_status_unknown")]
    assert [row["order_id"] for row in lake.read("trusted/orders")] == ["o1", "o2", "o3"]


def test_a_rerun_after_the_rows_of_its_window_were_removed_empties_its_quarantine(lake):
    lake.rows("raw/orders", order("o1", "lost"), order("o2", "lost", _landing_date=MAY_11))
    lake.run("trusted/orders", window=ALL_DAYS)
    rewrite(lake, "raw/orders", order("o2", "lost", _landing_date=MAY_11))
    assert counts(lake.run("trusted/orders")) == {}
    assert quarantined(lake) == [("2018-05-11", 0, "order_status_unknown")]


def test_a_rerun_quarantines_each_row_once(lake):
    lake.rows("raw/orders", order("o1", "lost"), order(None, _row=1))
    for _ in range(2):
        assert counts(lake.run("trusted/orders")) == {"read": 2, "quarantined": 2}
    assert quarantined(lake) == [("2018-05-10", 0, "order_status_unknown"), ("2018-05-10", 1, "order_id_missing")]
