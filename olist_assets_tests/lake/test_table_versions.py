"""Versions are resolved from the newest checkpoint on, with the same result as from the whole log."""

import deltalake
import pytest

from olist_assets.lake.table_versions import resolve_versions

TABLE = "trusted/sellers"


@pytest.fixture
def log(sail_lake):
    """The folder of a log with the versions 0 to 4, and a checkpoint at version 2."""
    for number in range(1, 5):
        sail_lake.rows(TABLE, {"seller_id": f"s{number}"})
        if number == 2:
            deltalake.DeltaTable(sail_lake.table(TABLE).uri).create_checkpoint()
    return sail_lake.root / TABLE / "_delta_log"


def resolve(lake):
    return resolve_versions(lake.lake.store, [TABLE], None)


def test_commits_before_the_checkpoint_are_not_needed(sail_lake, log):
    assert resolve(sail_lake) == ({TABLE: 4}, {})
    for version in (0, 1, 2):
        (log / f"{version:020}.json").unlink()
    assert resolve(sail_lake) == ({TABLE: 4}, {})


def test_a_lost_commit_after_the_checkpoint_is_damage(sail_lake, log):
    (log / f"{3:020}.json").unlink()
    assert resolve(sail_lake) == ({}, {TABLE: "commit 3 of its log is missing"})


@pytest.mark.parametrize(
    "pointer", [None, b"", b"[]", b'{"version": 3}', b'{"version": null}', b"\xff", b"[" * 100_000]
)
def test_without_a_usable_pointer_the_whole_log_is_listed(sail_lake, log, pointer):
    (log / "_last_checkpoint").unlink()
    if pointer is not None:
        (log / "_last_checkpoint").write_bytes(pointer)
    assert resolve(sail_lake) == ({TABLE: 4}, {})
    (log / f"{2:020}.checkpoint.parquet").unlink()
    (log / f"{1:020}.json").unlink()
    assert resolve(sail_lake) == ({}, {TABLE: "commit 1 of its log is missing"})
