"""The benchmark measures the same work on both sides: the floor's tables equal the product's, dirt included."""

import csv
import os
import sys
from datetime import date
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable as Delta
from deltalake import write_deltalake
from test_real_data import EXTRACTED_AT, LANDING_DATE, Dump

from bench import report
from bench.baseline import Delivery, build
from bench.errors import BenchError
from bench.full_load import Figures, Result, Step, figures_of
from bench.measure import Measured, measured
from olist_assets.engines.local.sail import SailEngine
from olist_assets.operations.diff import differences
from olist_assets.sources.generator.dump import generate
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES, tables_in

# --- The floor's tables ---------------------------------------------------------------------------------------------

BLANK = " "
DIRT = {
    "orders": [
        {"order_status": "canceled"},  # the first order again, in another state
        {"order_id": "lost", "order_status": "lost"},
        {"order_id": "timeless", "order_purchase_timestamp": ""},
        {"order_id": "unreadable", "order_approved_at": "yesterday"},
        {"order_id": "nobody's", "customer_id": "unknown", "order_status": ""},
    ],
    "customers": [
        {"customer_city": "são joão"},
        {"customer_id": "short", "customer_zip_code_prefix": "123"},
        {"customer_id": "nowhere", "customer_zip_code_prefix": "", "customer_city": BLANK, "customer_state": ""},
        {"customer_id": "no person", "customer_unique_id": BLANK},
        {"customer_id": "abroad", "customer_state": "XX"},
    ],
    "order_items": [
        {"order_item_id": "2.0", "product_id": "unknown", "seller_id": ""},
        {"order_item_id": "3", "price": "-1.00"},
        {"order_item_id": "4", "price": "0.005", "freight_value": "0"},
        {"order_item_id": "5", "price": ""},
        {"order_item_id": "six"},
    ],
    "order_payments": [
        {"payment_sequential": "7", "payment_value": "0.00", "payment_installments": ""},
        {"payment_sequential": "8", "payment_type": "cash"},
        {"payment_sequential": "9", "payment_value": "free"},
    ],
    "order_reviews": [
        {"review_id": "newer", "review_answer_timestamp": "2199-01-01 00:00:00", "review_score": "1"},
        {"review_id": "quoted", "review_comment_title": BLANK, "review_comment_message": 'said "bom"\n, e mais'},
        {"review_id": "too good", "review_score": "6"},
        {"review_id": "unanswered", "review_answer_timestamp": ""},
        {"review_id": "early", "order_id": "not yet here"},
    ],
    "products": [
        {"product_id": "plain", "product_category_name": "", "product_weight_g": "12.0", "product_photos_qty": ""},
        {"product_id": "odd", "product_category_name": "never translated", "product_weight_g": "heavy"},
    ],
    "sellers": [
        {"seller_id": "short", "seller_zip_code_prefix": "7"},
        {"seller_id": "", "seller_city": "nameless"},
    ],
    "geolocation": [
        {"geolocation_lat": "0.0", "geolocation_lng": "0"},
        {"geolocation_lat": "-0.0", "geolocation_lng": "0.00"},
        {"geolocation_lat": "95"},
        {"geolocation_state": ""},
    ],
}
"""Rows that are added to a made-up dump: of each what differs from the file's first row."""

LAYERS = (Layer.RAW, Layer.TRUSTED, Layer.REFINED)


def add_dirt(folder):
    for name, rows in DIRT.items():
        path = folder / f"{TABLES[f'raw/{name}'].file_stem}.csv"
        with path.open(newline="") as lines:
            first = next(csv.DictReader(lines))
        with path.open("a", newline="") as lines:
            csv.DictWriter(lines, first, lineterminator="\n").writerows(first | row for row in rows)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory):
    """One dump, taken to tables by the floor and by the product's steps: the roots of both lakes."""
    root = tmp_path_factory.mktemp("lakes")
    generate(root / "dump", orders=400, days=200, seed=3)
    add_dirt(root / "dump")
    with duckdb.connect() as duck:
        spark = SailEngine().session()
        Dump(name="dirty", folder=root / "dump", root=root / "product", spark=spark, duck=duck).run_all()
    seconds = build(Delivery(root / "dump", LANDING_DATE, EXTRACTED_AT), root / "floor")
    assert list(seconds) == list(LAYERS)
    assert min(seconds.values()) > 0
    return root / "floor", root / "product"


@pytest.mark.parametrize("table", [table for layer in LAYERS for table in tables_in(layer)], ids=lambda table: table.id)
def test_every_table_of_the_floor_equals_that_of_the_product(lakes, table):
    floor, product = lakes
    assert differences(table, floor, product, without=frozenset({"_run_id"})) == []


