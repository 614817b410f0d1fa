"""Whole dumps, end to end: every table must equal what an independent reading of the CSV files gives.

The reference shares nothing with the steps: Python reads the files, walks through timelines
and places; DuckDB joins and sums.
A generated dump is always tested; the real one too where it lies (see `real_dump`), among the long tests.
"""

import csv
import hashlib
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable as Delta
from pyspark.sql import SparkSession

from olist_assets.engines.local.sail import SailEngine
from olist_assets.sources.generator.dump import generate
from spark_steps.declarations import Layer, Severity
from spark_steps.protocol import LandedFile, StepRequest, StepResult, TableHandle, Window
from spark_steps.steps import run_step
from spark_steps.tables import TABLES

LANDING_DATE = date(2018, 10, 20)
EXTRACTED_AT = datetime(2018, 10, 20, 3, tzinfo=UTC)
REPOSITORY = Path(__file__).parents[1]


def real_dump() -> Path | None:
    """The folder of the real dump: OLIST_TEST_DUMP if it is set, else ../shared/olist if it exists."""
    if named := os.environ.get("OLIST_TEST_DUMP"):
        return Path(named)
    usual = REPOSITORY.parent / "shared" / "olist"
    return usual if usual.is_dir() else None


# --- The reference: sources -----------------------------------------------------------------------------------------

SOURCES = {
    "orders": ("olist_orders_dataset.csv", ("order_id",)),
    "customers": ("olist_customers_dataset.csv", ("customer_id",)),
    "order_items": ("olist_order_items_dataset.csv", ("order_id", "order_item_id")),
    "order_payments": ("olist_order_payments_dataset.csv", ("order_id", "payment_sequential")),
    "order_reviews": ("olist_order_reviews_dataset.csv", ("review_id", "order_id")),
    "products": ("olist_products_dataset.csv", ("product_id",)),
    "sellers": ("olist_sellers_dataset.csv", ("seller_id",)),
    "geolocation": (
        "olist_geolocation_dataset.csv",
        (
            "geolocation_zip_code_prefix",
            "geolocation_lat",
            "geolocation_lng",
            "geolocation_city",
            "geolocation_state",
        ),
    ),
    "product_category_translation": ("product_category_name_translation.csv", ("product_category_name",)),
}
"""Of each source its file and its key."""

TYPED = {
    "orders": """
        order_id, customer_id, order_status, order_purchase_timestamp::TIMESTAMPTZ AS order_purchase_timestamp,
        order_approved_at::TIMESTAMPTZ AS order_approved_at,
        order_delivered_carrier_date::TIMESTAMPTZ AS order_delivered_carrier_date,
        order_delivered_customer_date::TIMESTAMPTZ AS order_delivered_customer_date,
        order_estimated_delivery_date::TIMESTAMPTZ AS order_estimated_delivery_date,
        order_purchase_timestamp[:7] AS order_month""",
    "customers": "customer_id, customer_unique_id, customer_zip_code_prefix, customer_city, customer_state",
    "order_items": """
        order_id, order_item_id::INT AS order_item_id, product_id, seller_id,
        shipping_limit_date::TIMESTAMPTZ AS shipping_limit_date, price::DECIMAL(12,2) AS price,
        freight_value::DECIMAL(12,2) AS freight_value""",
    "order_payments": """
        order_id, payment_sequential::INT AS payment_sequential, payment_type,
        payment_installments::INT AS payment_installments, payment_value::DECIMAL(12,2) AS payment_value""",
    "order_reviews": """
        review_id, order_id, review_score::INT AS review_score, review_comment_title, review_comment_message,
        review_creation_date::TIMESTAMPTZ AS review_creation_date,
        review_answer_timestamp::TIMESTAMPTZ AS review_answer_timestamp""",
    "products": """
        product_id, product_category_name, product_name_lenght::INT AS product_name_length,
        product_description_lenght::INT AS product_description_length, product_photos_qty::INT AS product_photos_qty,
        product_weight_g::INT AS product_weight_g, product_length_cm::INT AS product_length_cm,
        product_height_cm::INT AS product_height_cm, product_width_cm::INT AS product_width_cm""",
    "sellers": "seller_id, seller_zip_code_prefix, seller_city, seller_state",
    "geolocation": """
        geolocation_zip_code_prefix, geolocation_lat::DOUBLE AS geolocation_lat,
        geolocation_lng::DOUBLE AS geolocation_lng, geolocation_city, geolocation_state""",
    "product_category_translation": "product_category_name, product_category_name_english",
}
"""Of each source the trusted columns, in SQL over its texts."""


