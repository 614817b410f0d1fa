"""Who may do what: the policies of the stack evaluated, and none of them wider than it has to be."""

import json
import re
from importlib import resources

import pytest

from olist_assets_tests.deploy.policies import Request, as_list, decide
from olist_assets_tests.deploy.stacks import ACCOUNT, BUCKETS, KEY, LAKE, LOGS, REGION, SOURCE, USER

INSTANCE, SERVERLESS, ORCHESTRATOR, EMR = (
    f"olist-{name}" for name in ("emr-instance", "emr-serverless", "orchestrator", "emr-service")
)


def s3(path):
    return f"arn:aws:s3:::{path}"


def lake(path):
    return s3(f"{LAKE}/lake/{path}")


def emr(resource):
    return f"arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:{resource}"


def serverless(resource):
    return f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:{resource}"


def glue(resource):
    return f"arn:aws:glue:{REGION}:{ACCOUNT}:{resource}"


def athena(resource):
    return f"arn:aws:athena:{REGION}:{ACCOUNT}:{resource}"


def role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


# --- Buckets ----------------------------------------------------------------------------------------------------------

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

REFUSED = {
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
def test_a_bucket_refuses_nothing_to_its_account_and_to_services(stack, bucket, context):
    for request in _requests(bucket, context):
        assert decide([_policy(stack, bucket)], request) == "not allowed"  # by the bucket; but not denied either


@pytest.mark.parametrize("bucket", BUCKETS.values(), ids=BUCKETS)
@pytest.mark.parametrize(("statement", "contexts"), REFUSED.items(), ids=REFUSED)
def test_a_bucket_refuses_plain_http_old_tls_and_other_accounts(stack, bucket, statement, contexts):
    policy = _policy(stack, bucket)
    without = {"Statement": [s for s in policy["Statement"] if s["Sid"] != statement]}
    for context in contexts:
        for request in _requests(bucket, context):
            assert decide([policy], request) == "denied"
            assert decide([without], request) == "not allowed"  # it is this statement that denies


# --- Steps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", [INSTANCE, SERVERLESS])
@pytest.mark.parametrize(
    ("action", "resource", "decision"),
    [
        ("s3:ListBucket", s3(LAKE), "allowed"),
        ("s3:GetObject", lake("landzone/orders/2018-05-10/orders.csv"), "allowed"),
        ("s3:GetObject", lake("control/code/steps.zip"), "allowed"),
        ("s3:GetObject", lake("control/requests/run/raw.orders/request.json"), "allowed"),
        ("s3:GetObject", s3(f"{SOURCE}/2018-05-10/orders.csv"), "allowed"),
        ("s3:PutObject", lake("raw/orders/_delta_log/1.json"), "allowed"),
        ("s3:PutObject", lake("trusted/orders/1.parquet"), "allowed"),
        ("s3:PutObject", lake("quarantine/orders/1.parquet"), "allowed"),
        ("s3:PutObject", lake("control/requests/run/raw.orders/result.json"), "allowed"),
        ("s3:DeleteObject", lake("refined/fact_orders/1.parquet"), "allowed"),
        ("s3:PutObject", lake("control/code/steps.zip"), "not allowed"),
        ("s3:PutObject", lake("control/leases/raw.orders/1"), "not allowed"),
        ("s3:DeleteObject", lake("landzone/orders/2018-05-10/orders.csv"), "not allowed"),
        ("s3:DeleteObject", lake("archive/orders/2018-05-10/orders.csv"), "not allowed"),
        ("s3:DeleteObjectVersion", lake("raw/orders/1.parquet"), "not allowed"),
        ("s3:PutObject", s3(f"{SOURCE}/2018-05-10/orders.csv"), "not allowed"),
        ("s3:GetObject", s3("other/lake/raw/orders/1.parquet"), "not allowed"),
        ("glue:GetTable", glue("table/olist_refined/fact_orders"), "allowed"),
        ("glue:GetTable", glue("table/hr/salaries"), "not allowed"),
        ("glue:CreateTable", glue("table/olist_refined/fact_orders"), "not allowed"),
        ("glue:GetDatabase", glue("database/delta"), "allowed"),
        ("glue:GetDatabase", glue("database/hr"), "not allowed"),
        ("glue:CreateDatabase", glue("database/default"), "allowed"),
        ("glue:CreateDatabase", glue("database/hr"), "not allowed"),
        ("elasticmapreduce:AddJobFlowSteps", emr("cluster/j-1"), "not allowed"),
        ("iam:PassRole", role(INSTANCE), "not allowed"),
    ],
)
def test_a_step_reads_the_lake_and_writes_what_it_makes(stack, of, action, resource, decision):
    request = Request(action, resource, {"aws:ResourceTag/olist:lakehouse": "olist"})
    assert decide(stack.permissions(of), request) == decision


def test_steps_write_their_logs_where_they_belong(stack):
    for path, writers in {"emr/j-1/steps": {INSTANCE}, "emr-serverless/jobs": {SERVERLESS}, "other": set()}.items():
        request = Request("s3:PutObject", s3(f"{LOGS}/{path}/stderr.gz"))
        roles = (INSTANCE, SERVERLESS, ORCHESTRATOR)
        assert {r for r in roles if decide(stack.permissions(r), request) == "allowed"} == writers


# --- The orchestrator -------------------------------------------------------------------------------------------------

OURS = {"aws:ResourceTag/olist:lakehouse": "olist"}
THEIRS = {"aws:ResourceTag/olist:lakehouse": "another"}
ASKED = {"aws:RequestTag/olist:lakehouse": "olist"}
FOR_EMR = {"aws:RequestTag/for-use-with-amazon-emr-managed-policies": "true"}
TO_EMR, TO_EC2, TO_SERVERLESS = (
    {"iam:PassedToService": f"{service}.amazonaws.com"} for service in ("elasticmapreduce", "ec2", "emr-serverless")
)
NEW, OLD = emr("cluster/*"), emr("cluster/j-1")
APPLICATION, RUN = serverless("/applications/1"), serverless("/applications/1/jobruns/2")


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("elasticmapreduce:DescribeCluster", OLD),
        ("elasticmapreduce:ListSteps", OLD),
        ("elasticmapreduce:DescribeStep", OLD),
        ("elasticmapreduce:AddJobFlowSteps", OLD),
        ("elasticmapreduce:CancelSteps", OLD),
        ("emr-serverless:GetApplication", APPLICATION),
        ("emr-serverless:StartApplication", APPLICATION),
        ("emr-serverless:ListJobRuns", APPLICATION),
        ("emr-serverless:GetJobRun", RUN),
        ("emr-serverless:CancelJobRun", RUN),
    ],
)
def test_the_orchestrator_uses_what_bears_its_tag(stack, action, resource):
    permissions = stack.permissions(ORCHESTRATOR)
    assert decide(permissions, Request(action, resource, OURS)) == "allowed"
    assert decide(permissions, Request(action, resource, THEIRS)) == "not allowed"
    assert decide(permissions, Request(action, resource)) == "not allowed"


