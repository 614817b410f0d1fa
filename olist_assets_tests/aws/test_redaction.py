"""Redaction: error texts without buckets, accounts and keys."""

import duckdb
import pytest
from deltalake.exceptions import DeltaError
from obstore.exceptions import GenericError

from olist_assets.aws.redaction import redact, summarize_error, summarize_text
from olist_assets.errors import QueryError


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
        ("s3://key:secret/part@shop-lake/raw is odd", "s3://…/raw is odd"),
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
    assert redact(text, "s3://key:secret/part@shop-lake") == redacted


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


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (
            GenericError(
                "Generic LocalFileSystem error: Unable to open file /lake/x: Permission denied (os error 13)\n\n"
                "Debug source:\nGeneric {\n    store: .."
            ),
            "Unable to open file /lake/x: Permission denied",
        ),
        (
            DeltaError(
                "Kernel error -> Generic LocalFileSystem error\n     \x1b[31m↳\x1b[0m Unable to open file /lake/x\n"
                "           \x1b[31m↳\x1b[0m Permission denied (os error 13)\n"
            ),
            "Unable to open file /lake/x: Permission denied",
        ),
        (
            DeltaError(
                "Failed to parse parquet: External: Generic LocalFileSystem error: Unable to copy data to file: "
                "No space left on device (os error 28)"
            ),
            "Unable to copy data to file: No space left on device",
        ),
        (
            duckdb.IOException(
                "IO Error: DeltaKernel ArrowError (2): Json error: Truncated record\n   0: <delta_kernel::error::Error>"
                "::with_backtrace\n   1: <delta_kernel"
            ),
            "DeltaKernel ArrowError (2): Json error: Truncated record",
        ),
        (
            GenericError(
                "Generic S3 error: Error performing GET http://storage/x in 1.504s, after 8 retries, max_retries: 8, "
                "retry_timeout: 60s - HTTP error: error sending request\n\nDebug source:\nGeneric {"
            ),
            "Error performing GET http://… - HTTP error: error sending request",
        ),
        (PermissionError(13, "Permission denied", "/dump"), "Permission denied: '/dump'"),
        (
            OSError(28, "Error writing bytes. Detail: [errno 28] No space left on device"),
            "Error writing bytes. Detail: No space left on device",
        ),
        (KeyError("day"), "KeyError: 'day'"),
        (AssertionError(), "AssertionError"),
        (RuntimeError("in s3://shop-lake\nand more"), "RuntimeError: in s3://…"),
        (QueryError("no table shop-lake\nat all"), "no table … at all"),
        (duckdb.ConversionException("x\x1b[31m" + "y" * 900), "x\x1b[31m" + "y" * 494 + "…"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_one_line_without_debug_output(error, shown):
    assert summarize_error(error, "s3://shop-lake/lake") == shown


def test_the_text_of_an_error_loses_the_class_of_the_library():
    text = "obstore.exceptions.GenericError: Generic S3 error: no answer\n\nDebug source:\nGeneric {"
    assert summarize_text(text) == "no answer"
