"""What is recomputed, from which days, and what a recovery changes before its steps run."""

import shutil

import pytest

from olist_assets.errors import LeaseError, RebuildError, SettingsError
from olist_assets.lake.layout import Lake
from olist_assets.lake.leases import hold_lease
from olist_assets.operations import recovery
from olist_assets.operations.pending import tables_to_recompute
from olist_assets_tests.lake import damage
from spark_steps.tables import TABLES

AFTER_SELLERS = ("trusted/sellers", "refined/dim_sellers", "refined/dim_location", "refined/fact_order_items")


def plan(lake, *names):
    return recovery.plan(lake.lake, lake.deliveries, recovery.find_tables(names))


def orders_of(table_ids):
    return [table_id for table_id in TABLES if table_id in table_ids]


# --- Names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["trusted/orders", "trusted.orders", "quarantine/orders", "quarantine.orders", "trusted/orders/"]
)
def test_a_table_is_found_by_its_name(name):
    assert recovery.find_tables([name]) == {"trusted/orders"}


def test_a_layer_stands_for_its_tables():
    assert recovery.find_tables(["raw"]) == {table_id for table_id in TABLES if table_id.startswith("raw/")}
    assert recovery.find_tables(["quarantine"]) == recovery.find_tables(["trusted"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("trusted/order", "no table or layer 'trusted/order'; did you mean trusted/orders?"),
        ("refind", "no table or layer 'refind'; did you mean refined?"),
        ("xyzzy", "no table or layer 'xyzzy'; see `olist status`"),
        ("", "no table or layer ''; see `olist status`"),
        ("../source", "no table or layer '../source'; see `olist status`"),
    ],
)
def test_an_unknown_name_is_refused(name, message):
    with pytest.raises(SettingsError) as error:
        recovery.find_tables([name])
    assert str(error.value) == message


# --- Plans ----------------------------------------------------------------------------------------------------------


def test_a_plan_has_the_table_and_all_that_are_computed_from_it(loaded_lake):
    found = plan(loaded_lake, "trusted/sellers")
    assert found.tables == tuple(orders_of(AFTER_SELLERS))
    assert list(found.states) == orders_of({*AFTER_SELLERS, "quarantine/sellers"})
    assert (str(found.window), found.archived) == ("2018-10-20", {})


def test_a_plan_for_raw_counts_the_archived_files(loaded_lake):
    found = plan(loaded_lake, "raw/sellers")
    assert found.tables[0] == "raw/sellers"
    assert found.archived == {"raw/sellers": 1}


def test_the_window_contains_days_that_only_raw_has(loaded_lake_copy):
    loaded_lake_copy.rows("raw/sellers", {"seller_id": "early", "_landing_date": "2018-05-10"})
    assert str(plan(loaded_lake_copy, "refined/dim_date").window) == "2018-05-10 to 2018-10-20"


def test_raw_needs_the_archive_or_the_source(loaded_lake_copy):
    shutil.rmtree(loaded_lake_copy.root / "archive")
    assert plan(loaded_lake_copy, "raw/sellers").archived == {"raw/sellers": 0}  # the source has the file
    next(loaded_lake_copy.source.glob("2018-10-20/olist_sellers*")).unlink()
    with pytest.raises(RebuildError) as error:
        plan(loaded_lake_copy, "raw/sellers")
    assert str(error.value) == (
        "raw/sellers cannot be recomputed: its files of 1 loaded days (2018-10-20) are neither in the archive nor in "
        "the source: put these deliveries back into the source"
    )
    plan(loaded_lake_copy, "raw/orders", "trusted/sellers")


def test_inputs_must_be_readable(loaded_lake_copy):
    damage.truncate_newest_commit(loaded_lake_copy.root / "raw/sellers")
    with pytest.raises(RebuildError) as error:
        plan(loaded_lake_copy, "trusted/sellers")
    assert str(error.value) == (
        "trusted/sellers is computed from raw/sellers: raw/sellers is unreadable: commit 1 of its log is damaged: "
        "`olist rebuild raw/sellers` recomputes it"
    )
    assert plan(loaded_lake_copy, "raw/sellers").tables[0] == "raw/sellers"