@pytest.mark.parametrize(
    ("action", "resource", "context", "decision"),
    [
        ("elasticmapreduce:ListClusters", "*", {}, "allowed"),
        ("elasticmapreduce:RunJobFlow", "*", ASKED | FOR_EMR, "allowed"),
        ("elasticmapreduce:RunJobFlow", "*", ASKED, "not allowed"),
        ("elasticmapreduce:RunJobFlow", "*", FOR_EMR, "not allowed"),
        ("elasticmapreduce:AddTags", NEW, ASKED | FOR_EMR, "allowed"),
        ("elasticmapreduce:AddTags", NEW, FOR_EMR, "not allowed"),
        ("elasticmapreduce:AddTags", OLD, ASKED | OURS, "allowed"),
        ("elasticmapreduce:AddTags", OLD, ASKED, "denied"),
        ("elasticmapreduce:AddTags", OLD, ASKED | THEIRS, "denied"),
        ("elasticmapreduce:PutAutoTerminationPolicy", NEW, {}, "allowed"),
        ("elasticmapreduce:PutAutoTerminationPolicy", OLD, OURS, "allowed"),
        ("elasticmapreduce:PutAutoTerminationPolicy", OLD, {}, "denied"),
        ("elasticmapreduce:TerminateJobFlows", OLD, OURS, "not allowed"),
        ("emr-serverless:ListApplications", serverless("/*"), {}, "allowed"),
        ("emr-serverless:CreateApplication", serverless("/*"), ASKED, "allowed"),
        ("emr-serverless:CreateApplication", serverless("/*"), {}, "not allowed"),
        ("emr-serverless:TagResource", APPLICATION, ASKED, "allowed"),
        ("emr-serverless:TagResource", RUN, ASKED, "allowed"),
        ("emr-serverless:TagResource", RUN, {}, "not allowed"),
        ("emr-serverless:StartJobRun", APPLICATION, OURS | ASKED, "allowed"),
        ("emr-serverless:StartJobRun", APPLICATION, OURS, "not allowed"),
        ("emr-serverless:StartJobRun", APPLICATION, ASKED, "not allowed"),
        ("emr-serverless:DeleteApplication", APPLICATION, OURS, "not allowed"),
        ("iam:PassRole", role(EMR), TO_EMR, "allowed"),
        ("iam:PassRole", role(INSTANCE), TO_EC2, "allowed"),
        ("iam:PassRole", role(SERVERLESS), TO_SERVERLESS, "allowed"),
        ("iam:PassRole", role(EMR), TO_EC2, "not allowed"),
        ("iam:PassRole", role(ORCHESTRATOR), TO_EC2, "not allowed"),
        ("iam:PassRole", role("admin"), TO_EMR, "not allowed"),
        ("s3:PutObject", lake("control/code/steps.zip"), {}, "allowed"),
        ("s3:PutObject", lake("control/leases/raw.orders/1"), {}, "allowed"),
        ("s3:DeleteObject", lake("landzone/orders/2018-05-10/orders.csv"), {}, "allowed"),
        ("s3:GetObject", s3(f"{SOURCE}/2018-05-10/orders.csv"), {}, "allowed"),
        ("s3:GetObject", s3(f"{LOGS}/emr/j-1/steps/s-1/stderr.gz"), {}, "allowed"),
        ("s3:GetObject", s3(f"{LOGS}/emr-serverless/applications/1/jobs/2/stderr.gz"), {}, "allowed"),
        ("s3:DeleteObject", s3(f"{SOURCE}/2018-05-10/orders.csv"), {}, "not allowed"),
        ("s3:DeleteObjectVersion", lake("raw/orders/1.parquet"), {}, "not allowed"),
        ("glue:CreateTable", glue("table/olist_refined/fact_orders"), {}, "allowed"),
        ("glue:CreateTable", glue("table/hr/salaries"), {}, "not allowed"),
        ("glue:CreateDatabase", glue("database/olist_refined"), {}, "not allowed"),
        ("glue:UpdateDatabase", glue("database/olist_refined"), {}, "not allowed"),
        ("glue:DeleteDatabase", glue("database/olist_refined"), {}, "not allowed"),
        ("athena:StartQueryExecution", athena("workgroup/olist"), {}, "not allowed"),
    ],
)
def test_the_orchestrator_makes_what_bears_its_tag_and_keeps_the_lake(stack, action, resource, context, decision):
    assert decide(stack.permissions(ORCHESTRATOR), Request(action, resource, context)) == decision


