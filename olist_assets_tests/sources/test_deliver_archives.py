"""Dumps as people have them: zip archives, gzip, single files, other names, other separators."""

import gzip
import io
import zipfile
from datetime import date
from pathlib import Path

import pytest

from olist_assets.errors import DeliveryError
from olist_assets.sources.deliver import deliver
from olist_assets.sources.notices import describe_notices

ORDERS = (
    "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
    "order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date\n"
    "o1,c1,approved,2018-05-01T10:00:00Z,2018-05-02 10:00,,,\n"
)
SELLERS = "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns1,1001,são paulo,SP\n"
DAY = "2018-05-03"
ALMOST = "no file name of a table; if it belongs to products, rename it to olist_products_dataset.csv"


@pytest.fixture
def source(tmp_path) -> Path:
    return tmp_path / "source"


def _archive(path: Path, members: dict[str, bytes | str], compression=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _delivered(source: Path) -> dict[str, str]:
    return {path.relative_to(source).as_posix(): path.read_text() for path in sorted(source.rglob("*.csv"))}


def test_a_zip_archive_is_delivered_and_what_is_left_out_is_named(tmp_path, source):
    members = {
        "archive/olist_orders_dataset.csv": ORDERS,
        "archive/olist_sellers_dataset.csv.gz": gzip.compress(SELLERS.encode()),
        "archive/olist_products_dataset.CSV": "x",
        "__MACOSX/._olist_orders_dataset.csv": "x",
        "archive/readme.txt": "x",
    }
    archive = _archive(tmp_path / "archive.zip", members)
    delivery = deliver(archive, str(source))
    assert _delivered(source) == {
        f"{DAY}/olist_orders_dataset_20180503T000000Z.csv": ORDERS,
        f"{DAY}/olist_sellers_dataset_20180503T000000Z.csv": SELLERS,
    }
    assert describe_notices(delivery.notices) == [
        "ignored: ._olist_orders_dataset.csv, readme.txt: no file name of a table",
        f"ignored: olist_products_dataset.CSV: {ALMOST}",
    ]
    assert deliver(archive, str(source)) == delivery
    assert len(_delivered(source)) == 2


def test_an_archive_and_the_folder_in_it_are_one_delivery(tmp_path, source):
    folder = tmp_path / "dump"
    folder.mkdir()
    (folder / "olist_orders_dataset.csv").write_text(ORDERS)
    deliver(folder, str(source))
    deliver(_archive(tmp_path / "a.ZIP", {"olist_orders_dataset.csv": ORDERS}, zipfile.ZIP_BZIP2), str(source))
    deliver(folder / "olist_orders_dataset.csv", str(source))
    assert list(_delivered(source)) == [f"{DAY}/olist_orders_dataset_20180503T000000Z.csv"]


def test_a_single_file_in_gzip_of_several_members_is_delivered(tmp_path, source):
    packed = tmp_path / "olist_sellers_dataset.csv.gz"
    packed.write_bytes(gzip.compress(SELLERS.encode()) + gzip.compress(b"s2,1001,x,SP\n"))
    deliver(packed, str(source), day=date(2018, 5, 3))
    assert list(_delivered(source).values()) == [f"{SELLERS}s2,1001,x,SP\n"]


def test_a_damaged_archive_is_one_line_and_no_half_file_is_delivered(tmp_path, source):
    good, cut = gzip.compress(ORDERS.encode()), gzip.compress((SELLERS + "s2,1001,x,SP\n" * 9_000).encode())[:-99]
    members = {"olist_orders_dataset.csv.gz": good, "olist_sellers_dataset.csv.gz": cut}
    with pytest.raises(
        DeliveryError, match=r"archive.zip: olist_sellers_dataset.csv.gz is damaged: .*; fetch it again"
    ):
        deliver(_archive(tmp_path / "archive.zip", members), str(source))
    assert [path.name for path in source.rglob("*") if path.is_file()] == ["olist_orders_dataset_20180503T000000Z.csv"]


def test_an_archive_with_a_wrong_checksum_is_damaged(tmp_path, source):
    archive = _archive(tmp_path / "archive.zip", {"olist_orders_dataset.csv": ORDERS}, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"o1,c1", b"o2,c2"))
    with pytest.raises(DeliveryError, match=r"olist_orders_dataset.csv is damaged: Bad CRC-32"):
        deliver(archive, str(source))
    assert not list(source.rglob("*.csv"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"not a zip"])
def test_a_file_that_is_no_archive_is_one_line(tmp_path, source, content):
    (tmp_path / "archive.zip").write_bytes(content)
    with pytest.raises(DeliveryError, match=r"archive\.zip is not a complete zip archive"):
        deliver(tmp_path / "archive.zip", str(source))


def test_an_encrypted_archive_says_what_to_do(tmp_path, source):
    archive = _archive(tmp_path / "archive.zip", {"olist_orders_dataset.csv": ORDERS})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag of encryption in the directory of the archive
    archive.write_bytes(content)
    with pytest.raises(DeliveryError, match=r"is encrypted: unpack it, and deliver the folder$"):
        deliver(archive, str(source))


def test_links_in_a_dump_are_not_followed_out_of_it(tmp_path, source):
    (tmp_path / "secret").write_text(SELLERS)
    dump = tmp_path / "dump"
    dump.mkdir()
    (dump / "olist_orders_dataset.csv").write_text(ORDERS)
    (dump / "olist_sellers_dataset.csv").symlink_to(tmp_path / "secret")
    delivery = deliver(dump, str(source))
    assert describe_notices(delivery.notices) == [
        "ignored: olist_sellers_dataset.csv: a link that leads out of the folder"
    ]
    link = zipfile.ZipInfo("olist_sellers_dataset.csv")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("olist_orders_dataset.csv", ORDERS)
        archive.writestr(link, "/etc/passwd")
    delivery = deliver(tmp_path / "archive.zip", str(source))
    assert describe_notices(delivery.notices) == ["ignored: olist_sellers_dataset.csv: a link"]
    assert list(_delivered(source)) == [f"{DAY}/olist_orders_dataset_20180503T000000Z.csv"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ORDERS.replace(",", ";"), "is separated by ';'; deliver it with commas"),
        (ORDERS.replace("customer_id,", "").replace("c1,", ""), "lacks the column customer_id"),
        ("", "is empty: it has no header"),
        (ORDERS.encode("utf-16"), "is not UTF-8"),
    ],
)
def test_the_reason_why_raw_would_refuse_a_file_is_passed_on(tmp_path, source, content, reason):
    dump = tmp_path / "dump"
    dump.mkdir()
    (dump / "olist_orders_dataset.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    (dump / "olist_sellers_dataset.csv").write_text(SELLERS)
    with pytest.raises(DeliveryError, match=rf"dump/olist_orders_dataset.csv {reason}; correct it and deliver again$"):
        deliver(dump, str(source))
    assert not source.exists()


def test_memory_does_not_depend_on_the_size_of_a_file_in_an_archive(tmp_path, source):
    """Rows of 134 MB are unpacked in chunks: the traced peak stays below half of it."""
    import tracemalloc  # noqa: PLC0415

    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as writer:
        writer.write(SELLERS.encode())
        for _ in range(128):
            writer.write(b"s1,1001,sao paulo,SP\n" * 50_000)
    archive = _archive(tmp_path / "archive.zip", {"olist_sellers_dataset.csv.gz": packed.getvalue()})
    tracemalloc.start()
    deliver(archive, str(source), day=date(2018, 5, 3))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 << 20