@pytest.mark.parametrize("table", tables_in(Layer.QUARANTINE), ids=lambda table: table.id)
def test_the_floor_rejects_the_rows_that_the_product_rejects(lakes, table):
    floor, product = lakes
    assert differences(table, floor, product, without=frozenset({"_run_id", "record", "reason"})) == []


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.id)
def test_the_floor_writes_tables_as_declared(lakes, table):
    floor, product = lakes
    ours, theirs = Delta(floor / table.id), Delta(product / table.id)
    assert ours.metadata().partition_columns == theirs.metadata().partition_columns
    assert [(f.name, f.type, f.nullable) for f in ours.schema().fields] == [
        (f.name, f.type, f.nullable) for f in theirs.schema().fields
    ]


def test_a_row_of_each_kind_of_dirt_is_rejected(lakes):
    floor, _ = lakes
    rules = {
        table.name: sorted(Delta(floor / table.id).to_pyarrow_table()["rule"].to_pylist())
        for table in tables_in(Layer.QUARANTINE)
    }
    assert rules == {
        "orders": ["order_approved_at_unreadable", "order_purchase_timestamp_missing", "order_status_unknown"],
        "customers": ["customer_state_unknown", "customer_unique_id_missing"],
        "order_items": ["order_item_id_unreadable", "price_missing", "price_out_of_range"],
        "order_payments": ["payment_type_unknown", "payment_value_unreadable"],
        "order_reviews": ["review_score_out_of_range"],
        "products": ["product_weight_g_unreadable"],
        "sellers": ["seller_id_missing"],
        "geolocation": ["geolocation_lat_out_of_range", "geolocation_state_missing"],
        "product_category_translation": [],
    }


# --- The comparison -------------------------------------------------------------------------------------------------

MONTH = {"order_month": "2018-05", "payment_type": "boleto", "payments": 2, "payment_value": Decimal("10.00")}
MONTH_SCHEMA = pa.schema(
    {
        "order_month": pa.string(),
        "payment_type": pa.string(),
        "payments": pa.int64(),
        "payment_value": pa.decimal128(18, 2),
        "average_installments": pa.float64(),
    }
)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([MONTH], [MONTH], []),
        ([], [], []),
        ([MONTH], [], ["1 rows only in the first"]),
        ([], [MONTH], ["1 rows only in the second"]),
        ([MONTH, MONTH], [MONTH, MONTH], ["2 rows too many for their keys"]),
        ([MONTH, MONTH], [MONTH], ["1 rows too many for their keys"]),
        ([MONTH], [MONTH | {"payment_value": Decimal("10.01")}], ["1 rows with another payment_value"]),
        ([MONTH | {"average_installments": 1.5}], [MONTH], ["1 rows with another average_installments"]),
        ([MONTH | {"average_installments": 3.0}], [MONTH | {"average_installments": 3.0 + 1e-12}], []),
        (
            [MONTH | {"average_installments": 3.0}],
            [MONTH | {"average_installments": 3.0 + 1e-6}],
            ["1 rows with another average_installments"],
        ),
    ],
)
def test_differences_are_counted_by_column(tmp_path, left, right, expected):
    table = TABLES["refined/aggregate_payments_per_month"]
    for lake, rows in (("left", left), ("right", right)):
        write_deltalake(tmp_path / lake / table.id, pa.Table.from_pylist(rows, MONTH_SCHEMA))
    found = differences(table, tmp_path / "left", tmp_path / "right")
    assert found == [f"{table.id}: {line}" for line in expected]


def test_columns_of_other_types_are_a_difference(tmp_path):
    table = TABLES["refined/aggregate_payments_per_month"]
    write_deltalake(tmp_path / "left" / table.id, pa.Table.from_pylist([MONTH], MONTH_SCHEMA))
    write_deltalake(tmp_path / "right" / table.id, pa.table({"order_month": ["2018-05"]}))
    [found] = differences(table, tmp_path / "left", tmp_path / "right")
    assert found.startswith(f"{table.id}: columns ")


# --- Measuring ------------------------------------------------------------------------------------------------------


def test_a_command_is_measured_with_the_processes_below_it(tmp_path):
    child = "import time; held = bytearray(150_000_000); time.sleep(0.5); print('held')"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    took = measured([sys.executable, "-c", parent], environment=os.environ, folder=tmp_path)
    assert took.output == "held\n"
    assert took.wall > 0.5
    assert took.cpu > 0
    assert 150e6 < took.peak_process <= took.peak_tree < 250e6