# --- EMR, who delivers, and who may be whom ---------------------------------------------------------------------------


def test_emr_passes_the_instance_role_to_instances_alone(stack):
    permissions = stack.permissions(EMR)
    assert decide(permissions, Request("iam:PassRole", role(INSTANCE), TO_EC2)) == "allowed"
    assert decide(permissions, Request("iam:PassRole", role(INSTANCE), TO_SERVERLESS)) == "not allowed"
    assert decide(permissions, Request("iam:PassRole", role(SERVERLESS), TO_EC2)) == "not allowed"
    managed = stack.properties("EmrServiceRole")["ManagedPolicyArns"]
    assert managed == ["arn:aws:iam::aws:policy/service-role/AmazonEMRServicePolicy_v2"]


@pytest.mark.parametrize(
    ("action", "resource", "decision"),
    [
        ("s3:PutObject", s3(f"{SOURCE}/2018-05-10/orders.csv"), "allowed"),
        ("s3:ListBucket", s3(SOURCE), "allowed"),
        ("s3:GetObject", s3(f"{SOURCE}/2018-05-10/orders.csv"), "allowed"),  # `olist deliver` compares
        ("s3:DeleteObject", s3(f"{SOURCE}/2018-05-10/orders.csv"), "not allowed"),
        ("s3:GetObject", lake("raw/orders/1.parquet"), "not allowed"),
        ("s3:PutObject", lake("raw/orders/1.parquet"), "not allowed"),
    ],
)
def test_who_delivers_adds_files_and_no_more(stack, action, resource, decision):
    assert decide([stack.managed["olist-delivery"]], Request(action, resource)) == decision


