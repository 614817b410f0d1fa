"""All engines give the same lake: whole dumps through the whole lineage on each, compared in every value.

The dump is the real one where it is present (see `real_dump`), else a generated one.
"""

import json

import duckdb
import pyarrow as pa
import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets.operations.diff import differences
from olist_assets.sources.deliver import deliver
from olist_assets.sources.generator.dump import generate
from olist_assets.sources.replay import replay
from olist_assets_tests.dumps import real_dump
from olist_assets_tests.golden.readers import READERS, by_spark, types_of
from olist_assets_tests.lakes import ASSETS, TestLake
from spark_steps.tables import TABLES

RUN_ID = frozenset({"_run_id", "_received_at"})  # each lake has deliveries of its own
"""The column that differs between equal lakes: which run appended a row."""

READ_BY_ALL = (
    "raw/orders",  # appended, partitioned by landing date
    "trusted/orders",  # merged, partitioned by month
    "trusted/geolocation",  # merged, not partitioned; doubles
    "quarantine/orders",  # windows replaced; empty
    "refined/dim_customers",  # merged with deletes
    "refined/fact_orders",  # the same, partitioned by month; decimals, doubles and booleans
    "refined/aggregate_orders_per_day",  # replaced whole; dates
)
"""One table per kind of writing: how each format is read is proved by the tables in golden/."""

pytestmark = pytest.mark.slow_module


@pytest.fixture(scope="module")
def loaded(tmp_path_factory, spark_engine):
    """One lake per engine, each with the same dump delivered and loaded, and the landing date."""
    root = tmp_path_factory.mktemp("parity")
    dump = real_dump() or root / "dump"
    if real_dump() is None:
        generate(dump, orders=10_000, days=700, seed=4)
    lakes = {engine.name: TestLake(root / engine.name / "lake", engine) for engine in (SailEngine(), spark_engine)}
    for lake in lakes.values():
        day = deliver(dump, str(lake.source)).day
        lake.materialize(day=str(day))
    return lakes, str(day)


def records(lake: TestLake) -> dict[str, dict]:
    """The control object of each table's last step."""
    found = sorted((json.loads((lake.root / p).read_text()) for p in lake.objects("control/steps")), key=_started)
    return {record["table"]: record for record in found}


def _started(record: dict) -> str:
    return record["started_at"]


def fingerprint(table: pa.Table) -> tuple:
    """Types, number of rows, and a sum of the rows' hashes: equal for equal rows in any order."""
    with duckdb.connect() as duck:
        duck.execute("SET TimeZone = 'UTC'")
        duck.register("rows", table)
        return types_of(table), duck.execute("SELECT count(*), sum(hash(rows)::HUGEINT) FROM rows").fetchall()


@pytest.mark.parametrize("table_id", TABLES)
def test_a_table_is_equal_on_all_engines(loaded, table_id):
    lakes, _ = loaded
    assert differences(TABLES[table_id], lakes["sail"].root, lakes["spark"].root, without=RUN_ID) == []


def test_all_layers_have_rows(loaded):
    lakes, _ = loaded
    for lake in lakes.values():
        counts = {t: len(READERS["delta-rs"](str(lake.root / t))) for t in TABLES if not t.startswith("quarantine")}
        assert min(counts.values()) > 1, counts


def test_results_are_equal_in_shape_and_in_all_that_is_not_the_engines_own(loaded):
    lakes, _ = loaded
    sail, spark = (records(lakes[name]) for name in ("sail", "spark"))
    assert sail.keys() == spark.keys() == {"/".join(asset.key.path) for asset in ASSETS}
    for table, record in sail.items():
        assert record.keys() == spark[table].keys()
        for name in record:
            if name.startswith("rows_") or name in ("window", "status", "error", "checks", "version_after"):
                assert record[name] == spark[table][name], f"{table}: {name}"


@pytest.mark.parametrize("writer", ["sail", "spark"])
def test_tables_of_each_engine_are_read_alike_by_all_readers(loaded, writer):
    lakes, _ = loaded
    for table_id in READ_BY_ALL:
        uri = str(lakes[writer].root / table_id)
        found = {name: fingerprint(read(uri)) for name, read in READERS.items()}
        found |= {name: fingerprint(by_spark(lakes[name].spark, uri)) for name in ("sail", "spark")}
        assert len({repr(value) for value in found.values()}) == 1, (table_id, found)


def test_a_lake_of_spark_is_continued_on_sail(loaded):
    lakes, day = loaded
    before = {table_id: records(lakes["spark"])[table_id] for table_id in TABLES if table_id.startswith(("raw", "tru"))}
    continued = TestLake(lakes["spark"].root, lakes["sail"].engine)
    continued.materialize(day=day)
    after = records(continued)
    for table_id, record in before.items():
        assert after[table_id]["version_after"] == record["version_after"], table_id
    for table in TABLES.values():
        assert differences(table, lakes["sail"].root, continued.root, without=RUN_ID) == []


def test_a_lake_goes_from_sail_to_spark_and_back(tmp_path, spark_engine):
    generate(tmp_path / "dump", orders=200, days=40, seed=9)
    mixed, whole = (TestLake(tmp_path / name / "lake", SailEngine()) for name in ("mixed", "whole"))
    for lake in (mixed, whole):
        done = replay(tmp_path / "dump", str(lake.source))
    days = done.days
    parts = ((days[0], days[20]), (days[21], days[30]), (days[31], days[-1]))
    for (first, last), engine in zip(parts, (SailEngine(), spark_engine, SailEngine()), strict=True):
        mixed.engine = engine
        mixed.materialize(day=str(first), to=str(last))
    whole.materialize(day=str(days[0]), to=str(days[-1]))
    engines = [record["engine"] for record in map(_read, mixed.root.glob("control/steps/*/*/trusted.orders.json"))]
    assert sorted(engines) == ["sail", "sail", "spark"]
    for table in TABLES.values():
        assert differences(table, mixed.root, whole.root, without=RUN_ID) == []


def _read(path) -> dict:
    return json.loads(path.read_text())


def test_a_step_that_fails_says_the_same_on_all_engines(tmp_path, spark_engine):
    said = {}
    for engine in (SailEngine(), spark_engine):
        lake = TestLake(tmp_path / engine.name / "lake", engine)
        lake.deliver("2018-05-10", "olist_sellers_dataset_20180510T030000Z.csv", "seller_id,seller_city\ns1,x\n")
        run = lake.materialize("landzone/sellers", "raw/sellers", day="2018-05-10", raise_on_error=False)
        assert not run.success
        said[engine.name] = records(lake)["raw/sellers"]["error"]
    assert said["sail"].startswith("raw/sellers: olist_sellers_dataset")
    assert said["sail"] == said["spark"].replace("/spark/", "/sail/")