def test_a_command_that_fails_is_an_error_with_what_it_said(tmp_path):
    with pytest.raises(BenchError, match=r"exit code 3: no lake$"):
        measured(
            [sys.executable, "-c", "import sys; print('no lake'); sys.exit(3)"], environment=os.environ, folder=tmp_path
        )


def test_the_parts_of_a_run_add_up_to_its_wall_time():
    took = Measured(started=100.0, wall=20.0, cpu=9.0, peak_process=1, peak_tree=2, output="")
    figures = figures_of(
        took,
        [
            Step("landzone/orders", started=104.0, seconds=1.0, work=1.0, files=0, bytes=0),
            Step("raw/orders", started=106.0, seconds=5.0, work=2.0, files=1, bytes=10),
            Step("trusted/orders", started=111.5, seconds=2.5, work=2.0, files=3, bytes=20),
            Step("refined/dim_date", started=116.0, seconds=1.0, work=0.5, files=1, bytes=5),
        ],
    )
    assert figures.layers == {"landzone": 1.0, "raw": 2.0, "trusted": 2.0, "refined": 0.5}
    assert figures.parts == {
        "start-up": 4.0,
        "engine start": 3.0,
        "work": 5.5,
        "around steps": 1.0,
        "between steps": 3.5,
        "end": 3.0,
    }
    assert sum(figures.parts.values()) == figures.wall == 20.0
    assert (figures.files, figures.bytes) == (5, 35)


# --- The report -----------------------------------------------------------------------------------------------------


def figures(factor, **parts):
    return Figures(
        layers={"raw": 1.0 * factor, "trusted": 2.0 * factor, "refined": 1.0 * factor},
        parts={"start-up": 0.5, "work": 4.0 * factor, **parts},
        wall=5.0 * factor,
        cpu=6.0,
        peak_process=700_000_000,
        peak_tree=1_400_000_000,
        files=100 * factor,
        bytes=50_000_000,
    )


RESULT = Result(
    dump="small",
    orders=1_234,
    csv_bytes=25_300_000,
    runs=2,
    floor=figures(1),
    engines={"sail": figures(2, **{"engine start": 0.25, "between steps": 1.0, "end": 0.5})},
    reruns={"sail": figures(0)},
    equal=("refined/dim_date", "refined/fact_orders"),
)
MACHINE = report.Machine(
    system="Linux x86_64",
    cores=2,
    memory_bytes=24 << 30,
    python="3.11.7",
    versions={"pysail": "0.7.2"},
    day=date(2018, 5, 10),
    load=0.2,
)
PAGE = """\
# small: 1,234 orders, 25 MB of CSV

Linux x86_64, 2 cores, 24 GiB; Python 3.11.7, pysail 0.7.2; 2018-05-10; load 0.2 before it began; \
of 2 runs of each the quickest. 2 refined tables of each engine equal the floor's in every row.

|  | floor | sail |
| --- | --: | --: |
| **Seconds of work** |  |  |
| landzone | - | - |
| raw | 1.00 | 2.00 (2.0x) |
| trusted | 2.00 | 4.00 (2.0x) |
| refined | 1.00 | 2.00 (2.0x) |
| all layers | 4.00 | 8.00 (2.0x) |
| **Seconds of the command** |  |  |
| start-up: until the first step | 0.50 | 0.50 (1.0x) |
| engine start | - | 0.25 |
| work | 4.00 | 8.00 (2.0x) |
| around steps: handles | - | - |
| between steps: Dagster, control objects | - | 1.00 |
| after the last step | - | 0.50 |
| from start to end | 5.00 | 10.00 (2.0x) |
| of CPU | 6.00 | 6.00 (1.0x) |
| **Memory and storage** |  |  |
| MB of the largest process | 700 | 700 (1.0x) |
| MB of all processes | 1,400 | 1,400 (1.0x) |
| data files written | 100 | 200 (2.0x) |
| MB of data files | 50.0 | 50.0 (1.0x) |
| **The same delivery again** |  |  |
| seconds of work | 4.00 | 0.00 (0.0x) |
| from start to end | 5.00 | 0.00 (0.0x) |
| data files written | 100 | 0 (0.0x) |

"""


def test_the_page_shows_each_figure_with_its_multiple_of_the_floor():
    page = report.markdown(RESULT, MACHINE)
    assert page.startswith(PAGE)
    assert page.removeprefix(PAGE).startswith("*The floor*: ")


def test_a_result_is_written_as_json_and_as_a_page(tmp_path):
    paths = report.write(RESULT, MACHINE, tmp_path / "results")
    assert [path.name for path in paths] == ["small.json", "small.md"]
    assert '"trusted": 4.0' in paths[0].read_text()
    assert paths[1].read_text() == report.markdown(RESULT, MACHINE)
