"""Olist-shaped dumps of any size: generated orders with the keys, gaps and oddities of the public data set.

Every value is a hash of the seed and of the row's number, so chunks of any size give the same bytes.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from olist_assets.sources.generator.distributions import CATEGORIES
from olist_assets.sources.generator.random_columns import Ints
from olist_assets.sources.generator.sales import (
    customers_table,
    draw_orders,
    items_table,
    orders_table,
    payments_table,
    reviews_table,
)
from olist_assets.sources.generator.shop import Shop, products_table, sellers_table

CHUNK_ORDERS = 50_000
MAX_DAYS = 3650
TRANSLATION_FILE = "product_category_name_translation.csv"
TABLES = ("orders", "customers", "order_items", "order_payments", "order_reviews", "products", "sellers", "geolocation")


def generate(
    directory: Path,
    *,
    orders: int,
    days: int,
    seed: int,
    progress: Callable[[int], None] = lambda _orders_written: None,
) -> None:
    """Write a dump, the nine Olist CSV files, into `directory`, which is created if it is missing.

    Equal arguments give equal bytes. The files get their names, replacing older ones, when all nine are complete.
    From 30 orders on, every product and every seller has a sale.

    Args:
        directory: the folder of the files.
        orders: the number of orders, at least 1.
        days: the number of days of purchases from 2016-09-04 on, 1 to 3650.
        seed: any integer; different seeds give different people, products and orders.
        progress: called after each chunk with the number of orders written so far.

    Raises:
        ValueError: `orders` or `days` is out of range.
        OSError: the directory or a file cannot be written.
    """
    if orders < 1:
        raise ValueError(f"orders is {orders}: it must be at least 1")
    if not 1 <= days <= MAX_DAYS:
        raise ValueError(f"days is {days}: it must be 1 to {MAX_DAYS}")
    with _open_dump(directory) as write:
        _write_tables(Shop(seed, orders, days), write, progress)


def _write_tables(shop: Shop, write: Callable[[str, pa.Table], None], progress: Callable[[int], None]) -> None:
    for index in _chunks(shop.places.count, CHUNK_ORDERS // 25):  # a prefix has about 20 points
        write("geolocation", shop.places.points_table(index))
    for index in _chunks(shop.products, CHUNK_ORDERS):
        write("products", products_table(shop, index))
    for index in _chunks(shop.sellers, CHUNK_ORDERS):
        write("sellers", sellers_table(shop, index))
    for index in _chunks(shop.orders, CHUNK_ORDERS):
        chunk = draw_orders(shop, index)
        items, cents = items_table(shop, chunk)
        write("orders", orders_table(shop, chunk))
        write("customers", customers_table(shop, chunk))
        write("order_items", items)
        write("order_payments", payments_table(shop, chunk, cents))
        write("order_reviews", reviews_table(shop, chunk))
        progress(int(index[-1]) + 1)


@contextmanager
def _open_dump(directory: Path) -> Iterator[Callable[[str, pa.Table], None]]:
    """Yield a function that appends rows to a table's file. Files have temporary names until all are complete."""
    directory.mkdir(parents=True, exist_ok=True)
    names = [TRANSLATION_FILE, *(f"olist_{table}_dataset.csv" for table in TABLES)]
    temporary = {name: directory / f".{name}.partial" for name in names}
    writers: dict[str, csv.CSVWriter] = {}
    try:
        with ExitStack() as open_files:

            def write(table: str, rows: pa.Table) -> None:
                if table not in writers:
                    path = temporary[f"olist_{table}_dataset.csv"]
                    writers[table] = open_files.enter_context(csv.CSVWriter(str(path), rows.schema))
                writers[table].write_table(rows)

            yield write
        temporary[TRANSLATION_FILE].write_bytes(_translation())
        for name, path in temporary.items():
            path.replace(directory / name)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def _translation() -> bytes:
    """The translation, the only file with a byte order mark and CRLF, as in the original."""
    header = {"product_category_name": "product_category_name_english"}
    lines = [f"{name},{english}\r\n" for name, english in (header | CATEGORIES).items() if english]
    return "".join(lines).encode("utf-8-sig")


def _chunks(end: int, size: int) -> Iterator[Ints]:
    for first in range(0, end, size):
        yield np.arange(first, min(first + size, end))
