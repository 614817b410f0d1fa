"""A generated dump is nine files of Olist's shape, the same bytes on every run, whatever its size."""

import csv
import errno
import hashlib
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from olist_assets.errors import DeliveryError
from olist_assets.sources.generator import dump as generator
from olist_assets.sources.generator.dump import generate

HEADERS = {
    "olist_orders_dataset.csv": (
        "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
        "order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date"
    ),
    "olist_customers_dataset.csv": (
        "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state"
    ),
    "olist_order_items_dataset.csv": (
        "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value"
    ),
    "olist_order_payments_dataset.csv": "order_id,payment_sequential,payment_type,payment_installments,payment_value",
    "olist_order_reviews_dataset.csv": (
        "review_id,order_id,review_score,review_comment_title,review_comment_message,review_creation_date,"
        "review_answer_timestamp"
    ),
    "olist_products_dataset.csv": (
        "product_id,product_category_name,product_name_lenght,product_description_lenght,product_photos_qty,"
        "product_weight_g,product_length_cm,product_height_cm,product_width_cm"
    ),
    "olist_sellers_dataset.csv": "seller_id,seller_zip_code_prefix,seller_city,seller_state",
    "olist_geolocation_dataset.csv": (
        "geolocation_zip_code_prefix,geolocation_lat,geolocation_lng,geolocation_city,geolocation_state"
    ),
    "product_category_name_translation.csv": "product_category_name,product_category_name_english",
}
TRANSLATION = "product_category_name_translation.csv"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def digests(folder):
    """Digests of files, so that a failure lists the files that differ and not their megabytes."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents(folder).items()}


def columns(folder, table):
    """Each column's values."""
    with (folder / f"olist_{table}_dataset.csv").open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    return dict(zip(header, zip(*rows, strict=True), strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("generated") / "made" / "on the way"
    generate(path, orders=1_501, days=60, seed=5)
    return path


def test_nine_files_with_the_names_and_headers_of_olist(folder):
    first_lines = {name: content.split(b"\n")[0].decode("utf-8-sig") for name, content in contents(folder).items()}
    assert {name: ",".join(next(csv.reader([line]))) for name, line in first_lines.items()} == HEADERS


def test_only_the_translation_has_a_byte_order_mark_and_crlf(folder):
    files = contents(folder)
    assert [name for name, content in files.items() if content.startswith(b"\xef\xbb\xbf")] == [TRANSLATION]
    assert [name for name, content in files.items() if content.split(b"\n")[0].endswith(b"\r")] == [TRANSLATION]
    assert files[TRANSLATION].count(b"\r\n") == files[TRANSLATION].count(b"\n") == 72


def test_empty_cells_are_empty_and_not_quoted(folder):
    orders, products = (contents(folder)[f"olist_{table}_dataset.csv"] for table in ("orders", "products"))
    assert b'""' not in orders
    assert b'""' not in products
    assert b",," in orders
    assert b",,,,," in products


def test_another_seed_writes_other_bytes(folder, tmp_path):
    generate(tmp_path, orders=1_501, days=60, seed=6)
    other = digests(tmp_path)
    assert [name for name, digest in digests(folder).items() if digest == other[name]] == [TRANSLATION]


def test_equal_arguments_write_equal_bytes_in_chunks_of_any_size(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(generator, "CHUNK_ORDERS", 250)
    written = []
    generate(tmp_path, orders=1_501, days=60, seed=5, progress=written.append)
    assert written == [250, 500, 750, 1000, 1250, 1500, 1501]
    assert digests(tmp_path) == digests(folder)


def test_one_order_more_than_a_chunk(tmp_path):
    written = []
    generate(tmp_path, orders=50_001, days=30, seed=2, progress=written.append)
    assert written == [50_000, 50_001]
    orders = columns(tmp_path, "orders")
    assert len(set(orders["order_id"])) == len(set(orders["customer_id"])) == len(orders["order_id"]) == 50_001


def test_ids_are_the_same_on_every_machine(tmp_path):
    generate(tmp_path, orders=3, days=1, seed=1)
    assert columns(tmp_path, "orders")["order_id"] == (
        "eb80847a4b43f80db0a703ae32e06d57",
        "cb045ca93513a5d6dc61bd48370a4978",
        "7a486146b3edbd6b0668a19d799b3953",
    )


@pytest.mark.parametrize("orders", [1, 2, 10, 29, 30, 100, 160, 191])
def test_small_dumps_have_no_orphans(tmp_path, orders):
    generate(tmp_path, orders=orders, days=1, seed=3)
    purchases, items = columns(tmp_path, "orders"), columns(tmp_path, "order_items")
    products, sellers = columns(tmp_path, "products")["product_id"], columns(tmp_path, "sellers")["seller_id"]
    assert len(purchases["order_id"]) == len(columns(tmp_path, "customers")["customer_id"]) == orders
    assert len(products) == max(10, orders // 3)
    assert len(sellers) == 5
    for known, sold in ((set(products), set(items["product_id"])), (set(sellers), set(items["seller_id"]))):
        assert sold <= known
        assert sold == known or orders < 30
    assert {time[:10] for time in purchases["order_purchase_timestamp"]} == {"2016-09-04"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_2000_orders_have_every_status(tmp_path, seed):
    generate(tmp_path, orders=2_000, days=90, seed=seed)
    statuses = columns(tmp_path, "orders")["order_status"]
    assert " ".join(sorted(set(statuses))) == (
        "approved canceled created delivered invoiced processing shipped unavailable"
    )
    assert 1_900 <= statuses.count("delivered") <= 1_970


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"orders": 0}, "orders is 0: it must be at least 1"),
        ({"orders": -4}, "orders is -4: it must be at least 1"),
        ({"days": 0}, "days is 0: it must be 1 to 3650"),
        ({"days": 3651}, "days is 3651: it must be 1 to 3650"),
    ],
)
def test_arguments_out_of_range(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        generate(tmp_path / "dump", **({"orders": 10, "days": 10, "seed": 1} | arguments))
    assert not (tmp_path / "dump").exists()


def test_an_interrupted_run_does_not_change_the_older_dump(tmp_path):
    generate(tmp_path, orders=40, days=5, seed=1)
    before = digests(tmp_path)

    def interrupt(_orders_written: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, orders=50, days=5, seed=2, progress=interrupt)
    assert digests(tmp_path) == before


def test_temporary_files_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / ".olist_orders_dataset.csv.partial").write_text("order_id\n")
    with pytest.raises(DeliveryError):
        generate(tmp_path, orders=10**12, days=5, seed=1)
    assert contents(tmp_path) == {}


def test_a_dump_that_does_not_fit_is_refused_with_both_sizes(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=21_000_000))
    with pytest.raises(DeliveryError) as error:
        generate(tmp_path / "new" / "dump", orders=20_000, days=5, seed=1)
    assert str(error.value) == (
        f"20,000 orders need about 21 MB, and {tmp_path}/new/dump has 21 MB free: "
        "generate fewer orders, or into a folder on another disk"
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("orders", [1, 100, 10_000])
def test_the_space_that_is_required_is_enough(tmp_path, orders):
    generate(tmp_path, orders=orders, days=90, seed=1)
    size = sum(len(content) for content in contents(tmp_path).values())
    assert size <= generator.dump_bytes(orders) <= 1.1 * size + 100_000


def test_a_disk_that_becomes_full_is_an_error_and_leaves_no_new_file(tmp_path):
    generate(tmp_path, orders=40, days=5, seed=1)
    before = digests(tmp_path)

    def fill_disk(_orders_written: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DeliveryError, match=f"^the disk of {tmp_path} is full; the new files were removed$"):
        generate(tmp_path, orders=50, days=5, seed=2, progress=fill_disk)
    assert digests(tmp_path) == before


def test_sigterm_ends_the_command_without_temporary_files(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "olist_assets", "generate", "--orders", "2000000", str(tmp_path / "dump")],
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "dump" / ".olist_geolocation_dataset.csv.partial").exists():
        time.sleep(0.05)
        assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert list((tmp_path / "dump").iterdir()) == []
