"""The evaluator of policies follows IAM's rules for the elements that it knows, and rejects the others."""

import pytest

from olist_assets_tests.deploy.policies import Request, decide

GET = Request("s3:GetObject", "arn:aws:s3:::lake/raw/a", {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"})


def policy(effect="Allow", action="s3:GetObject", resource="arn:aws:s3:::lake/*", **elements):
    return {"Statement": [{"Effect": effect, "Action": action, "Resource": resource, **elements}]}


@pytest.mark.parametrize(
    ("documents", "decision"),
    [
        ([], "not allowed"),
        ([policy()], "allowed"),
        ([policy(action="S3:get*")], "allowed"),
        ([policy(action=["s3:PutObject", "s3:GetObject"])], "allowed"),
        ([policy(action="s3:PutObject")], "not allowed"),
        ([policy(resource="arn:aws:s3:::lake")], "not allowed"),
        ([policy(resource="arn:aws:s3:::lake/RAW/*")], "not allowed"),
        ([policy(resource="arn:aws:s3:::l?ke/raw/a")], "allowed"),
        ([policy(resource="arn:aws:s3:::lake/raw/[ab]")], "not allowed"),
        ([policy("Deny")], "denied"),
        ([policy(), policy("Deny")], "denied"),
        ([policy("Deny", "s3:PutObject"), policy()], "allowed"),
    ],
)
def test_a_denial_takes_precedence_over_any_permission(documents, decision):
    assert decide(documents, GET) == decision


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Bool": {"AWS:securetransport": "TRUE"}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Bool": {"aws:PrincipalIsAWSService": "false"}}, False),
        ({"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}, True),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, False),
        ({"NumericLessThan": {"s3:TlsVersion": "1.4"}}, True),
        ({"StringEquals": {"s3:TlsVersion": ["1.2", "1.3"]}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": "1"}}, False),
        ({"StringEquals": {"s3:TlsVersion": "1.*"}}, False),
        ({"StringLike": {"s3:TlsVersion": "1.*"}}, True),
        ({"StringLike": {"s3:TlsVersion": ["2.*", "?.4"]}}, False),
        ({"StringLike": {"s3:prefix": "*"}}, False),
        ({"StringNotEquals": {"aws:PrincipalAccount": "1"}}, True),
        ({"StringNotEquals": {"s3:TlsVersion": ["1.2", "1.3"]}}, False),
        ({"StringNotEquals": {"s3:TlsVersion": ["1.1", "1.2"]}}, True),
        ({"StringEquals": {"s3:TlsVersion": "1.3"}, "Bool": {"aws:SecureTransport": "false"}}, False),
        ({"StringEquals": {"s3:TlsVersion": "1.3", "aws:SecureTransport": "false"}}, False),
    ],
)
def test_all_conditions_must_be_true_and_a_missing_key_fails_all_but_negated_ones(condition, expected):
    assert (decide([policy(Condition=condition)], GET) == "allowed") is expected


@pytest.mark.parametrize(
    ("arn", "matches"),
    [
        ("arn:aws:emr:eu-west-1:1:/applications/a", True),
        ("arn:aws:emr:eu-west-1:2:/applications/a", False),
        ("arn:aws:emr:eu-west-1:x:1:/applications/a", False),
    ],
)
def test_a_star_in_an_arn_stays_within_its_part(arn, matches):
    document = policy(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:emr:*:1:/applications/*"}})
    request = Request(GET.action, GET.resource, {"aws:SourceArn": arn})
    assert (decide([document], request) == "allowed") is matches


def test_a_policy_applies_to_its_principal_only():
    document = policy(Principal={"Service": "ec2.amazonaws.com"})
    assert decide([document], Request(GET.action, GET.resource, principal="ec2.amazonaws.com")) == "allowed"
    assert decide([document], Request(GET.action, GET.resource, principal="glue.amazonaws.com")) == "not allowed"


@pytest.mark.parametrize(
    "document",
    [
        policy(NotAction="s3:PutObject"),
        policy(effect="Perhaps"),
        policy(resource="arn:aws:s3:::${aws:username}"),
        policy(Principal={"Federated": "x"}),
        policy(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
    ],
)
def test_an_unknown_element_is_an_error(document):
    with pytest.raises(ValueError, match="not evaluated"):
        decide([document], GET)