@pytest.mark.parametrize(
    ("action", "resource", "context", "decision"),
    [
        ("athena:StartQueryExecution", athena("workgroup/olist"), {}, "allowed"),
        ("athena:GetQueryResults", athena("workgroup/olist"), {}, "allowed"),
        ("athena:StartQueryExecution", athena("workgroup/primary"), {}, "not allowed"),
        ("athena:UpdateWorkGroup", athena("workgroup/olist"), {}, "not allowed"),
        ("athena:ListTableMetadata", athena("datacatalog/AwsDataCatalog"), {}, "allowed"),
        ("glue:GetDatabase", glue("catalog"), {}, "allowed"),
        ("glue:GetDatabase", glue("database/olist_trusted"), {}, "allowed"),
        ("glue:GetDatabase", glue("database/default"), {}, "allowed"),
        ("glue:GetTable", glue("table/olist_refined/fact_orders"), {}, "allowed"),
        ("glue:GetTable", glue("table/hr/salaries"), {}, "not allowed"),
        ("glue:CreateTable", glue("table/olist_refined/mine"), {}, "not allowed"),
        ("s3:GetBucketLocation", s3(LAKE), {}, "allowed"),
        ("s3:ListBucket", s3(LAKE), {"s3:prefix": "lake/refined/fact_orders/_delta_log/"}, "allowed"),
        ("s3:ListBucket", s3(LAKE), {"s3:prefix": "lake/raw/orders/"}, "not allowed"),
        ("s3:ListBucket", s3(LAKE), {}, "not allowed"),
        ("s3:GetObject", lake("trusted/orders/_delta_log/00000000000000000000.json"), {}, "allowed"),
        ("s3:GetObject", lake("refined/fact_orders/1.parquet"), {}, "allowed"),
        ("s3:GetObject", lake("raw/orders/1.parquet"), {}, "not allowed"),
        ("s3:GetObject", lake("quarantine/orders/1.parquet"), {}, "not allowed"),
        ("s3:PutObject", lake("refined/fact_orders/1.parquet"), {}, "not allowed"),
        ("s3:DeleteObject", lake("refined/fact_orders/1.parquet"), {}, "not allowed"),
        ("s3:PutObject", s3(f"{LOGS}/athena/1.csv"), {}, "allowed"),
        ("s3:GetObject", s3(f"{LOGS}/athena/1.csv"), {}, "allowed"),
        ("s3:GetObject", s3(f"{LOGS}/emr/j-1/steps/s-1/stderr.gz"), {}, "not allowed"),
        ("s3:GetObject", s3(f"{SOURCE}/2018-05-10/orders.csv"), {}, "not allowed"),
    ],
)
def test_an_analyst_asks_in_the_workgroup_and_reads_trusted_and_refined(stack, action, resource, context, decision):
    assert decide([stack.managed["olist-analyst"]], Request(action, resource, context)) == decision