def read_rows(path):
    """The file's rows as dictionaries of texts, empty ones None, with their position `_row`."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return [{c: v or None for c, v in row.items()} | {"_row": n} for n, row in enumerate(csv.DictReader(lines))]


def cleaned(rows):
    """The rows with five digits in their zip prefixes and null for blank texts."""
    zips = [column for column in rows[0] if column.endswith("zip_code_prefix")]
    for row in rows:
        blank = [column for column, text in row.items() if str(text).isspace()]
        yield row | {column: row[column].zfill(5) for column in zips if row[column]} | dict.fromkeys(blank)


def newest(rows, key):
    """The last row of each key; coordinates are equal if their numbers are."""
    numbers = {"geolocation_lat", "geolocation_lng"}
    return list({tuple(float(row[c]) if c in numbers else row[c] for c in key): row for row in rows}.values())


# --- The reference: what is walked in Python ------------------------------------------------------------------------


def address_periods(orders, customers):
    """Each person's address periods, by walking through the orders in time."""
    known = {c["customer_id"]: c for c in customers}
    seen = defaultdict(dict)  # person -> purchase time -> customer
    for order in orders:
        customer = known[order["customer_id"]]
        times = seen[customer["customer_unique_id"]]
        others = [times[order["order_purchase_timestamp"]]] if order["order_purchase_timestamp"] in times else []
        times[order["order_purchase_timestamp"]] = max([customer, *others], key=lambda c: c["customer_id"])
    periods = []
    for person, times in seen.items():
        holds = None
        for time in sorted(times):
            address = {name: times[time][f"customer_{name}"] for name in ("zip_code_prefix", "city", "state")}
            if holds is None or any(holds[name] != address[name] for name in address):
                if holds is not None:
                    holds["valid_to"] = time
                holds = {"customer_unique_id": person, **address, "valid_from": time, "valid_to": None}
                periods.append(holds)
    return periods


def places(points, customers, sellers):
    """Each zip prefix with its most frequent spelling and the middle of its points."""
    spellings, latitudes, longitudes = defaultdict(Counter), defaultdict(list), defaultdict(list)
    for rows, of in ((points, "geolocation"), (customers, "customer"), (sellers, "seller")):
        for row in rows:
            spellings[row[f"{of}_zip_code_prefix"]][row[f"{of}_city"], row[f"{of}_state"]] += 1
    for row in points:
        latitudes[row["geolocation_zip_code_prefix"]].append(float(row["geolocation_lat"]))
        longitudes[row["geolocation_zip_code_prefix"]].append(float(row["geolocation_lng"]))
    found = []
    for prefix, counted in spellings.items():
        most = max(counted.values())
        city, state = min(spelling for spelling, count in counted.items() if count == most)
        place = {"zip_code_prefix": prefix, "city": city, "state": state, "points": len(latitudes[prefix])}
        place["latitude"] = statistics.median(latitudes[prefix]) if latitudes[prefix] else None
        place["longitude"] = statistics.median(longitudes[prefix]) if longitudes[prefix] else None
        found.append(place)
    return found


def calendar(newest_purchase):
    """Every day from 2016 to the end of the year after the newest purchase."""
    first, last = date(2016, 1, 1), date(int(newest_purchase[:4]) + 1, 12, 31)
    return [{"date": first + timedelta(days=n)} for n in range((last - first).days + 1)]


# --- The reference: what is joined and summed in DuckDB --------------------------------------------------------------

