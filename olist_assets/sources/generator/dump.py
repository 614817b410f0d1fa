"""Olist-shaped dumps of any size: generated orders with the keys, gaps and oddities of the public data set.

Every value is a hash of the seed and of the row's number, so chunks of any size give the same bytes.
"""

import errno
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from olist_assets.errors import DeliveryError
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
FILES = (TRANSLATION_FILE, *(f"olist_{table}_dataset.csv" for table in TABLES))


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
        DeliveryError: the disk has not enough space; no new file is left.
        OSError: the directory or a file cannot be written.
    """
    if orders < 1:
        raise ValueError(f"orders is {orders}: it must be at least 1")
    if not 1 <= days <= MAX_DAYS:
        raise ValueError(f"days is {days}: it must be 1 to {MAX_DAYS}")
    temporary = [_temporary(directory, name) for name in FILES]
    _remove(temporary)  # of a process that was killed
    _check_free_space(directory, orders)
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with _open_dump(directory) as write:
            _write_tables(Shop(seed, orders, days), write, progress)
        _temporary(directory, TRANSLATION_FILE).write_bytes(_translation())
        for name, path in zip(FILES, temporary, strict=True):
            path.replace(directory / name)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DeliveryError(f"the disk of {directory} is full; the new files were removed") from error
    finally:
        _remove(temporary)


def _check_free_space(directory: Path, orders: int) -> None:
    """Check that a dump fits on the disk, before it fills the disk.

    Raises:
        DeliveryError: it does not fit.
    """
    folder = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if (needed := dump_bytes(orders)) > free:
        raise DeliveryError(
            f"{orders:,} orders need about {needed / 1e6:,.0f} MB, and {directory} has {free / 1e6:,.0f} MB free: "
            "generate fewer orders, or into a folder on another disk"
        )


def dump_bytes(orders: int) -> int:
    """The size of a dump in bytes: at least the actual one, and at most a tenth more from 1,000 orders on."""
    return 700 * orders + min(360 * orders, 31_000_000) + 100_000


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
    """Yield a function that appends rows to the file of a table, which has a temporary name."""
    writers: dict[str, csv.CSVWriter] = {}
    with ExitStack() as open_files:

        def write(table: str, rows: pa.Table) -> None:
            if table not in writers:
                path = str(_temporary(directory, f"olist_{table}_dataset.csv"))
                writers[table] = open_files.enter_context(csv.CSVWriter(path, rows.schema))
            writers[table].write_table(rows)

        yield write


def _temporary(directory: Path, name: str) -> Path:
    """The path of a file until all are complete."""
    return directory / f".{name}.partial"


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _translation() -> bytes:
    """The translation, the only file with a byte order mark and CRLF, as in the original."""
    header = {"product_category_name": "product_category_name_english"}
    lines = [f"{name},{english}\r\n" for name, english in (header | CATEGORIES).items() if english]
    return "".join(lines).encode("utf-8-sig")


def _chunks(end: int, size: int) -> Iterator[Ints]:
    for first in range(0, end, size):
        yield np.arange(first, min(first + size, end))
