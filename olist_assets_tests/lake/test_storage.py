"""Object storage: the same on a disk and on S3, with errors of one line."""

import re
from datetime import date
from io import BytesIO

import pytest

from olist_assets.aws.environment import configure
from olist_assets.errors import LakeNotFoundError
from olist_assets.lake.layout import Lake
from olist_assets.lake.storage import has_content, open_store
from olist_assets.settings.general import load_settings

DAY = date(2018, 5, 10)


def test_has_content_compares_an_object_with_a_stream(store):
    contents = {
        "same": b"a" * 5_000_000,
        "other": b"a" * 4_999_999 + b"b",
        "short": b"a" * 9,
        "long": b"a" * 5_000_001,
    }
    for name, content in contents.items():
        store.put(f"2018-05-10/{name}", content)
    found = {name: has_content(store, f"2018-05-10/{name}", BytesIO(contents["same"])) for name in contents}
    assert found == {"same": True, "other": False, "short": False, "long": False}


@pytest.mark.parametrize("encryption", ["AES256", "aws:kms:some-key"])
def test_objects_are_encrypted_by_the_setting(s3, bucket, delivered, monkeypatch, encryption):
    for name in ("AWS_SERVER_SIDE_ENCRYPTION", "AWS_SSE_KMS_KEY_ID"):
        monkeypatch.setenv(name, "")  # restored after the test
    configure(encryption)
    landed = Lake(bucket).landzone.land("sellers", DAY, delivered).file
    head = s3.head_object(Bucket=bucket.removeprefix("s3://"), Key=landed.uri.removeprefix(f"{bucket}/"))
    assert head["ServerSideEncryption"] == encryption.removesuffix(":some-key")
    assert head.get("SSEKMSKeyId") == (None if encryption == "AES256" else "some-key")


def test_a_profile_is_sufficient_to_reach_s3(s3_server, bucket, tmp_path, monkeypatch, delivered):
    (tmp_path / "config").write_text(f"[profile shop]\nregion = us-east-1\nendpoint_url = {s3_server}\n")
    (tmp_path / "credentials").write_text("[shop]\naws_access_key_id = test\naws_secret_access_key = test\n")
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION", "DEFAULT_REGION", "ENDPOINT_URL", "ENDPOINT_URL_S3"):
        monkeypatch.delenv(f"AWS_{name}")
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_PROFILE": "shop",
        "OLIST_LAKE": f"{bucket}/lake",
        # Set by the code under test; restored after it.
        **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "AWS_FORCE_CREDENTIAL_LOAD"), ""),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    lake = Lake(load_settings().lake)
    lake.landzone.land("sellers", DAY, delivered)
    assert lake.landzone.pending_days() == [DAY]
    monkeypatch.delenv("AWS_ENDPOINT_URL")


def test_a_root_that_is_a_file_or_missing_is_named_in_the_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LakeNotFoundError, match=r"/file is a file; a folder is needed$"):
        open_store(str(tmp_path / "file"), create=True)
    with pytest.raises(LakeNotFoundError, match=r"^the folder .*/missing does not exist$"):
        open_store(str(tmp_path / "missing"), create=False)


def test_a_missing_bucket_is_a_one_line_error(s3):  # noqa: ARG001 - a server that answers
    message = (
        "cannot list s3://…/lake: NoSuchBucket: The specified bucket does not exist; "
        "check the bucket's name, AWS_PROFILE and the AWS variables"
    )
    with pytest.raises(LakeNotFoundError, match=f"^{re.escape(message)}$"):
        open_store("s3://no-such-shop/lake", create=True)


def test_missing_credentials_are_a_one_line_error(s3, monkeypatch, tmp_path):  # noqa: ARG001 - a server, and other variables
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(LakeNotFoundError, match=r"set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY$"):
        open_store("s3://shop/lake", create=True)
