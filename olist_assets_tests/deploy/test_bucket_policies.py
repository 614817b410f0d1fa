"""The bucket policies: plain HTTP, old TLS and other accounts are denied, and nothing else."""

import pytest

from olist_assets_tests.deploy.arns import s3
from olist_assets_tests.deploy.policies import Request, decide
from olist_assets_tests.deploy.stacks import ACCOUNT, BUCKETS

OWN = {
    "aws:SecureTransport": "true",
    "s3:TlsVersion": "1.3",
    "aws:PrincipalAccount": ACCOUNT,
    "aws:PrincipalIsAWSService": "false",
}
WITHOUT_TLS = {
    "aws:SecureTransport": "false",
    "aws:PrincipalAccount": ACCOUNT,
    "aws:PrincipalIsAWSService": "false",
}
SERVICE = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.2", "aws:PrincipalIsAWSService": "true"}
ANONYMOUS = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}

DENIED = {
    "DenyPlainHttp": [WITHOUT_TLS],
    "DenyOldTls": [{**OWN, "s3:TlsVersion": "1.1"}, {**OWN, "s3:TlsVersion": "1.0"}],
    "DenyOtherAccounts": [{**OWN, "aws:PrincipalAccount": "210987654321"}, ANONYMOUS],
}


def _policy(stack, bucket):
    (document,) = [p["PolicyDocument"] for p in stack.of_type("AWS::S3::BucketPolicy") if p["Bucket"] == bucket]
    return document


def _requests(bucket, context):
    yield Request("s3:GetObject", s3(f"{bucket}/lake/raw/orders/1.parquet"), context)
    yield Request("s3:PutObject", s3(f"{bucket}/a"), context)
    yield Request("s3:ListBucket", s3(bucket), context)


@pytest.mark.parametrize("bucket", BUCKETS.values(), ids=BUCKETS)
@pytest.mark.parametrize("context", [OWN, {**OWN, "s3:TlsVersion": "1.2"}, SERVICE], ids=["own", "TLS 1.2", "service"])
def test_a_bucket_denies_nothing_to_its_account_and_to_services(stack, bucket, context):
    for request in _requests(bucket, context):
        assert decide([_policy(stack, bucket)], request) == "not allowed"  # by the bucket; but not denied either


@pytest.mark.parametrize("bucket", BUCKETS.values(), ids=BUCKETS)
@pytest.mark.parametrize(("statement", "contexts"), DENIED.items(), ids=DENIED)
def test_a_bucket_denies_plain_http_old_tls_and_other_accounts(stack, bucket, statement, contexts):
    policy = _policy(stack, bucket)
    without = {"Statement": [s for s in policy["Statement"] if s["Sid"] != statement]}
    for context in contexts:
        for request in _requests(bucket, context):
            assert decide([policy], request) == "denied"
            assert decide([without], request) == "not allowed"  # it is this statement that denies
