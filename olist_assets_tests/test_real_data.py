"""Whole dumps: every table equals the baseline's, and figures, keys and periods are those that the CSV files give.

The baseline of the benchmark computes all tables from the files by DuckDB. It takes types and rules from the
declarations, so it cannot notice a wrong declaration: figures and keys are asserted here in their own words, types
and rules on small data by the oracle in plain Python (`oracle/star.py`).

A generated dump, that of `loaded_lake`, is always tested; the real one, where it is present, among the long tests.
"""

import shutil
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from bench.baseline import Delivery, build
from olist_assets.engines.local.sail import SailEngine
from olist_assets.operations.diff import differences
from olist_assets.sources.deliver import deliver
from olist_assets_tests.dumps import EXTRACTED_AT, LANDING_DATE, SOURCES, load_days, read_rows, real_dump
from olist_assets_tests.lakes import TestLake
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES, tables_in

COMPUTED = [table_id for table_id, table in TABLES.items() if table.layer is not Layer.QUARANTINE]
FACTS = ("fact_orders", "fact_order_items", "fact_payments", "fact_reviews")
FOREIGN_KEYS = (
    ("dim_sellers", "location_key", "dim_location"),
    ("dim_customers", "location_key", "dim_location"),
    ("fact_orders", "customer_key", "dim_customers"),
    ("fact_orders", "location_key", "dim_location"),
    ("fact_orders", "purchase_date_key", "dim_date"),
    ("fact_order_items", "product_key", "dim_products"),
    ("fact_order_items", "seller_key", "dim_sellers"),
    ("fact_order_items", "seller_location_key", "dim_location"),
    ("fact_order_items", "customer_key", "dim_customers"),
    ("fact_order_items", "location_key", "dim_location"),
    ("fact_order_items", "purchase_date_key", "dim_date"),
    ("fact_payments", "customer_key", "dim_customers"),
    ("fact_payments", "purchase_date_key", "dim_date"),
    ("fact_reviews", "customer_key", "dim_customers"),
    ("fact_reviews", "purchase_date_key", "dim_date"),
)
REAL_FIGURES = {
    "orders": 39_031,
    "items": 43_660,
    "items_value": Decimal("5374913.39"),
    "freight_value": Decimal("873940.21"),
    "payment_value": Decimal("6412360.35"),
    "people": 38_376,
    "periods": 38_443,
}
RUN_ID = frozenset({"_run_id"})
"""The column that differs between equal lakes: which run appended a row."""


@dataclass(frozen=True)
class LoadedDump:
    """A dump, the lake that it was loaded into, and the lake's tables as views `<layer>_<name>` of DuckDB."""

    name: str
    lake: TestLake
    duck: duckdb.DuckDBPyConnection

    @property
    def delivery(self) -> Path:
        """The folder of the dump's files, as they were delivered."""
        return self.lake.source / f"{LANDING_DATE}"

    def rows(self, source: str) -> list[dict[str, str | None]]:
        """The rows of a source's file, as texts."""
        [path] = self.delivery.glob(f"{Path(SOURCES[source][0]).stem}*.csv")
        return read_rows(path)

    def query(self, sql: str) -> list[tuple]:
        """The rows of a query."""
        return self.duck.execute(sql).fetchall()

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns, in their order."""
        return [name for name, *_ in self.query(f"DESCRIBE {table}")]


_REAL = [pytest.param("real", marks=pytest.mark.long)] if real_dump() else []


@pytest.fixture(scope="module", params=["generated", *_REAL])
def dump(request, tmp_path_factory):
    if request.param == "generated":
        lake = request.getfixturevalue("loaded_lake")
    else:
        lake = TestLake(tmp_path_factory.mktemp("real") / "lake", SailEngine())
        deliver(real_dump(), str(lake.source), day=LANDING_DATE)
        load_days(lake, [LANDING_DATE])
    with duckdb.connect() as duck:
        duck.execute("SET TimeZone = 'UTC'")
        for table_id in COMPUTED:
            duck.register(table_id.replace("/", "_"), DeltaTable(lake.root / table_id).to_pyarrow_table())
        yield LoadedDump(request.param, lake, duck)


@pytest.fixture(scope="module")
def baseline(dump, tmp_path_factory) -> Path:
    """The root of a lake with the tables that the baseline makes of the dump."""
    root = tmp_path_factory.mktemp("baseline")
    build(Delivery(dump.delivery, LANDING_DATE, EXTRACTED_AT), root)
    return root


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.id)
def test_every_table_equals_the_baselines(dump, baseline, table):
    assert differences(table, baseline, dump.lake.root, without=RUN_ID) == []


def test_facts_have_the_figures_of_the_dump(dump):
    [figures] = dump.query("""
        SELECT count(*), sum(items), sum(items_value), sum(freight_value), sum(payment_value) FROM refined_fact_orders
    """)
    [people] = dump.query("""
        SELECT count(DISTINCT customer_unique_id), count(*) FROM refined_dim_customers WHERE customer_key <> -1
    """)
    assert dict(zip(REAL_FIGURES, (*figures, *people), strict=True)) == (
        REAL_FIGURES if dump.name == "real" else count_figures(dump)
    )
    [of_items] = dump.query("SELECT count(*), sum(price), sum(freight_value) FROM refined_fact_order_items")
    [of_payments] = dump.query("SELECT sum(payment_value) FROM refined_fact_payments")
    assert (*of_items, *of_payments) == figures[1:]


def count_figures(dump):
    """The figures of REAL_FIGURES, counted in a dump's files."""
    names = ("orders", "customers", "order_items", "order_payments")
    orders, customers, items, payments = (dump.rows(name) for name in names)
    return {
        "orders": len(orders),
        "items": len(items),
        "items_value": sum(Decimal(row["price"]) for row in items),
        "freight_value": sum(Decimal(row["freight_value"]) for row in items),
        "payment_value": sum(Decimal(row["payment_value"]) for row in payments),
        "people": len({row["customer_unique_id"] for row in customers}),
        "periods": count_address_periods(orders, customers),
    }


