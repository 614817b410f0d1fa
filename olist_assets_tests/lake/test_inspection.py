"""The state of a table: present, missing, or unreadable with a reason of one line."""

import shutil

import pytest
from obstore.exceptions import GenericError

from olist_assets.lake.inspection import State, inspect_tables
from olist_assets.lake.layout import Lake
from olist_assets_tests.lake import damage
from spark_steps import delta

SELLERS = "trusted/sellers"


@pytest.fixture
def sellers(sail_lake):
    """The folder of a table of two rows at version 2."""
    for seller in ("s1", "s2"):
        sail_lake.rows(SELLERS, {"seller_id": seller})
    return sail_lake.root / SELLERS


def state(sail_lake, table_id=SELLERS):
    return inspect_tables(sail_lake.lake, [table_id])[table_id]


def test_a_table_is_present_with_its_rows_and_version(sail_lake, sellers):
    (sellers / ".DS_Store").write_text("foreign")
    (sellers / "_delta_log" / "notes.txt").write_text("foreign")
    found = state(sail_lake)
    assert (found.state, found.version, found.rows, found.reason) == (State.PRESENT, 2, 2, "")


def test_an_empty_table_is_present(sail_lake):
    delta.create_if_missing(sail_lake.table(SELLERS))
    found = state(sail_lake)
    assert (found.state, found.version, found.rows, found.days) == (State.PRESENT, 0, 0, None)


def test_raw_has_the_first_and_last_landing_date_of_its_partitions(sail_lake):
    for day in ("2018-05-12", "2018-05-10"):
        sail_lake.rows("raw/sellers", {"seller_id": "s1", "_landing_date": day})
    assert [str(day) for day in state(sail_lake, "raw/sellers").days] == ["2018-05-10", "2018-05-12"]


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "an empty log"])
def test_a_table_without_a_log_is_missing(sail_lake, sellers, left):
    shutil.rmtree(sellers)
    if left != "nothing":
        (sellers / "_delta_log" if left == "an empty log" else sellers).mkdir(parents=True)
    found = state(sail_lake)
    assert (found.state, found.version, found.rows) == (State.MISSING, None, None)


@pytest.mark.parametrize(
    ("break_table", "reason"),
    [
        (damage.truncate_newest_commit, "commit 2 of its log is damaged"),
        (damage.empty_newest_commit, "commit 2 of its log is empty"),
        (damage.replace_newest_commit_by_binary, "commit 2 of its log is damaged"),
        (damage.remove_first_commit, "commit 0 of its log is missing"),
        (damage.skip_a_version, "commit 2 of its log is missing"),
        (damage.require_reader_feature, "it needs the reader feature columnMapping, which is not supported"),
        (damage.require_unknown_feature, "it needs the reader feature tomorrow, which is not supported"),
        (damage.truncate_checkpoint, "the checkpoint of its log is damaged"),
        (damage.remove_checkpoint, "the checkpoint of its log is damaged"),
        (damage.put_file_in_place, "a file is in its place"),
        (damage.put_file_in_place_of_log, "a file is in its place"),
        (damage.link_log_to_itself, "its files cannot be read: Too many levels of symbolic links"),
        (damage.remove_data_file, "its data file FILE is missing"),
        (damage.truncate_data_file, "its data file FILE has 100 bytes instead of SIZE"),
    ],
)
def test_an_unreadable_table_has_a_reason_of_one_line(sail_lake, sellers, break_table, reason):
    file = damage.data_file(sellers)
    expected = reason.replace("FILE", file.name).replace("SIZE", f"{file.stat().st_size:,}")
    break_table(sellers)
    found = state(sail_lake)
    assert (found.state, found.reason) == (State.UNREADABLE, expected)
    assert found.problem == (
        f"trusted/sellers is unreadable: {expected}: `olist rebuild trusted/sellers` recomputes it"
    )


def test_a_quarantine_is_rebuilt_with_its_trusted_table(sail_lake):
    sail_lake.rows("quarantine/sellers", {"record": "{}", "rule": "r", "reason": "x"})
    damage.truncate_newest_commit(sail_lake.root / "quarantine/sellers")
    assert state(sail_lake, "quarantine/sellers").problem.endswith("`olist rebuild trusted/sellers` recomputes it")


def test_one_unreadable_table_does_not_hide_the_others(sail_lake, sellers):
    sail_lake.rows("trusted/customers", {"customer_id": "c1", "customer_unique_id": "u1"})
    damage.truncate_newest_commit(sellers)
    states = inspect_tables(sail_lake.lake)
    assert states["trusted/customers"].rows == 1
    assert [s.id for s in states.values() if s.state is State.UNREADABLE] == [SELLERS]


@pytest.mark.usefixtures("sellers")
def test_a_denied_folder_is_unreadable_and_not_missing(sail_lake, monkeypatch):
    def deny(_store, prefix):
        raise PermissionError(13, "Permission denied", prefix)

    monkeypatch.setattr("olist_assets.lake.inspection.list_objects", deny)
    assert state(sail_lake).problem == (
        "trusted/sellers is unreadable: permission to read its files is denied: let this user read them"
    )


@pytest.mark.usefixtures("sellers")
def test_storage_that_fails_is_no_reason_for_a_rebuild(sail_lake, monkeypatch):
    def fail(_store, _prefix):
        raise GenericError("Generic S3 error: error sending request\n\nDebug source: …")

    monkeypatch.setattr("olist_assets.lake.inspection.list_objects", fail)
    assert state(sail_lake).problem == (
        "trusted/sellers is unreadable: the storage of its files failed: error sending request: try again later"
    )


def test_tables_on_s3_are_inspected(sail_lake, sellers, bucket):
    lake = Lake(f"{bucket}/lake")
    for file in sellers.rglob("*"):
        if file.is_file():
            lake.store.put(file.relative_to(sail_lake.root).as_posix(), file.read_bytes())
    found = inspect_tables(lake, [SELLERS, "trusted/orders"])
    assert (found[SELLERS].state, found[SELLERS].rows) == (State.PRESENT, 2)
    assert found["trusted/orders"].state is State.MISSING
    lake.store.delete(damage.data_file(sellers).relative_to(sail_lake.root).as_posix())
    assert inspect_tables(lake, [SELLERS])[SELLERS].reason.endswith(".parquet is missing")
    lake.store.put(damage.newest_commit(sellers).relative_to(sail_lake.root).as_posix(), b'{"add"')
    assert inspect_tables(lake, [SELLERS])[SELLERS].reason == "commit 2 of its log is damaged"
