"""All readers return the same rows of tables that each engine wrote in the past, and engines still write them so."""

import pytest

from olist_assets.settings.engine_names import LOCAL_ENGINES
from olist_assets_tests.golden import tables
from olist_assets_tests.golden.readers import READERS, by_spark, rows_of, types_of

EXPECTED = {
    "plain": tables.ROWS,
    "partitioned": tables.ROWS,
    "evolved": [tables.FULL | {"points": None}, tables.SMALL, tables.EMPTY],
    "checkpointed": [tables.FULL | {"city": "santos"}, tables.EMPTY, tables.FULL | {"id": 4}],
}
TYPES = {
    "id": "int32",
    "city": "string",
    "points": "int64",
    "latitude": "double",
    "price": "decimal128(12, 2)",
    "is_late": "bool",
    "day": "date32[day]",
    "bought_at": "timestamp[us, tz=UTC]",
    "month": "string",
}

pytestmark = pytest.mark.long


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("writer", LOCAL_ENGINES)
@pytest.mark.parametrize("table", EXPECTED)
def test_readers_without_an_engine_return_the_same_rows_of_a_golden_table(table, writer, reader):
    found = READERS[reader](str(tables.FOLDER / writer / table))
    assert rows_of(found) == EXPECTED[table]
    assert types_of(found) == TYPES


@pytest.mark.spark
def test_every_engine_returns_the_same_rows_of_all_golden_tables(spark):
    found = {
        (table, writer): by_spark(spark, str(tables.FOLDER / writer / table))
        for table in EXPECTED
        for writer in LOCAL_ENGINES
    }
    assert {key: rows_of(rows) for key, rows in found.items()} == {(t, w): EXPECTED[t] for t, w in found}
    assert {key: types_of(rows) for key, rows in found.items()} == dict.fromkeys(found, TYPES)


def test_the_golden_tables_have_checkpoints_commits_and_partitions():
    for writer in LOCAL_ENGINES:
        log = tables.FOLDER / writer / "checkpointed" / "_delta_log"
        assert list(log.glob("*.checkpoint.parquet"))
        assert len(list(log.glob("*.json"))) == 6
        assert (tables.FOLDER / writer / "partitioned" / "month=2018-05").is_dir()


def test_an_engine_still_writes_equal_tables(engine, tmp_path):
    assert tables.write(engine, tmp_path) == EXPECTED
    written = {table: READERS["delta-rs"](str(tmp_path / table)) for table in EXPECTED}
    assert {table: rows_of(rows) for table, rows in written.items()} == EXPECTED
    assert {table: types_of(rows) for table, rows in written.items()} == dict.fromkeys(EXPECTED, TYPES)
