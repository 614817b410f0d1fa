"""Dumps for tests: the real one, the generated one of the shared lake, and how a lake is loaded with either."""

import csv
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from olist_assets.engines.local.sail import SailEngine
from olist_assets.lake.files import FILE_STEMS
from olist_assets.sources.deliver import deliver
from olist_assets.sources.deliveries import Deliveries
from olist_assets.sources.generator.dump import generate
from olist_assets_tests.lakes import TestLake
from spark_steps.declarations import Layer, Severity
from spark_steps.protocol import StepResult, Window
from spark_steps.tables import tables_in

LANDING_DATE = date(2018, 10, 20)
"""The landing date of a dump that is delivered whole."""

EXTRACTED_AT = datetime(2018, 10, 20, tzinfo=UTC)
"""The time of extraction that `deliver` gives to the files of such a dump."""

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
"""The file and the key of each source."""

_REPOSITORY = Path(__file__).parents[1]
_UNDELIVERED_ROWS = {"customers": 40, "products": 20, "sellers": 5}


def real_dump() -> Path | None:
    """The folder of the real dump: OLIST_TEST_DUMP if it is set, else ../shared/olist if it exists."""
    if folder := os.environ.get("OLIST_TEST_DUMP"):
        return Path(folder)
    default = _REPOSITORY.parent / "shared" / "olist"
    return default if default.is_dir() else None


def read_rows(path: Path) -> list[dict[str, str | None]]:
    """The rows of a CSV file as texts by column; empty texts are None."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return [{column: text or None for column, text in row.items()} for row in csv.DictReader(lines)]


def load_days(lake: TestLake, days: Sequence[date], deliveries: Deliveries | None = None) -> dict[str, StepResult]:
    """Take deliveries through all steps as one run does, without Dagster; no check of severity error may fail.

    Args:
        lake: the lake to load.
        days: landing dates in ascending order; the steps' window reaches from the first to the last.
        deliveries: the source; by default the lake's own.

    Returns:
        What each step reports, by table.
    """
    deliveries = deliveries or lake.deliveries
    window = Window(days[0], days[-1] + timedelta(days=1))
    for name in FILE_STEMS:
        for day in days:
            for file in deliveries.files(name, day):
                lake.lake.landzone.land(name, day, file)
    results: dict[str, StepResult] = {}
    for table in (t for layer in (Layer.RAW, Layer.TRUSTED, Layer.REFINED) for t in tables_in(layer)):
        files = lake.lake.landzone.files(table.name, window) if table.layer is Layer.RAW else ()
        results[table.id] = lake.run(table.id, window=window, files=files)
        lake.lake.landzone.remove(files)
    checks = [check for result in results.values() for check in result.checks]
    assert [check for check in checks if check.severity is Severity.ERROR and not check.passed] == []
    return results


def build_loaded_lake(folder: Path) -> None:
    """Deliver a generated dump of 1,500 orders of two years into `folder/source` and load it into `folder/lake`.

    A few customers, products and sellers are not delivered: what refers to them has the unknown member's key. All
    assets are materialized through Dagster, and the day is marked as loaded, as `olist run` does.
    """
    generate(folder / "dump", orders=1_500, days=730, seed=3)
    for table, rows in _UNDELIVERED_ROWS.items():
        file = folder / "dump" / SOURCES[table][0]
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:-rows]))
    lake = TestLake(folder / "lake", SailEngine())
    deliver(folder / "dump", str(lake.source), day=LANDING_DATE)
    lake.materialize(day=f"{LANDING_DATE}")
    lake.lake.load_marks.write({LANDING_DATE: lake.deliveries.days()[LANDING_DATE]})