REFINED = {
    "dim_date": """
        SELECT strftime(date, '%Y%m%d')::INT AS date_key, date, year(date)::INT AS year, quarter(date)::INT AS quarter,
          month(date)::INT AS month, strftime(date, '%B') AS month_name, strftime(date, '%Y-%m') AS year_month,
          day(date)::INT AS day, isodow(date)::INT AS day_of_week, strftime(date, '%A') AS day_name,
          isodow(date) IN (6, 7) AS is_weekend
        FROM days UNION ALL SELECT -1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL""",
    "dim_products": """
        SELECT surrogate(product_id) AS product_key, product_id, product_category_name AS category,
          (SELECT product_category_name_english FROM trusted_product_category_translation t
           WHERE t.product_category_name = p.product_category_name) AS category_english,
          product_name_length AS name_length, product_description_length AS description_length,
          product_photos_qty AS photos_qty, product_weight_g AS weight_g, product_length_cm AS length_cm,
          product_height_cm AS height_cm, product_width_cm AS width_cm
        FROM trusted_products p UNION ALL SELECT -1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL""",
    "dim_sellers": """
        SELECT surrogate(seller_id) AS seller_key, seller_id, seller_zip_code_prefix AS zip_code_prefix,
          seller_city AS city, seller_state AS state, surrogate(seller_zip_code_prefix) AS location_key
        FROM trusted_sellers UNION ALL SELECT -1, NULL, NULL, NULL, NULL, -1""",
    "dim_location": """
        SELECT surrogate(zip_code_prefix) AS location_key, zip_code_prefix, city, state, latitude, longitude, points
        FROM places UNION ALL SELECT -1, NULL, NULL, NULL, NULL, NULL, NULL""",
    "dim_customers": """
        SELECT surrogate(customer_unique_id || '|' || epoch_us(valid_from::TIMESTAMPTZ)) AS customer_key,
          customer_unique_id, zip_code_prefix, city, state, surrogate(zip_code_prefix) AS location_key,
          valid_from::TIMESTAMPTZ AS valid_from, valid_to::TIMESTAMPTZ AS valid_to, valid_to IS NULL AS is_current
        FROM periods UNION ALL SELECT -1, NULL, NULL, NULL, NULL, -1, NULL, NULL, NULL""",
    "fact_orders": """
        SELECT o.order_id, p.customer_key, p.location_key,
          strftime(order_purchase_timestamp, '%Y%m%d')::INT AS purchase_date_key, order_status,
          order_purchase_timestamp, order_approved_at, order_delivered_carrier_date, order_delivered_customer_date,
          order_estimated_delivery_date,
          epoch(order_approved_at - order_purchase_timestamp) / 3600 AS approval_hours,
          epoch(order_delivered_customer_date - order_purchase_timestamp) / 86400 AS delivery_days,
          epoch(order_estimated_delivery_date - order_purchase_timestamp) / 86400 AS estimated_days,
          epoch(order_delivered_customer_date - order_estimated_delivery_date) / 86400 AS delay_days,
          order_delivered_customer_date > order_estimated_delivery_date AS is_late,
          (SELECT count(*) FROM trusted_order_items i WHERE i.order_id = o.order_id) AS items,
          (SELECT count(DISTINCT product_id) FROM trusted_order_items i WHERE i.order_id = o.order_id) AS products,
          (SELECT count(DISTINCT seller_id) FROM trusted_order_items i WHERE i.order_id = o.order_id) AS sellers,
          money((SELECT sum(price) FROM trusted_order_items i WHERE i.order_id = o.order_id)) AS items_value,
          money((SELECT sum(freight_value) FROM trusted_order_items i WHERE i.order_id = o.order_id)) AS freight_value,
          money((SELECT sum(price + freight_value) FROM trusted_order_items i WHERE i.order_id = o.order_id))
            AS order_value,
          (SELECT count(*) FROM trusted_order_payments y WHERE y.order_id = o.order_id) AS payments,
          money((SELECT sum(payment_value) FROM trusted_order_payments y WHERE y.order_id = o.order_id))
            AS payment_value,
          (SELECT review_score FROM trusted_order_reviews r WHERE r.order_id = o.order_id
           ORDER BY review_answer_timestamp DESC NULLS LAST, review_id DESC LIMIT 1) AS review_score,
          order_month
        FROM (SELECT * FROM trusted_orders JOIN trusted_customers USING (customer_id)) o
        ASOF JOIN refined_dim_customers p
          ON p.customer_unique_id = o.customer_unique_id AND o.order_purchase_timestamp >= p.valid_from""",
    "fact_order_items": """
        SELECT order_id, order_item_id,
          CASE WHEN product_id IN (SELECT product_id FROM trusted_products) THEN surrogate(product_id) ELSE -1 END
            AS product_key,
          CASE WHEN s.seller_id IS NULL THEN -1 ELSE surrogate(s.seller_id) END AS seller_key,
          CASE WHEN s.seller_id IS NULL THEN -1 ELSE surrogate(s.seller_zip_code_prefix) END AS seller_location_key,
          customer_key, location_key, purchase_date_key, order_status, order_purchase_timestamp, price,
          i.freight_value, order_month
        FROM trusted_order_items i JOIN refined_fact_orders USING (order_id)
        LEFT JOIN trusted_sellers s ON s.seller_id = i.seller_id""",
    "fact_payments": """
        SELECT order_id, payment_sequential, customer_key, purchase_date_key, payment_type, payment_installments,
          y.payment_value, order_month
        FROM trusted_order_payments y JOIN refined_fact_orders USING (order_id)""",
    "fact_reviews": """
        SELECT review_id, order_id, customer_key, purchase_date_key, r.review_score,
          coalesce(length(review_comment_message), 0) > 0 AS has_comment, review_creation_date,
          review_answer_timestamp, epoch(review_answer_timestamp - review_creation_date) / 3600 AS answer_hours,
          order_month
        FROM trusted_order_reviews r JOIN refined_fact_orders USING (order_id)""",
    "aggregate_sales_performance_by_city": """
        SELECT state, city, count(*) AS orders, count(DISTINCT person) AS customers, sum(items)::BIGINT AS items,
          money(sum(items_value)) AS revenue, money(sum(freight_value)) AS freight,
          half_up(money(sum(items_value)), count(*)) AS average_ticket,
          half_up(money(sum(freight_value)), count(*)) AS average_freight,
          avg(review_score) AS average_review_score, avg(late) AS late_share
        FROM sales GROUP BY state, city""",
    "aggregate_sales_per_month": """
        SELECT order_month, count(*) AS orders, count(DISTINCT person) AS customers,
          (SELECT count(DISTINCT person) FROM sales now WHERE now.order_month = month.order_month AND NOT EXISTS (
             SELECT 1 FROM sales before WHERE before.person = now.person AND before.order_month < now.order_month
           )) AS new_customers,
          sum(items)::BIGINT AS items, money(sum(items_value)) AS revenue, money(sum(freight_value)) AS freight,
          money(sum(payment_value)) AS payment_value, half_up(money(sum(items_value)), count(*)) AS average_ticket,
          count(late) AS delivered, avg(late) AS late_share
        FROM sales month GROUP BY order_month""",
    "aggregate_payments_per_month": """
        SELECT strftime(order_purchase_timestamp, '%Y-%m') AS order_month, payment_type, count(*) AS payments,
          count(DISTINCT order_id) AS orders, money(sum(payment_value)) AS payment_value,
          avg(payment_installments) AS average_installments
        FROM trusted_order_payments JOIN trusted_orders USING (order_id) GROUP BY ALL""",
    "aggregate_orders_per_day": """
        SELECT order_purchase_timestamp::DATE AS purchase_date, state AS customer_state, count(*) AS orders,
          money(sum(items_value)) AS revenue, money(sum(freight_value)) AS freight
        FROM sales GROUP BY ALL""",
}
"""Of each refined table the reference: SQL over the trusted reference and over what Python walked."""