def test_a_lake_without_loaded_days_has_nothing_to_recompute(sail_lake):
    sail_lake.source.mkdir()
    with pytest.raises(RebuildError, match=r"^no day is loaded: load deliveries with `olist run`$"):
        plan(sail_lake, "trusted/sellers")


# --- Lost tables ----------------------------------------------------------------------------------------------------


def test_lost_tables_are_to_be_recomputed(loaded_lake_copy):
    assert tables_to_recompute(loaded_lake_copy.lake) == set()
    shutil.rmtree(loaded_lake_copy.root / "trusted/sellers")
    shutil.rmtree(loaded_lake_copy.root / "quarantine/orders")
    damage.truncate_newest_commit(loaded_lake_copy.root / "trusted/orders")  # unreadable, not lost
    assert tables_to_recompute(loaded_lake_copy.lake) == {"trusted/sellers", "quarantine/orders"}


def test_no_table_is_lost_in_a_lake_that_is_loaded_in_parts(sail_lake):
    sail_lake.rows("raw/sellers", {"seller_id": "s1"})
    assert tables_to_recompute(sail_lake.lake) == set()


# --- Starts ---------------------------------------------------------------------------------------------------------


def test_a_start_marks_all_tables_and_removes_those_to_remove(loaded_lake_copy):
    lake = loaded_lake_copy
    found = plan(lake, "raw/sellers")
    remove = frozenset({"raw/sellers", "trusted/sellers"})
    recovery.start(lake.lake, found, remove=remove)
    for table_id in (*remove, "quarantine/sellers"):
        assert not (lake.root / table_id).exists()
    assert (lake.root / "refined/dim_sellers").exists()
    assert lake.lake.recompute_marks.tables() == set(found.tables)
    assert lake.lake.recompute_marks.tables_to_remove() == set()
    assert (len(lake.objects("landzone/sellers")), lake.objects("archive/sellers")) == (1, [])


@pytest.mark.parametrize(
    "break_table", [damage.put_file_in_place, damage.link_log_to_itself, damage.put_file_in_place_of_layer]
)
def test_whatever_is_in_the_place_of_a_table_is_removed(loaded_lake_copy, break_table):
    lake = loaded_lake_copy
    found = plan(lake, "trusted/sellers")
    break_table(lake.root / "trusted/sellers")
    recovery.start(lake.lake, found, remove=frozenset(found.tables))
    assert "trusted/sellers" in tables_to_recompute(lake.lake)
    assert not (lake.root / "trusted/sellers").exists()


def test_nothing_is_changed_while_another_run_writes_one_of_the_tables(loaded_lake_copy):
    lake = loaded_lake_copy
    found = plan(lake, "trusted/sellers")
    with (
        hold_lease(lake.lake.store, "refined/dim_location", "another"),
        pytest.raises(LeaseError, match="refined/dim_location is being written by run another"),
    ):
        recovery.start(lake.lake, found, remove=frozenset(found.tables))
    assert lake.lake.recompute_marks.tables() == set()
    assert all((lake.root / table_id).exists() for table_id in found.states)


def test_a_removal_that_was_killed_is_continued(loaded_lake_copy, monkeypatch):
    lake = loaded_lake_copy
    found = plan(lake, "trusted/sellers")

    def kill(_path):
        raise KeyboardInterrupt

    monkeypatch.setattr(recovery.shutil, "rmtree", kill)
    with pytest.raises(KeyboardInterrupt):
        recovery.start(lake.lake, found, remove=frozenset(found.tables))
    monkeypatch.undo()
    assert tables_to_recompute(lake.lake) == set(found.tables)
    assert lake.lake.recompute_marks.tables_to_remove() == set(found.tables)


def test_tables_on_s3_are_removed(bucket):
    lake = Lake(f"{bucket}/lake")
    for path in ("trusted/sellers/_delta_log/a.json", "trusted/sellers/b.parquet", "trusted/sellers_of_others/c"):
        lake.store.put(path, b"x")
    recovery._remove_table(lake, "trusted/sellers")  # noqa: SLF001 - a whole plan needs a loaded lake on S3
    recovery._remove_table(lake, "trusted/orders")  # noqa: SLF001
    assert [meta["path"] for page in lake.store.list() for meta in page] == ["trusted/sellers_of_others/c"]
