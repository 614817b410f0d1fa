"""AWS's variables and profiles, for every library alike; and what no text may tell."""

import pytest

from olist_assets.aws.environment import configure, redact, summarize_error
from olist_assets.errors import OlistError

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """The environment of somebody who has a profile, and no other AWS variable."""
    config = tmp_path / "config"
    config.write_text("[profile shop]\nregion = sa-east-1\nendpoint_url = http://storage:7070\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    return {"AWS_PROFILE": "shop"}


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_is_known_by_both_names(name):
    environment = {**KEYS, name: "sa-east-1"}
    configure(environment=environment)
    assert environment == {**KEYS, "AWS_REGION": "sa-east-1", "AWS_DEFAULT_REGION": "sa-east-1"}


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_an_endpoint_is_known_by_both_names_and_http_is_allowed_where_it_is_asked_for(name):
    environment = {**KEYS, name: "http://storage"}
    configure(environment=environment)
    both = {"AWS_ENDPOINT_URL": "http://storage", "AWS_ENDPOINT_URL_S3": "http://storage"}
    assert environment == {**KEYS, **both, "AWS_ALLOW_HTTP": "true"}


def test_the_endpoint_of_s3_is_its_own():
    environment = {**KEYS, "AWS_ENDPOINT_URL": "https://all", "AWS_ENDPOINT_URL_S3": "https://storage"}
    before = dict(environment)
    configure(environment=environment)
    assert environment == before


def test_region_and_endpoint_of_a_profile_become_variables_and_its_credentials_do_not(profile):
    configure(environment=profile)
    assert profile == {
        "AWS_PROFILE": "shop",
        "AWS_REGION": "sa-east-1",
        "AWS_DEFAULT_REGION": "sa-east-1",
        "AWS_ENDPOINT_URL": "http://storage:7070",
        "AWS_ENDPOINT_URL_S3": "http://storage:7070",
        "AWS_ALLOW_HTTP": "true",
        "AWS_FORCE_CREDENTIAL_LOAD": "true",
    }


def test_variables_go_before_the_profile(profile):
    profile |= {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "https://storage"}
    configure(environment=profile)
    assert (profile["AWS_REGION"], profile["AWS_ENDPOINT_URL_S3"]) == ("us-east-1", "https://storage")
    assert "AWS_ALLOW_HTTP" not in profile


def test_a_profile_that_is_not_there_is_named(profile):
    with pytest.raises(OlistError, match=r"^AWS_PROFILE=other: The config profile \(other\) could not be found$"):
        configure(environment=profile | {"AWS_PROFILE": "other"})


@pytest.mark.parametrize(
    ("encryption", "variables"),
    [
        ("", {}),
        ("AES256", {"AWS_SERVER_SIDE_ENCRYPTION": "AES256"}),
        ("aws:kms", {"AWS_SERVER_SIDE_ENCRYPTION": "aws:kms"}),
        (
            "aws:kms:arn:aws:kms:sa-east-1:123456789012:key/abc",
            {
                "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms",
                "AWS_SSE_KMS_KEY_ID": "arn:aws:kms:sa-east-1:123456789012:key/abc",
            },
        ),
    ],
)
def test_the_encryption_is_told_to_all(encryption, variables):
    environment = dict(KEYS)
    configure(encryption, environment)
    assert environment == {**KEYS, **variables}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no such bucket: s3://shop-lake/raw/orders", "no such bucket: s3://…/raw/orders"),
        ("s3a://shop-lake/a and s3://shop.other/b", "s3a://…/a and s3://…/b"),
        ("GET https://shop-lake.s3.amazonaws.com/raw?list-type=2 failed", "GET https://… failed"),
        ('"http://127.0.0.1:7070/shop-lake/raw", again', '"http://…", again'),
        ("arn:aws:iam::123456789012:role/olist is not authorized", "arn:aws:iam::…:role/olist is not authorized"),
        ("arn:aws-us-gov:kms:us-gov-1:123456789012:key/a", "arn:aws-us-gov:kms:us-gov-1:…:key/a"),
        ("Account: 123456789012 is suspended", "Account: … is suspended"),
        ("the key AKIAIOSFODNN7EXAMPLE is unknown", "the key … is unknown"),
        ("the key ASIAIOSFODNN7EXAMPLE is unknown", "the key … is unknown"),
        ("<AWSAccessKeyId>test</AWSAccessKeyId>", "<AWSAccessKeyId>…</AWSAccessKeyId>"),
        ("<BucketName>shop-lake</BucketName>", "<BucketName>…</BucketName>"),
        ("order 123456789012 of 20180510T030000Z", "order 123456789012 of 20180510T030000Z"),
        ("raw/sellers lacks the column seller_city", "raw/sellers lacks the column seller_city"),
    ],
)
def test_buckets_accounts_and_keys_are_not_told(text, shown):
    assert redact(text) == shown


def test_a_buckets_name_is_not_told_without_its_scheme_either():
    text = "reading 'lake/raw/a.csv' in bucket 'shop-lake' failed: shop-lake/lake/raw, not shop-lakes or shop-lake.old"
    told = "reading 'lake/raw/a.csv' in bucket '…' failed: …/lake/raw, not shop-lakes or shop-lake.old"
    assert redact(text, "s3://shop-lake/lake", "/a/folder") == told


def test_the_answer_of_s3_is_its_reason():
    error = OSError(
        "Generic S3 error: Error performing GET http://storage/shop in 5ms - 403 Forbidden: <?xml?>\n"
        "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message><BucketName>shop</BucketName></Error>"
        "\n\nDebug source:\nGeneric {..}"
    )
    assert summarize_error(error) == "AccessDenied: Access Denied"
    assert summarize_error(OSError("no answer from\n http://storage/shop\n\nDebug")) == "no answer from http://…"