def count_address_periods(orders, customers):
    """The number of address periods of all people, found by walking through their orders in time."""
    customer_by_id = {customer["customer_id"]: customer for customer in customers}
    purchases = defaultdict(dict)  # person -> time of purchase -> customer; of several, the greatest id
    for order in sorted(orders, key=lambda order: order["customer_id"]):
        if customer := customer_by_id.get(order["customer_id"]):
            purchases[customer["customer_unique_id"]][order["order_purchase_timestamp"]] = customer
    periods = 0
    for customer_by_time in purchases.values():
        address = None
        for _, customer in sorted(customer_by_time.items()):
            previous, address = address, [customer[f"customer_{name}"] for name in ("zip_code_prefix", "city", "state")]
            periods += address != previous
    return periods


def test_no_row_of_a_dump_is_quarantined(dump):
    rows = {t.id: DeltaTable(dump.lake.root / t.id).to_pyarrow_table().num_rows for t in tables_in(Layer.QUARANTINE)}
    assert rows == dict.fromkeys(rows, 0)
    assert len(rows) == len(SOURCES)


@pytest.mark.parametrize("fact", FACTS)
def test_no_key_of_a_fact_is_null(dump, fact):
    keys = [column for column in dump.columns(f"refined_{fact}") if column.endswith(("_key", "_id"))]
    assert {"order_id", "customer_key", "purchase_date_key"} <= {*keys}
    [counts] = dump.query(f"""
        SELECT {", ".join(f"count(*) FILTER ({key} IS NULL)" for key in keys)} FROM refined_{fact}
    """)
    assert dict(zip(keys, counts, strict=True)) == dict.fromkeys(keys, 0)


@pytest.mark.parametrize(("table", "key", "dimension"), FOREIGN_KEYS)
def test_every_foreign_key_has_its_row_in_the_dimension(dump, table, key, dimension):
    dimension_key = dump.columns(f"refined_{dimension}")[0]
    missing = dump.query(f"""
        SELECT DISTINCT {key} FROM refined_{table}
        WHERE {key} NOT IN (SELECT {dimension_key} FROM refined_{dimension}) LIMIT 5""")
    assert missing == []


def test_every_order_of_a_known_customer_falls_in_exactly_one_period(dump):
    in_period = "order_purchase_timestamp >= valid_from AND NOT coalesce(order_purchase_timestamp >= valid_to, false)"
    periods = dump.query(f"""
        SELECT customer_unique_id IS NOT NULL AS known, periods, count(*) FROM (
          SELECT order_id, any_value(customer_unique_id) AS customer_unique_id,
            count(*) FILTER ({in_period}) AS periods
          FROM trusted_orders LEFT JOIN trusted_customers USING (customer_id)
          LEFT JOIN refined_dim_customers USING (customer_unique_id)
          GROUP BY order_id
        ) GROUP BY ALL ORDER BY known DESC""")
    customers = {row["customer_id"] for row in dump.rows("customers")}
    orders = [row["customer_id"] in customers for row in dump.rows("orders")]
    expected = [(True, 1, orders.count(True)), (False, 0, orders.count(False))]
    assert periods == [row for row in expected if row[2]]


def test_a_second_run_of_all_steps_changes_nothing(dump, tmp_path):
    shutil.copytree(dump.lake.root, tmp_path / "lake")
    shutil.copytree(dump.lake.source, tmp_path / "source")
    lake = TestLake(tmp_path / "lake", SailEngine())
    load_days(lake, [LANDING_DATE])
    for table_id in COMPUTED:
        table = TABLES[table_id]
        if table.layer is Layer.REFINED:
            assert differences(table, dump.lake.root, lake.root) == []
        else:
            assert DeltaTable(lake.root / table_id).version() == DeltaTable(dump.lake.root / table_id).version()
