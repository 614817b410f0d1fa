"""Redaction: error texts without buckets, accounts and keys."""

import pytest

from olist_assets.aws.redaction import redact, summarize_error


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no such bucket: s3://shop-lake/raw/orders", "no such bucket: s3://…/raw/orders"),
        ("s3a://shop-lake/a and s3://shop.other/b", "s3a://…/a and s3://…/b"),
        ("GET https://shop-lake.s3.amazonaws.com/raw?list-type=2 failed", "GET https://… failed"),
        ('"http://127.0.0.1:7070/shop-lake/raw", again', '"http://…", again'),
        ("arn:aws:iam::123456789012:role/olist is not authorized", "arn:aws:iam::…:role/olist is not authorized"),
        ('on resource: "arn:aws:s3:::shop-lake/raw/a"', 'on resource: "arn:aws:s3:::…/raw/a"'),
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
def test_buckets_accounts_and_keys_are_redacted(text, shown):
    assert redact(text) == shown


def test_a_buckets_name_is_redacted_without_its_scheme_too():
    text = "reading 'lake/raw/a.csv' in bucket 'shop-lake' failed: shop-lake/lake/raw, not shop-lakes or shop-lake.old"
    redacted = "reading 'lake/raw/a.csv' in bucket '…' failed: …/lake/raw, not shop-lakes or shop-lake.old"
    assert redact(text, "s3://shop-lake/lake", "/a/folder") == redacted


def test_an_error_is_summarized_by_the_answer_of_s3():
    error = OSError(
        "Generic S3 error: Error performing GET http://storage/shop in 5ms - 403 Forbidden: <?xml?>\n"
        "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message><BucketName>shop</BucketName></Error>"
        "\n\nDebug source:\nGeneric {..}"
    )
    assert summarize_error(error) == "AccessDenied: Access Denied"
    refusal = "User: arn:aws:iam::123456789012:user/jane may not list arn:aws:s3:::shop-lake"
    error = OSError(f"403: <Error><Code>AccessDenied</Code><Message>{refusal}</Message></Error>")
    assert summarize_error(error) == ("AccessDenied: User: arn:aws:iam::…:user/jane may not list arn:aws:s3:::…")
    assert summarize_error(OSError("no answer from\n http://storage/shop\n\nDebug")) == "no answer from http://…"