REGISTER = ("GetDatabase", "GetTables", "GetTable", "CreateTable", "UpdateTable", "DeleteTable")


@pytest.mark.parametrize("operation", REGISTER)
def test_the_orchestrator_may_call_what_register_calls_of_the_databases_of_the_stack(stack, operation):
    """Glue asks for the catalog, the database and the table; the databases are there, so none is created."""
    named = [
        "catalog",
        "database/olist_refined",
        *(["table/olist_refined/dim_sellers"] if "Table" in operation else []),
    ]
    for resource in named:
        request = Request(f"glue:{operation}", glue(resource))
        assert decide(stack.permissions(ORCHESTRATOR), request) == "allowed", resource


def test_the_orchestrator_may_call_nothing_else_of_glue(stack):
    permitted = {
        action
        for document in stack.permissions(ORCHESTRATOR)
        for statement in document["Statement"]
        for action in as_list(statement["Action"])
    }
    assert {action for action in permitted if action.startswith("glue:")} == {f"glue:{name}" for name in REGISTER}


@pytest.mark.parametrize(
    ("of", "service", "context", "decision"),
    [
        (EMR, "elasticmapreduce", {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": OLD}, "allowed"),
        (EMR, "elasticmapreduce", {"aws:SourceAccount": "210987654321", "aws:SourceArn": OLD}, "not allowed"),
        (EMR, "elasticmapreduce", {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": APPLICATION}, "not allowed"),
        (EMR, "ec2", {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": OLD}, "not allowed"),
        (SERVERLESS, "emr-serverless", {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": APPLICATION}, "allowed"),
        (SERVERLESS, "emr-serverless", {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": OLD}, "not allowed"),
        (SERVERLESS, "emr-serverless", {"aws:SourceArn": APPLICATION}, "not allowed"),
        (INSTANCE, "ec2", {}, "allowed"),
        (INSTANCE, "elasticmapreduce", {}, "not allowed"),
        (ORCHESTRATOR, "ec2", {}, "allowed"),
        (ORCHESTRATOR, "elasticmapreduce", {}, "not allowed"),
    ],
)
def test_a_role_is_assumed_by_its_service_for_this_account(stack, of, service, context, decision):
    request = Request("sts:AssumeRole", context=context, principal=f"{service}.amazonaws.com")
    assert decide([stack.trust[of]], request) == decision


def test_a_user_may_be_the_orchestrator_if_that_is_asked_for(stack, with_all_options):
    (statement,) = stack.trust[ORCHESTRATOR]["Statement"]
    assert statement["Principal"] == {"Service": "ec2.amazonaws.com"}
    request = Request("sts:AssumeRole", principal=USER)
    assert decide([with_all_options.trust[ORCHESTRATOR]], request) == "allowed"
    another = Request("sts:AssumeRole", principal=f"{USER}2")
    assert decide([with_all_options.trust[ORCHESTRATOR]], another) == "not allowed"


# --- Least privilege --------------------------------------------------------------------------------------------------

KNOW_NO_RESOURCES = {
    "elasticmapreduce:ListClusters",
    "elasticmapreduce:RunJobFlow",
    "logs:DescribeLogGroups",
    "athena:ListWorkGroups",
    "athena:ListDataCatalogs",
    "athena:ListEngineVersions",
}


def test_no_permission_has_a_wildcard_for_its_action(any_stack):
    assert [action for actions, _, _ in any_stack.permitted() for action in actions if "*" in action] == []


def test_resources_are_named_where_an_action_knows_any(any_stack):
    unnamed = {action for actions, named, _ in any_stack.permitted() if "*" in named for action in actions}
    assert unnamed == KNOW_NO_RESOURCES


def test_aws_says_that_these_actions_know_no_resources():
    """By the service authorization reference, as the linter carries it."""
    reference = json.loads(resources.files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text())
    for service, operation in (action.split(":") for action in KNOW_NO_RESOURCES):
        assert not reference[service]["Actions"][operation.lower()].get("Resources"), f"{service}:{operation}"


def test_resources_are_of_this_lakehouse(any_stack):
    own = [
        rf"arn:aws:s3:::({LAKE}|{SOURCE}|{LOGS})(/.+)?",
        rf"arn:aws:iam::{ACCOUNT}:role/olist-[a-z-]+",
        rf"arn:aws:glue:{REGION}:{ACCOUNT}:(catalog|(database|table)/(olist_trusted|olist_refined)(/\*)?)",
        rf"arn:aws:glue:{REGION}:{ACCOUNT}:database/(default|global_temp|delta)",  # Spark asks for them
        rf"arn:aws:athena:{REGION}:{ACCOUNT}:(workgroup/olist|datacatalog/AwsDataCatalog)",
        rf"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/olist/[a-z-]+",
        rf"arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/\*",  # their ids are not known yet: tags decide
        rf"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/(\*|applications/\*(/jobruns/\*)?)",  # the same
        re.escape(KEY),
    ]
    named = {resource for _, resources, _ in any_stack.permitted() for resource in resources} - {"*"}
    assert {resource for resource in named if not any(re.fullmatch(pattern, resource) for pattern in own)} == set()


def test_clusters_applications_and_runs_are_told_apart_by_their_tag(any_stack):
    untagged = {
        action
        for actions, _, condition in any_stack.permitted()
        for action in actions
        if action.startswith(("elasticmapreduce:", "emr-serverless:"))
        and not any(key.endswith("Tag/olist:lakehouse") for key in condition.get("StringEquals", {}))
    }
    assert untagged == {
        "elasticmapreduce:ListClusters",
        "elasticmapreduce:PutAutoTerminationPolicy",  # denied on others' clusters by a statement of its own
        "emr-serverless:ListApplications",
    }


def test_a_role_is_passed_by_name_and_to_one_service(any_stack):
    passed = [(a, n, c) for a, n, c in any_stack.permitted() if "iam:PassRole" in a]
    assert sorted((*named, *condition["StringEquals"].items()) for _, named, condition in passed) == [
        (role(INSTANCE), ("iam:PassedToService", "ec2.amazonaws.com")),  # by EMR
        (role(INSTANCE), ("iam:PassedToService", "ec2.amazonaws.com")),  # by the orchestrator
        (role(SERVERLESS), ("iam:PassedToService", "emr-serverless.amazonaws.com")),
        (role(EMR), ("iam:PassedToService", "elasticmapreduce.amazonaws.com")),
    ]
    assert all(actions == ["iam:PassRole"] and list(condition) == ["StringEquals"] for actions, _, condition in passed)


def test_nobody_deletes_versions_or_changes_a_bucket(any_stack):
    permitted = {action for actions, _, _ in any_stack.permitted() for action in actions}
    assert {action for action in permitted if action.startswith("s3:")} == {
        "s3:ListBucket",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    }


def test_the_key_is_used_by_who_reads_and_writes_and_through_s3_alone(stack, with_all_options):
    assert not [action for actions, _, _ in stack.permitted() for action in actions if action.startswith("kms:")]
    through_s3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    for name in (INSTANCE, SERVERLESS, ORCHESTRATOR):
        permissions = with_all_options.permissions(name)
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            assert decide(permissions, Request(action, KEY, through_s3)) == "allowed"
            assert decide(permissions, Request(action, KEY)) == "not allowed"
            assert decide(permissions, Request(action, f"{KEY}6", through_s3)) == "not allowed"


def test_policies_are_no_longer_than_iam_takes(with_all_options):
    for name, document in with_all_options.managed.items():
        assert len(json.dumps(document, separators=(",", ":"))) <= 6_144, name
