"""The benchmark measures the same work on both sides: the baseline's tables equal the product's, dirt included."""

import csv

import pytest
from deltalake import DeltaTable

from bench.baseline import Delivery, build
from olist_assets.engines.local.sail import SailEngine
from olist_assets.operations.diff import differences
from olist_assets.sources.deliver import deliver
from olist_assets.sources.generator.dump import generate
from olist_assets_tests.dumps import EXTRACTED_AT, LANDING_DATE, load_days
from olist_assets_tests.lakes import TestLake
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES, tables_in

pytestmark = pytest.mark.long

# --- The baseline's tables ------------------------------------------------------------------------------------------

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
"""Rows that are added to a generated dump, as differences from the first row of the file."""

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
    """One dump with dirt, taken to tables by the baseline and by the product's steps: the roots of both lakes."""
    root = tmp_path_factory.mktemp("lakes")
    generate(root / "dump", orders=400, days=200, seed=3)
    add_dirt(root / "dump")
    product = TestLake(root / "product", SailEngine())
    deliver(root / "dump", str(product.source), day=LANDING_DATE)
    load_days(product, [LANDING_DATE])
    delivery = Delivery(product.source / f"{LANDING_DATE}", LANDING_DATE, EXTRACTED_AT)
    seconds = build(delivery, root / "baseline")
    assert list(seconds) == list(LAYERS)
    assert min(seconds.values()) > 0
    return root / "baseline", product.root


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.id)
def test_every_table_of_the_baseline_equals_that_of_the_product(lakes, table):
    baseline, product = lakes
    # The baseline quarantines the same rows by the same rules; it does not write their texts and reasons.
    columns = {"_run_id", "record", "reason"} if table.layer is Layer.QUARANTINE else {"_run_id"}
    assert differences(table, baseline, product, without=frozenset(columns)) == []
    ours, theirs = DeltaTable(baseline / table.id), DeltaTable(product / table.id)
    assert ours.metadata().partition_columns == theirs.metadata().partition_columns
    assert [(f.name, f.type, f.nullable) for f in ours.schema().fields] == [
        (f.name, f.type, f.nullable) for f in theirs.schema().fields
    ]


def test_a_row_of_each_kind_of_dirt_is_rejected(lakes):
    baseline, _ = lakes
    rules = {
        table.name: sorted(DeltaTable(baseline / table.id).to_pyarrow_table()["rule"].to_pylist())
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
