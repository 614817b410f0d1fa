"""`olist status`."""


def test_status_shows_tables_rows_and_the_last_landing_date(loaded):
    lines = [line.split() for line in loaded("status").splitlines()]
    assert ["raw", "orders", "400", "1", "2016-11-20"] in lines
    assert ["trusted", "orders", "400", "1", "2016-11-20"] in lines
    assert ["no", "open", "problems"] in lines
