"""A step refuses to run on lost or damaged tables: by a Dagster run, with the whole message."""

import shutil
from datetime import date

import pytest

from olist_assets.operations.preconditions import explain_failure
from olist_assets_tests.lake import damage
from spark_steps.protocol import StepRequest

DAY, NEXT_DAY = "2018-05-10", "2018-05-11"


@pytest.fixture
def lake(sail_lake):
    """A lake with a seller in raw, trusted and refined, whose day is loaded."""
    sail_lake.rows("raw/sellers", {"seller_id": "s1", "seller_state": "SP"})
    sail_lake.materialize("trusted/sellers", "refined/dim_sellers", day=DAY)
    sail_lake.lake.load_marks.write({date(2018, 5, 10): ["olist_sellers_dataset.csv 9 2018-05-10T03:00:00+00:00"]})
    return sail_lake


def error(lake, *assets, day=DAY):
    """The error of the run's only failed step."""
    result = lake.materialize(*assets, day=day, raise_on_error=False)
    [failure] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.user_failure_data, failure.error.to_string()
    return failure.user_failure_data.description


def test_a_step_does_not_read_a_lost_table(lake):
    shutil.rmtree(lake.root / "trusted/sellers")
    assert error(lake, "refined/dim_sellers") == (
        "refined/dim_sellers: trusted/sellers is missing although days are loaded: `olist run` recomputes it"
    )
    assert not (lake.root / "trusted/sellers").exists()


@pytest.mark.parametrize("lost", ["trusted/sellers", "quarantine/sellers"])
def test_a_step_does_not_write_a_part_of_a_lost_table(lake, lost):
    shutil.rmtree(lake.root / lost)
    assert error(lake, "trusted/sellers", day=NEXT_DAY) == (
        f"{lost} is missing although days other than 2018-05-11 are loaded: `olist run` recomputes it from all of them"
    )
    assert not (lake.root / lost).exists()
    lake.materialize("trusted/sellers", day=DAY, to=NEXT_DAY)  # all loaded days
    assert [row["seller_id"] for row in lake.read("trusted/sellers")] == ["s1"]


def test_a_step_does_not_append_to_a_lost_raw_table(lake):
    shutil.rmtree(lake.root / "raw/sellers")
    assert error(lake, "raw/sellers", day=NEXT_DAY).startswith("raw/sellers is missing although days ")


def test_a_lost_refined_table_is_computed_whole_by_the_run_of_any_day(lake):
    shutil.rmtree(lake.root / "refined/dim_sellers")
    lake.materialize("refined/dim_sellers", day=NEXT_DAY)
    assert [row["seller_id"] for row in lake.read("refined/dim_sellers")] == [None, "s1"]


def test_a_table_that_is_to_be_recomputed_is_not_read(lake):
    lake.lake.recompute_marks.write(["trusted/sellers"], remove=False)
    assert error(lake, "refined/dim_sellers") == (
        "refined/dim_sellers: trusted/sellers is to be recomputed: `olist run` recomputes it"
    )
    lake.materialize("trusted/sellers", "refined/dim_sellers", day=DAY)
    assert lake.lake.recompute_marks.tables() == set()


def test_a_marked_trusted_table_is_only_computed_from_all_days_of_raw(lake):
    lake.lake.load_marks.clear([date(2018, 5, 10)])
    lake.lake.recompute_marks.write(["trusted/sellers"], remove=False)
    assert error(lake, "trusted/sellers", day=NEXT_DAY) == (
        "trusted/sellers is to be recomputed, and days other than 2018-05-11 are loaded: `olist run` recomputes it "
        "from all of them"
    )
    assert lake.lake.recompute_marks.tables() == {"trusted/sellers"}


def test_a_marked_refined_table_is_computed_whole(lake):
    lake.rows("refined/dim_sellers", {"seller_key": 5, "seller_id": "of no seller", "location_key": -1})
    lake.lake.recompute_marks.write(["refined/dim_sellers"], remove=False)
    lake.materialize("refined/dim_sellers", day=NEXT_DAY)
    assert [row["seller_id"] for row in lake.read("refined/dim_sellers")] == [None, "s1"]


@pytest.mark.parametrize("table", ["trusted/sellers", "refined/dim_sellers"])
def test_a_step_that_reads_or_writes_a_damaged_log_fails_with_the_remedy(lake, table):
    damage.empty_newest_commit(lake.root / table)  # libraries skip an empty commit
    assert error(lake, "refined/dim_sellers") == (
        f"refined/dim_sellers: {table} is unreadable: commit 1 of its log is empty: `olist rebuild {table}` "
        "recomputes it"
    )


@pytest.mark.parametrize(
    ("break_table", "reason"),
    [
        (damage.remove_data_file, "is unreadable: its data file FILE is missing"),
        (damage.truncate_data_file, "is unreadable: its data file FILE has 100 bytes instead of SIZE"),
        (damage.truncate_newest_commit, "is unreadable: commit 1 of its log is damaged"),
        (damage.overwrite_data_file, "has a damaged data file"),
    ],
)
def test_a_step_that_fails_on_an_unreadable_table_names_it_with_the_remedy(lake, break_table, reason):
    file = damage.data_file(lake.root / "trusted/sellers")
    reason = reason.replace("FILE", file.name).replace("SIZE", f"{file.stat().st_size:,}")
    break_table(lake.root / "trusted/sellers")
    (lake.root / "refined/dim_sellers/_last_step.json").unlink()  # otherwise the step would have nothing to read
    assert error(lake, "refined/dim_sellers") == (
        f"refined/dim_sellers: trusted/sellers {reason}: `olist rebuild trusted/sellers` recomputes it"
    )


def test_a_new_lake_may_be_loaded_in_parts(sail_lake):
    sail_lake.deliver(DAY, "olist_sellers_dataset.csv", "seller_id,seller_zip_code_prefix,seller_city,seller_state\n")
    sail_lake.materialize("landzone/sellers", "raw/sellers", day=DAY)
    sail_lake.materialize("trusted/sellers", day=NEXT_DAY)
    sail_lake.materialize("refined/dim_sellers", "refined/dim_products", day=DAY)


def test_a_step_that_lacks_memory_fails_with_the_remedy(sail_lake):
    request = StepRequest(output=sail_lake.table("refined/dim_sellers"), run_id="r", code_version="1")
    sails = Exception(
        "Failed to allocate additional 682.8 KB for HashJoinInput[0] with 713.9 MB already allocated for "
        "this reservation - 464.4 KB remain available for the total memory pool: fair(pool_size: 1430.5 MB)"
    )
    assert str(explain_failure(sail_lake.lake, request, sails)) == (
        "refined/dim_sellers: the queries need more memory than Sail may use: set "
        "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE to more than the default of 2000000000 bytes"
    )