SALES = """
    SELECT o.*, p.customer_unique_id AS person, p.city, p.state,
      CASE WHEN order_delivered_customer_date IS NOT NULL THEN coalesce(is_late, false)::INT END AS late
    FROM refined_fact_orders o JOIN refined_dim_customers p USING (customer_key)
    WHERE order_status IS NULL OR (order_status <> 'canceled' AND order_status <> 'unavailable')"""


def build_reference(duck, folder):
    """Make the reference tables of all layers from the CSV files, in the schema `reference`."""
    duck.execute("CREATE SCHEMA reference; USE reference; SET TimeZone = 'UTC'")
    duck.execute("CREATE MACRO surrogate(t) AS coalesce(('0x' || substr(sha256(t), 1, 15))::BIGINT, -1)")
    duck.execute("CREATE MACRO money(m) AS coalesce(m, 0)::DECIMAL(18,2)")
    duck.create_function("half_up", half_up, ["DECIMAL(18,2)", "BIGINT"], "DECIMAL(12,2)")
    rows = {}
    for name, (file, key) in SOURCES.items():
        lineage = f"DATE '{LANDING_DATE}' AS _landing_date, TIMESTAMPTZ '{EXTRACTED_AT}' AS _extracted_at"
        lineage += f", '{file_id(folder / file)}' AS _file_id, _row"
        delivered = read_rows(folder / file)
        create(duck, "texts", delivered)
        nothing = ", ".join(f"NULL::VARCHAR AS {name}" for name in ("_extra", "_reject", "_text"))
        duck.execute(f"""
            CREATE TABLE raw_{name} AS
            SELECT * EXCLUDE (_row), {lineage}, '{file}' AS _file_name, 'test' AS _run_id, {nothing} FROM texts""")
        rows[name] = newest(cleaned(delivered), key)
        create(duck, "texts", rows[name])
        duck.execute(f"CREATE TABLE trusted_{name} AS SELECT {TYPED[name]}, {lineage} FROM texts")
    create(duck, "periods", address_periods(rows["orders"], rows["customers"]))
    create(duck, "places", places(rows["geolocation"], rows["customers"], rows["sellers"]))
    create(duck, "days", calendar(max(order["order_purchase_timestamp"] for order in rows["orders"])))
    for name, query in REFINED.items():
        duck.execute(f"CREATE TABLE refined_{name} AS {query}")
        if name == "fact_orders":
            duck.execute(f"CREATE VIEW sales AS {SALES}")


