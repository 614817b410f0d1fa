"""The page of the benchmark of daily runs, and its count of what a lake consists of."""

from datetime import UTC, datetime

import deltalake
import pytest

from bench.daily import Block, Result, Storage, markdown, measure_storage, shorten_history, split_into_blocks
from olist_assets_tests.bench.machines import MACHINE
from olist_assets_tests.lake.test_step_records import TABLE

PAGE = """\
# 60 daily runs: 2018-05-10

Linux x86_64, 2 cores, 24 GiB; Python 3.11.7, pysail 0.7.2; 2018-05-10; load 0.2 before it began; one run. 60 days of \
the replay of shop, loaded one by one by `olist run`, 30 in each process. Seconds and orders are medians of the \
days in the line; files, bytes, objects and the query are those after its last day. Earlier versions are kept for the \
days of one block. The first days were loaded again, into a new lake, each after one of the last days.

| days | orders a day | s a day | CPU s | s of steps | raw | s of a query of control.steps | data files | most in a \
table | MB | with history: objects | MB | log entries | most in a log | control objects |
| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |
| 2018-01-01 to 2018-01-30 | 60.00 | 5.00 | 4.00 | 1.50 | 1.50 | 0.50 | 30 | 20 | 1.00 | 90 | 2.00 | 9 | 6 | 100 |
| 2018-01-31 to 2018-03-01 | 60.00 | 6.00 | 4.00 | 1.50 | 1.50 | 0.50 | 33 | 22 | 1.00 | 90 | 2.00 | 9 | 6 | 100 |
| 2018-01-01 to 2018-01-30, again | 60.00 | 5.00 | 4.00 | 1.50 | 1.50 | 0.50 | 30 | 20 | 1.00 | 90 | 2.00 | 9 | 6 \
| 100 |
| **last to first, again** | 1.00x | 1.20x | 1.00x | 1.00x | 1.00x | 1.00x | 1.10x | 1.10x | 1.00x | 1.00x | 1.00x \
| 1.00x | 1.00x | 1.00x |
"""


def block(first, last, seconds, files):
    return Block(
        first=first,
        last=last,
        orders=[50, 60] * 10 + [60] * 10,
        seconds=[seconds] * 29 + [100.0],
        cpu=[4.0] * 30,
        layers={"raw": [1.5] * 30},
        step_query=0.5,
        storage=Storage(
            files={"raw/orders": 2 * files, "trusted/orders": files},
            data_bytes=1_000_000,
            table_objects=90,
            table_bytes=2_000_000,
            log_entries={"raw/orders": 6, "trusted/orders": 3},
            control_objects=100,
        ),
    )


def test_the_page_shows_blocks_of_days_and_the_last_as_a_multiple_of_the_first():
    blocks = [block("2018-01-01", "2018-01-30", 5.0, 10), block("2018-01-31", "2018-03-01", 6.0, 11)]
    result = Result(blocks=blocks, first_again=blocks[0])
    assert markdown(result, MACHINE, dump="shop", warm=True) == PAGE


def test_a_page_of_one_block_has_no_multiples():
    page = markdown(Result(blocks=[block("a", "b", 5.0, 10)], first_again=None), MACHINE, dump="shop", warm=False)
    assert "again" not in page
    assert page.count("| a to b |") == 1


@pytest.mark.parametrize(
    ("days", "lengths"),
    [(1, [1]), (30, [30]), (31, [1, 30]), (45, [15, 30]), (60, [30, 30]), (100, [30, 30, 10, 30])],
)
def test_the_last_block_has_thirty_days(days, lengths):
    deliveries = list(range(days))
    blocks = split_into_blocks(deliveries)
    assert [len(block) for block in blocks] == lengths
    assert [day for block in blocks for day in block] == deliveries


def test_the_objects_of_a_lake_are_counted(sail_lake):
    for number in range(2):
        sail_lake.rows("trusted/sellers", {"seller_id": f"s{number}"})
    sail_lake.lake.step_records.write(TABLE)
    storage = measure_storage(sail_lake.root)
    assert {table: files for table, files in storage.files.items() if files} == {"trusted/sellers": 2}
    assert {table: entries for table, entries in storage.log_entries.items() if entries} == {"trusted/sellers": 3}
    assert (storage.table_objects, storage.control_objects) == (5, 1)
    assert 0 < storage.data_bytes < storage.table_bytes


def test_the_history_before_a_block_is_removed(sail_lake):
    sellers = sail_lake.root / "trusted/sellers"
    for number in range(30):
        sail_lake.rows("trusted/sellers", {"seller_id": f"s{number}"})
    deltalake.DeltaTable(sellers).create_checkpoint()
    started = datetime.now(UTC)
    sail_lake.rows("trusted/sellers", {"seller_id": "s30"})
    shorten_history(sail_lake.root, started)
    log = deltalake.DeltaTable(sellers)
    assert [commit["version"] for commit in log.history()] == [32, 31, 30]
    assert log.metadata().configuration["delta.deletedFileRetentionDuration"] == "interval 1 minute"
    assert len(sail_lake.read("trusted/sellers")) == 31
    shorten_history(sail_lake.root, started)
    assert deltalake.DeltaTable(sellers).version() == log.version()
