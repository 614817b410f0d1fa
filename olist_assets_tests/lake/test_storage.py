"""Object storage: the same on a disk and on S3, and errors that say what is wrong with it."""

import re
from datetime import UTC, date, datetime

import pytest
from obstore.store import MemoryStore

from olist_assets.aws.environment import configure
from olist_assets.errors import OlistError
from olist_assets.lake.files import DeliveredFile
from olist_assets.lake.layout import Lake
from olist_assets.lake.storage import has_content, open_store
from olist_assets.settings import load_settings
from spark_steps.protocol import Window

DAY = date(2018, 5, 10)
NAME = "olist_sellers_dataset.csv"


@pytest.fixture
def delivered():
    store = MemoryStore()
    store.put(NAME, b"seller_id\ns1\n")
    return DeliveredFile(store, NAME, 13, datetime(2018, 5, 10, 3, tzinfo=UTC))


def test_an_object_is_compared_with_a_file(store, tmp_path):
    file = tmp_path / "file.csv"
    file.write_bytes(b"a" * 5_000_000)
    for name, content in {"same": b"a" * 5_000_000, "other": b"a" * 4_999_999 + b"b", "short": b"a" * 9}.items():
        store.put(f"2018-05-10/{name}", content)
    assert {name: has_content(store, f"2018-05-10/{name}", file) for name in ("same", "other", "short")} == {
        "same": True,
        "other": False,
        "short": False,
    }


@pytest.mark.parametrize(("after_raw", "left"), [("archive", ["archive"]), ("delete", [])])
def test_a_landed_file_waits_until_it_is_cleared(root, delivered, after_raw, left):
    lake = Lake(root, after_raw)
    landed = lake.land("sellers", DAY, delivered)
    assert lake.land("sellers", DAY, delivered).uri == landed.uri  # the content is there already
    assert lake.landed_files("sellers", Window.from_day(DAY)) == (landed,)
    assert lake.pending_days() == [DAY]
    for _ in range(2):  # the second time another run has cleared it
        lake.remove_landed([landed])
    assert lake.pending_days() == []
    place = landed.uri.removeprefix(f"{root}/landzone/")
    assert [meta["path"] for page in lake.store.list() for meta in page] == [f"{folder}/{place}" for folder in left]


def test_the_newest_control_object_of_a_table_is_found(root):
    lake = Lake(root)
    for minute in (1, 2):
        started = datetime(2018, 5, 10, 3, minute, tzinfo=UTC)
        lake.write_step_record({"table": "raw/orders", "run_id": f"run-{minute}", "started_at": started})
    lake.write_load_mark(DAY, ["a.csv"])
    assert {table: record["run_id"] for table, record in lake.last_records({"raw/orders"}).items()} == {
        "raw/orders": "run-2"
    }
    assert lake.load_marks() == {DAY: ["a.csv"]}
    lake.clear_load_mark(DAY)
    lake.clear_load_mark(DAY)
    assert lake.load_marks() == {}


def test_uris_are_shown_without_the_bucket(bucket, tmp_path):
    for root, shown in {f"{bucket}/lake": "$OLIST_LAKE", str(tmp_path): str(tmp_path)}.items():
        lake = Lake(root)
        assert lake.display_uri(lake.table("raw/orders").uri) == f"{shown}/raw/orders"


@pytest.mark.parametrize("encryption", ["AES256", "aws:kms:some-key"])
def test_objects_are_encrypted_as_the_setting_says(s3, bucket, delivered, monkeypatch, encryption):
    for name in ("AWS_SERVER_SIDE_ENCRYPTION", "AWS_SSE_KMS_KEY_ID"):
        monkeypatch.setenv(name, "")  # taken back after the test
    configure(encryption)
    landed = Lake(bucket).land("sellers", DAY, delivered)
    head = s3.head_object(Bucket=bucket.removeprefix("s3://"), Key=landed.uri.removeprefix(f"{bucket}/"))
    assert head["ServerSideEncryption"] == encryption.removesuffix(":some-key")
    assert head.get("SSEKMSKeyId") == (None if encryption == "AES256" else "some-key")


def test_a_profile_is_enough(s3_server, bucket, tmp_path, monkeypatch, delivered):
    (tmp_path / "config").write_text(f"[profile shop]\nregion = us-east-1\nendpoint_url = {s3_server}\n")
    (tmp_path / "credentials").write_text("[shop]\naws_access_key_id = test\naws_secret_access_key = test\n")
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION", "DEFAULT_REGION", "ENDPOINT_URL", "ENDPOINT_URL_S3"):
        monkeypatch.delenv(f"AWS_{name}")
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_PROFILE": "shop",
        "OLIST_LAKE": f"{bucket}/lake",
        # Set by what follows, and taken back after the test.
        **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "AWS_FORCE_CREDENTIAL_LOAD"), ""),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    lake = Lake(load_settings().lake)
    lake.land("sellers", DAY, delivered)
    assert lake.pending_days() == [DAY]
    monkeypatch.delenv("AWS_ENDPOINT_URL")


def test_a_folder_that_cannot_be_one_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OlistError, match=r"/file is a file; a folder is needed$"):
        open_store(str(tmp_path / "file"), create=True)
    with pytest.raises(OlistError, match=r"^the folder .*/missing does not exist$"):
        open_store(str(tmp_path / "missing"), create=False)


def test_a_bucket_that_is_not_there_is_said_in_one_line(s3):  # noqa: ARG001 - a server that answers
    message = (
        "cannot list s3://…/lake: NoSuchBucket: The specified bucket does not exist; "
        "check the bucket's name, AWS_PROFILE and the AWS variables"
    )
    with pytest.raises(OlistError, match=f"^{re.escape(message)}$"):
        open_store("s3://no-such-shop/lake", create=True)


def test_no_credentials_are_said_in_one_line(s3, monkeypatch, tmp_path):  # noqa: ARG001 - a server, and other variables
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(OlistError, match=r"set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY$"):
        open_store("s3://shop/lake", create=True)
