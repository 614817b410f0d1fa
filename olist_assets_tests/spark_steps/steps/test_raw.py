"""Raw has every delivered row unchanged: append-only, one commit per run, each file once per landing date."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import deltalake
import pytest

from spark_steps import delta
from spark_steps.protocol import DayCounts, RowCounts, StepError, StepResult, Window
from spark_steps.steps import raw

HEADER = "seller_id,seller_zip_code_prefix,seller_city,seller_state\n"
MAY_10, MAY_11, MAY_12 = date(2018, 5, 10), date(2018, 5, 11), date(2018, 5, 12)


def version(lake, table_id="raw/sellers"):
    return deltalake.DeltaTable(lake.table(table_id).uri).version()


def sellers(lake):
    """Landing date, file name, position and seller of every raw row."""
    rows = lake.read("raw/sellers", "_landing_date", "_file_name", "_row", "seller_id")
    return sorted(tuple(row.values()) for row in rows)


def counts(result: StepResult):
    """Versions before and after, rows read and inserted."""
    return result.version_before, result.version_after, result.rows.read, result.rows.inserted


@pytest.mark.spark
def test_rows_have_all_columns_of_the_file_and_their_lineage(lake):
    first = lake.file(
        "olist_sellers_dataset_20180510T030000Z.csv", HEADER + 's1,1001," sao paulo ",SP\n,,,\n', day=MAY_10
    )
    second = lake.file(
        "olist_sellers_dataset_20180511T040506Z.csv",
        "origin," + HEADER + "web,s1,01001,,xx\nshop,s9\n",
        day=MAY_11,
        extracted_at="2018-05-11 04:05:06",
    )
    result = lake.run("raw/sellers", window=Window(MAY_10, MAY_12), files=[first, second])
    assert lake.read("raw/sellers") == [
        {
            "seller_id": "s1",
            "seller_zip_code_prefix": "1001",
            "seller_city": " sao paulo ",
            "seller_state": "SP",
            "_landing_date": "2018-05-10",
            "_file_id": "9f232be0b5daac79",
            "_file_name": "olist_sellers_dataset_20180510T030000Z.csv",
            "_row": 0,
            "_extracted_at": "2018-05-10 03:00:00",
            "_run_id": "test",
            "_extra": None,
            "_reject": None,
            "_text": None,
            "_received_at": "2018-05-10 04:00:00",
        },
        {
            "seller_id": None,
            "seller_zip_code_prefix": None,
            "seller_city": None,
            "seller_state": None,
            "_landing_date": "2018-05-10",
            "_file_id": "9f232be0b5daac79",
            "_file_name": "olist_sellers_dataset_20180510T030000Z.csv",
            "_row": 1,
            "_extracted_at": "2018-05-10 03:00:00",
            "_run_id": "test",
            "_extra": None,
            "_reject": None,
            "_text": None,
            "_received_at": "2018-05-10 04:00:00",
        },
        {
            "seller_id": "s1",
            "seller_zip_code_prefix": "01001",
            "seller_city": None,
            "seller_state": "xx",
            "_landing_date": "2018-05-11",
            "_file_id": "952cc0491ddc6668",
            "_file_name": "olist_sellers_dataset_20180511T040506Z.csv",
            "_row": 0,
            "_extracted_at": "2018-05-11 04:05:06",
            "_run_id": "test",
            "_extra": '{"origin": "web"}',
            "_reject": None,
            "_text": None,
            "_received_at": "2018-05-10 04:00:00",
        },
        {
            "seller_id": None,
            "seller_zip_code_prefix": None,
            "seller_city": None,
            "seller_state": None,
            "_landing_date": "2018-05-11",
            "_file_id": "952cc0491ddc6668",
            "_file_name": "olist_sellers_dataset_20180511T040506Z.csv",
            "_row": 1,
            "_extracted_at": "2018-05-11 04:05:06",
            "_run_id": "test",
            "_extra": None,
            "_reject": "expected 5 columns, got 2",
            "_text": "shop,s9",
            "_received_at": "2018-05-10 04:00:00",
        },
    ]
    assert counts(result) == (0, 1, 4, 4)


def test_misspelt_columns_keep_their_source_names(lake):
    header = (
        "product_id,product_category_name,product_name_lenght,product_description_lenght,product_photos_qty,"
        "product_weight_g,product_length_cm,product_height_cm,product_width_cm\n"
    )
    file = lake.file("olist_products_dataset.csv", header + "p1,beleza,40,287,1,225,16,10,14\n")
    lake.run("raw/products", files=[file])
    assert lake.read("raw/products", *header.rstrip("\n").split(",")) == [
        {
            "product_id": "p1",
            "product_category_name": "beleza",
            "product_name_lenght": "40",
            "product_description_lenght": "287",
            "product_photos_qty": "1",
            "product_weight_g": "225",
            "product_length_cm": "16",
            "product_height_cm": "10",
            "product_width_cm": "14",
        }
    ]


def test_a_later_run_appends_and_keeps_the_earlier_rows(lake):
    first = lake.run("raw/sellers", files=[lake.file("first.csv", HEADER + "s1,1001,a,SP\ns2,1002,b,SP\n")])
    second = lake.run("raw/sellers", files=[lake.file("second.csv", HEADER + "s1,1001,c,SP\n")])
    assert [counts(first), counts(second)] == [(0, 1, 2, 2), (1, 2, 1, 1)]
    assert sellers(lake) == [
        ("2018-05-10", "first.csv", 0, "s1"),
        ("2018-05-10", "first.csv", 1, "s2"),
        ("2018-05-10", "second.csv", 0, "s1"),
    ]


def test_the_same_row_twice_in_a_file_is_two_rows(lake):
    lake.run("raw/sellers", files=[lake.file("f.csv", HEADER + "s1,1001,a,SP\n" * 2)])
    assert sellers(lake) == [("2018-05-10", "f.csv", 0, "s1"), ("2018-05-10", "f.csv", 1, "s1")]


def test_files_of_several_days_in_one_window_are_one_commit(lake):
    files = [
        lake.file(f"{day}-{n}.csv", f"{HEADER}s{day.day}{n},1001,a,SP\n", day=day)
        for day in (MAY_12, MAY_10, MAY_11)
        for n in range(8)
    ]
    result = lake.run("raw/sellers", window=Window(MAY_10, date(2018, 5, 13)), files=files)
    assert counts(result) == (0, 1, 24, 24)
    assert sellers(lake) == [
        (f"2018-05-{day}", f"2018-05-{day}-{n}.csv", 0, f"s{day}{n}") for day in (10, 11, 12) for n in range(8)
    ]


# --- Each file once a landing date ---------------------------------------------------------------------------------


def test_a_rerun_with_the_same_files_changes_nothing(lake):
    file = lake.file("f.csv", HEADER + "s1,1001,a,SP\n")
    lake.run("raw/sellers", files=[file])
    assert counts(lake.run("raw/sellers", files=[file])) == (1, 1, 0, 0)
    assert sellers(lake) == [("2018-05-10", "f.csv", 0, "s1")]


def test_a_rerun_appends_only_new_files(lake):
    first = lake.file("first.csv", HEADER + "s1,1001,a,SP\n")
    lake.run("raw/sellers", files=[first])
    second = lake.file("second.csv", HEADER + "s2,1001,a,SP\n")
    assert counts(lake.run("raw/sellers", files=[first, second])) == (1, 2, 1, 1)
    assert sellers(lake) == [("2018-05-10", "first.csv", 0, "s1"), ("2018-05-10", "second.csv", 0, "s2")]


def test_a_file_sent_twice_under_other_names_is_one_file(lake):
    content = HEADER + "s1,1001,a,SP\n"
    earlier = lake.file("earlier.csv", content, extracted_at="2018-05-10 03:00:00")
    later = lake.file("later.csv", content, extracted_at="2018-05-10 09:00:00")
    assert counts(lake.run("raw/sellers", files=[later, earlier])) == (0, 1, 1, 1)
    assert sellers(lake) == [("2018-05-10", "earlier.csv", 0, "s1")]
    again = replace(later, name="again.csv")
    assert counts(lake.run("raw/sellers", files=[again])) == (1, 1, 0, 0)
    assert sellers(lake) == [("2018-05-10", "earlier.csv", 0, "s1")]


def test_the_same_file_on_another_landing_date_is_another_delivery(lake):
    content = HEADER + "s1,1001,a,SP\n"
    lake.run("raw/sellers", day=MAY_10, files=[lake.file("f.csv", content, day=MAY_10)])
    result = lake.run("raw/sellers", day=MAY_11, files=[lake.file("f.csv", content, day=MAY_11)])
    assert counts(result) == (1, 2, 1, 1)
    assert sellers(lake) == [("2018-05-10", "f.csv", 0, "s1"), ("2018-05-11", "f.csv", 0, "s1")]


def test_a_day_of_a_larger_window_that_was_loaded_alone_is_not_loaded_again(lake):
    files = [lake.file(f"{day}.csv", f"{HEADER}s{day.day},1001,a,SP\n", day=day) for day in (MAY_10, MAY_11, MAY_12)]
    lake.run("raw/sellers", day=MAY_11, files=[files[1]])
    assert counts(lake.run("raw/sellers", window=Window(MAY_10, date(2018, 5, 13)), files=files)) == (1, 2, 2, 2)
    assert sellers(lake) == [
        ("2018-05-10", "2018-05-10.csv", 0, "s10"),
        ("2018-05-11", "2018-05-11.csv", 0, "s11"),
        ("2018-05-12", "2018-05-12.csv", 0, "s12"),
    ]


def test_a_file_of_a_day_outside_the_window_is_not_appended_twice(lake):
    file = lake.file("late.csv", HEADER + "s1,1001,a,SP\n", day=MAY_12)
    lake.run("raw/sellers", day=MAY_12, files=[file])
    lake.run("raw/sellers", day=MAY_10, files=[file])
    assert sellers(lake) == [("2018-05-12", "late.csv", 0, "s1")]


def test_appended_and_total_rows_are_reported_per_landing_date(lake):
    may_9 = date(2018, 5, 9)
    lake.run("raw/sellers", day=may_9, files=[lake.file("9.csv", HEADER + "s9,1001,a,SP\n", day=may_9)])
    lake.run("raw/sellers", day=MAY_10, files=[lake.file("10.csv", HEADER + "s10,1001,a,SP\n", day=MAY_10)])
    files = [
        lake.file("10.csv", HEADER + "s10,1001,a,SP\n", day=MAY_10),
        lake.file("10-late.csv", HEADER + "late,1001,a,SP\n" * 2, day=MAY_10),
        lake.file("11.csv", HEADER, day=MAY_11),
        lake.file("12.csv", HEADER + "s12,1001,a,SP\ns12\n", day=MAY_12),
        lake.file("12-more.csv", HEADER + "more,1001,a,SP\n", day=MAY_12),
    ]
    window = Window(MAY_10, date(2018, 5, 13))
    result = lake.run("raw/sellers", window=window, files=files)
    assert result.days == (
        DayCounts(day=MAY_10, rows=RowCounts(read=2, inserted=2), partition_rows=3),
        DayCounts(day=MAY_12, rows=RowCounts(read=3, inserted=3), partition_rows=3),
    )
    assert counts(result) == (2, 3, 5, 5)
    nothing_new = (DayCounts(day=MAY_10, partition_rows=3), DayCounts(day=MAY_12, partition_rows=3))
    assert lake.run("raw/sellers", window=window, files=files).days == nothing_new
    assert lake.run("raw/sellers", window=window).days == nothing_new
    assert lake.run("raw/sellers", day=MAY_11).days == ()


# --- Nothing to append ---------------------------------------------------------------------------------------------


def test_a_run_without_files_creates_the_table_and_changes_nothing(lake):
    assert counts(lake.run("raw/sellers")) == (0, 0, 0, 0)
    assert lake.read("raw/sellers") == []
    lake.run("raw/sellers", files=[lake.file("f.csv", HEADER + "s1,1001,a,SP\n")])
    assert counts(lake.run("raw/sellers")) == (1, 1, 0, 0)
    assert sellers(lake) == [("2018-05-10", "f.csv", 0, "s1")]


def test_a_file_without_rows_changes_nothing(lake):
    file = lake.file("f.csv", HEADER)
    assert counts(lake.run("raw/sellers", files=[file])) == (0, 0, 0, 0)
    assert lake.read("raw/sellers") == []


# --- Nothing is lost -----------------------------------------------------------------------------------------------


def test_one_unreadable_file_fails_the_run_and_nothing_is_appended(lake):
    good = lake.file("good.csv", HEADER + "s1,1001,a,SP\n")
    bad = lake.file("bad.csv", "seller_id\ns2\n")
    with pytest.raises(StepError) as refused:
        lake.run("raw/sellers", files=[good, bad])
    assert str(refused.value) == (
        "raw/sellers: bad.csv of 2018-05-10 lacks the column seller_zip_code_prefix, seller_city, seller_state; "
        "replace it in the delivery by a corrected file, or remove it there and from the landing zone"
    )
    assert version(lake) == 0
    assert lake.read("raw/sellers") == []
    lake.run("raw/sellers", files=[good])
    assert sellers(lake) == [("2018-05-10", "good.csv", 0, "s1")]


def test_the_step_does_not_remove_files(lake):
    file = lake.file("f.csv", HEADER + "s1,1001,a,SP\n")
    lake.run("raw/sellers", files=[file])
    assert Path(file.uri).read_text() == HEADER + "s1,1001,a,SP\n"


def test_a_missing_file_fails_the_run_and_nothing_is_appended(lake):
    gone = replace(lake.file("f.csv", "x"), uri=str(lake.root / "gone.csv"), name="gone.csv", file_id="0" * 16)
    good = lake.file("good.csv", HEADER + "s1,1001,a,SP\n")
    with pytest.raises(Exception, match=r"gone\.csv"):
        lake.run("raw/sellers", files=[gone, good])
    assert version(lake) == 0


# --- Many files ---------------------------------------------------------------------------------------------------


@pytest.mark.spark
def test_many_files_are_read_by_the_engine(lake, monkeypatch):
    monkeypatch.setattr(raw, "_MAX_COLLECTED_FILES", 1)
    files = [lake.file(f"f{n}.csv", HEADER + f"s{n},1,a,SP\ntoo,many,values,in,row {n}\n") for n in range(2)]
    assert counts(lake.run("raw/sellers", files=files)) == (0, 1, 4, 4)
    rows = lake.read("raw/sellers", "_file_name", "_row", "seller_id", "_text")
    assert sorted(tuple(row.values()) for row in rows) == [
        ("f0.csv", 0, "s0", None),
        ("f0.csv", 1, None, "too,many,values,in,row 0"),
        ("f1.csv", 0, "s1", None),
        ("f1.csv", 1, None, "too,many,values,in,row 1"),
    ]
    files = [lake.file("g1.csv", HEADER), lake.file("g2.csv", "seller_id\ns1\n")]
    with pytest.raises(StepError, match=r"raw/sellers: g2\.csv of 2018-05-10 lacks the column seller_zip_code_prefix"):
        lake.run("raw/sellers", files=files)


# --- What the log shows ------------------------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch):
    """The windows whose data the step reads."""
    windows, read = [], delta.read
    monkeypatch.setattr(delta, "read", lambda spark, table: windows.append(table.handle.window) or read(spark, table))
    return windows


def test_the_log_shows_which_files_the_table_has(sail_lake, reads):
    files = [
        sail_lake.file(f"{n}_in_a_name_of_more_than_32_characters.csv", HEADER + f"s{n},1,a,SP\n", day=day)
        for day in (MAY_10, MAY_11)
        for n in range(day.day - 8)
    ]
    for file in files:
        sail_lake.run("raw/sellers", day=file.landing_date, files=[file])
    assert counts(sail_lake.run("raw/sellers", window=Window(MAY_10, MAY_12), files=files)) == (5, 5, 0, 0)
    assert reads == []


def test_a_new_file_is_appended_without_reading_data(sail_lake, reads):
    sail_lake.run("raw/sellers", files=[sail_lake.file("a.csv", HEADER + "s1,1,a,SP\n")])
    assert counts(sail_lake.run("raw/sellers", files=[sail_lake.file("a.csv", HEADER + "s2,1,a,SP\n")])) == (1, 2, 1, 1)
    assert reads == []


def test_data_files_with_rows_of_several_delivered_files_are_read(sail_lake, reads):
    """Compaction puts the files of a day into one data file."""
    files = [sail_lake.file(f"f{n}.csv", HEADER + f"s{n},1,a,SP\n") for n in range(5)]
    for file in files[:4]:
        sail_lake.run("raw/sellers", files=[file])
    deltalake.DeltaTable(sail_lake.table("raw/sellers").uri).optimize.compact()
    assert counts(sail_lake.run("raw/sellers", files=files)) == (5, 6, 1, 1)
    assert reads == [Window.from_day(MAY_10)]
    assert [row[3] for row in sellers(sail_lake)] == ["s0", "s1", "s2", "s3", "s4"]


def test_many_files_of_a_day_become_one_data_file(sail_lake):
    files = [sail_lake.file(f"f{n}.csv", HEADER + f"s{n},1,a,SP\n") for n in range(40)]
    assert sail_lake.run("raw/sellers", files=files).files.added == 1
    assert counts(sail_lake.run("raw/sellers", files=files)) == (1, 1, 0, 0)


@pytest.mark.parametrize("compacted", [False, True])
def test_a_content_that_replaced_another_one_is_appended_again(sail_lake, compacted):
    first, second = (HEADER + f"s1,1,{city},SP\n" for city in ("rio", "santos"))
    for hour, content in ((4, first), (5, second)):
        file = sail_lake.file("f.csv", content, received_at=f"2018-05-10 0{hour}:00:00")
        sail_lake.run("raw/sellers", files=[file])
    if compacted:
        deltalake.DeltaTable(sail_lake.table("raw/sellers").uri).optimize.compact()
    again = sail_lake.file("f.csv", first, received_at="2018-05-10 06:00:00")
    for inserted in (1, 0):
        assert sail_lake.run("raw/sellers", files=[again]).rows.inserted == inserted
    assert len(sellers(sail_lake)) == 3


def test_a_content_whose_rows_were_deleted_by_a_vector_is_appended_again(sail_lake):
    file = sail_lake.file("f.csv", HEADER + "s1,1,a,SP\n")
    other = sail_lake.file("g.csv", HEADER + "s2,1,a,SP\n")
    sail_lake.run("raw/sellers", files=[file, other])
    log = deltalake.DeltaTable(sail_lake.table("raw/sellers").uri)
    log.alter.add_feature(deltalake.TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)
    log.alter.set_table_properties({"delta.enableDeletionVectors": "true"})
    delta.sql(sail_lake.spark, f"DELETE FROM delta.`{log.table_uri}` WHERE seller_id = 's1'").collect()
    assert sail_lake.run("raw/sellers", files=[file, other]).rows.inserted == 1