def create(duck, name, rows):
    duck.register("rows", pa.Table.from_pylist(rows))
    duck.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM rows")
    duck.unregister("rows")


def half_up(total, count):
    return (total / count).quantize(Decimal("0.01"), ROUND_HALF_UP)


def file_id(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


# --- The product: all steps over a dump -----------------------------------------------------------------------------

COMPUTED = [table_id for table_id, table in TABLES.items() if table.layer is not Layer.QUARANTINE]


@dataclass(frozen=True)
class Dump:
    """A dump, taken through all steps: what they wrote is in the schema `product`, the reference in `reference`."""

    name: str
    folder: Path
    root: Path
    spark: SparkSession
    duck: duckdb.DuckDBPyConnection

    def run_all(self) -> dict[str, StepResult]:
        """Run the step of every table, in the order of their declaration."""
        return {table_id: run_step(self.spark, self.request(table_id)) for table_id in COMPUTED}

    def request(self, table_id: str) -> StepRequest:
        """The request to compute a table for the landing date of the dump."""
        table = TABLES[table_id]
        window = Window.from_day(LANDING_DATE) if table.daily else None
        files = ()
        if table.layer is Layer.RAW:
            path = self.folder / SOURCES[table.name][0]
            files = (LandedFile(str(path), path.name, file_id(path), LANDING_DATE, EXTRACTED_AT),)
        return StepRequest(
            output=TableHandle(table_id, str(self.root / table_id), window),
            window=window,
            inputs=tuple(TableHandle(i, str(self.root / i), window) for i in table.upstreams if i in TABLES),
            quarantine=TableHandle(f"quarantine/{table.name}", str(self.root / "quarantine" / table.name), window)
            if table.layer is Layer.TRUSTED
            else None,
            files=files,
            run_id="test",
            code_version="test",
        )

    def take(self, schema: str, table_ids: Iterable[str]) -> None:
        """Put tables that the steps wrote, as they are now, into a schema of DuckDB."""
        self.duck.execute(f"CREATE SCHEMA {schema}")
        for table_id in table_ids:
            self.duck.register("rows", Delta(self.root / table_id).to_pyarrow_table())
            self.duck.execute(f"CREATE TABLE {schema}.{table_id.replace('/', '_')} AS SELECT * FROM rows")
            self.duck.unregister("rows")

    def values(self, query: str) -> list[tuple]:
        """The rows of a query."""
        return self.duck.execute(query).fetchall()


_REAL = [pytest.param("real", marks=pytest.mark.long)] if real_dump() else []


@pytest.fixture(scope="module", params=["generated", *_REAL])
def dump(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    folder = real_dump() if request.param == "real" else root / "dump"
    if request.param == "generated":
        generate(folder, orders=3_000, days=700, seed=20)
    duck = duckdb.connect()
    build_reference(duck, folder)
    dump = Dump(request.param, folder, root / "lake", SailEngine().session(), duck)
    dump.run_all()
    dump.take("product", COMPUTED)
    yield dump
    duck.close()


# --- The tests ------------------------------------------------------------------------------------------------------


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


def types_of(dump, table):
    """The table's columns and their types; the hash of the values is the product's own."""
    return {name: type_ for name, type_, *_ in dump.values(f"DESCRIBE {table}") if name != "_hash"}


def different(type_, left, right):
    """SQL that is true where two values differ; doubles may differ in their last digits."""
    if type_ != "DOUBLE":
        return f"{left} IS DISTINCT FROM {right}"
    near = f"abs({left} - {right}) <= 1e-9 * greatest(abs({left}), abs({right}))"
    return f"NOT coalesce({near}, {left} IS NULL AND {right} IS NULL)"


@pytest.mark.parametrize("table_id", COMPUTED)
def test_every_table_equals_the_reference(dump, table_id):
    name, key = table_id.replace("/", "_"), TABLES[table_id].key
    types = types_of(dump, f"product.{name}")
    assert types == types_of(dump, f"reference.{name}")

    [(written, keys)] = dump.values(f"SELECT count(*), count(DISTINCT row({', '.join(key)})) FROM product.{name}")
    assert [(written, keys)] == dump.values(f"SELECT count(*), count(*) FROM reference.{name}")

    same_key = " AND ".join(f"p.{column} IS NOT DISTINCT FROM r.{column}" for column in key)
    both = f"product.{name} p FULL JOIN reference.{name} r ON {same_key}"
    differs = {column: different(type_, f"p.{column}", f"r.{column}") for column, type_ in types.items()}
    [counts] = dump.values(f"SELECT {', '.join(f'count(*) FILTER ({d})' for d in differs.values())} FROM {both}")
    examples = {
        column: dump.values(f"""
            SELECT coalesce(p, r)::VARCHAR, p.{column}::VARCHAR, r.{column}::VARCHAR
            FROM {both} WHERE {differs[column]} ORDER BY ALL LIMIT 5""")
        for column, count in zip(differs, counts, strict=True)
        if count
    }
    assert examples == {}


def test_the_figures_of_the_dump(dump):
    [figures] = dump.values("""
        SELECT count(*), sum(items), sum(items_value), sum(freight_value), sum(payment_value)
        FROM product.refined_fact_orders
    """)
    [people] = dump.values("""
        SELECT count(DISTINCT customer_unique_id), count(*) FROM product.refined_dim_customers WHERE customer_key <> -1
    """)
    assert dict(zip(REAL_FIGURES, (*figures, *people), strict=True)) == (
        REAL_FIGURES if dump.name == "real" else counted_figures(dump.folder)
    )
    [of_items] = dump.values("SELECT count(*), sum(price), sum(freight_value) FROM product.refined_fact_order_items")
    [of_payments] = dump.values("SELECT sum(payment_value) FROM product.refined_fact_payments")
    assert (*of_items, *of_payments) == figures[1:]


def counted_figures(folder):
    """The figures of a dump, counted in its files."""
    rows = {
        name: read_rows(folder / SOURCES[name][0]) for name in ("orders", "customers", "order_items", "order_payments")
    }
    return {
        "orders": len(rows["orders"]),
        "items": len(rows["order_items"]),
        "items_value": sum(Decimal(row["price"]) for row in rows["order_items"]),
        "freight_value": sum(Decimal(row["freight_value"]) for row in rows["order_items"]),
        "payment_value": sum(Decimal(row["payment_value"]) for row in rows["order_payments"]),
        "people": len({row["customer_unique_id"] for row in rows["customers"]}),
        "periods": len(address_periods(rows["orders"], rows["customers"])),
    }


def test_no_row_of_a_dump_is_quarantined(dump):
    tables = [table_id for table_id, table in TABLES.items() if table.layer is Layer.QUARANTINE]
    assert {table_id: Delta(dump.root / table_id).to_pyarrow_table().num_rows for table_id in tables} == dict.fromkeys(
        tables, 0
    )


@pytest.mark.parametrize("fact", FACTS)
def test_no_key_of_a_fact_is_null(dump, fact):
    keys = [column for column in types_of(dump, f"product.refined_{fact}") if column.endswith(("_key", "_id"))]
    assert {"order_id", "customer_key", "purchase_date_key"} <= {*keys}
    [counts] = dump.values(f"""
        SELECT {", ".join(f"count(*) FILTER ({key} IS NULL)" for key in keys)} FROM product.refined_{fact}
    """)
    assert dict(zip(keys, counts, strict=True)) == dict.fromkeys(keys, 0)


@pytest.mark.parametrize(("table", "key", "dimension"), FOREIGN_KEYS)
def test_every_foreign_key_has_its_row_in_the_dimension(dump, table, key, dimension):
    dimension_key = next(iter(types_of(dump, f"product.refined_{dimension}")))
    lost = dump.values(f"""
        SELECT DISTINCT {key} FROM product.refined_{table}
        WHERE {key} NOT IN (SELECT {dimension_key} FROM product.refined_{dimension}) LIMIT 5""")
    assert lost == []


def test_every_order_falls_in_exactly_one_period_of_its_person(dump):
    in_period = "order_purchase_timestamp >= valid_from AND NOT coalesce(order_purchase_timestamp >= valid_to, false)"
    periods = dump.values(f"""
        SELECT periods, count(*) FROM (
          SELECT order_id, count(*) FILTER ({in_period}) AS periods
          FROM product.trusted_orders LEFT JOIN product.trusted_customers USING (customer_id)
          LEFT JOIN product.refined_dim_customers USING (customer_unique_id)
          GROUP BY order_id
        ) GROUP BY periods""")
    assert periods == [(1, len(read_rows(dump.folder / SOURCES["orders"][0])))]


def test_a_second_run_of_all_steps_changes_nothing(dump):
    refined = [table_id for table_id in COMPUTED if TABLES[table_id].layer is Layer.REFINED]
    raw_and_trusted = [table_id for table_id in COMPUTED if table_id not in refined]
    versions = {table_id: Delta(dump.root / table_id).version() for table_id in raw_and_trusted}

    results = dump.run_all()

    assert [check for result in results.values() for check in result.checks if _failed(check)] == []
    assert {table_id: Delta(dump.root / table_id).version() for table_id in raw_and_trusted} == versions
    dump.take("again", refined)
    for table_id in refined:
        first, second = (f"FROM {schema}.{table_id.replace('/', '_')}" for schema in ("product", "again"))
        gone, came = (dump.values(f"{a} EXCEPT ALL {b} LIMIT 5") for a, b in ((first, second), (second, first)))
        assert (table_id, gone, came) == (table_id, [], [])


def _failed(check):
    return check.severity is Severity.ERROR and not check.passed
