"""The policies of roles and people, evaluated: what each may do, and what not."""

import pytest

from olist_assets_tests.deploy.arns import (
    EMR,
    INSTANCE,
    ORCHESTRATOR,
    SERVERLESS,
    athena,
    emr,
    glue,
    lake,
    role,
    s3,
    serverless,
)
from olist_assets_tests.deploy.policies import Request, as_list, decide
from olist_assets_tests.deploy.stacks import ACCOUNT, LAKE, LOGS, SOURCE, USER

# --- Steps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_role", [INSTANCE, SERVERLESS])
@pytest.mark.parametrize(
    ("action", "resource", "decision"),
    [
        ("s3:ListBucket", s3(LAKE), "allowed"),
        ("s3:GetObject", lake("landzone/orders/2018-05-10/orders.csv"), "allowed"),
        ("s3:GetObject", lake("control/code/steps.zip"), "allowed"),
        ("s3:GetObject", lake("control/requests/run/1/raw.orders.0/request.json"), "allowed"),
        ("s3:GetObject", s3(f"{SOURCE}/2018-05-10/orders.csv"), "allowed"),
        ("s3:PutObject", lake("raw/orders/_delta_log/1.json"), "allowed"),
        ("s3:PutObject", lake("trusted/orders/1.parquet"), "allowed"),
        ("s3:PutObject", lake("quarantine/orders/1.parquet"), "allowed"),
        ("s3:PutObject", lake("control/requests/run/1/raw.orders.0/result.json"), "allowed"),
        ("s3:PutObject", lake("control/requests/run/1/raw.orders.0/log.txt"), "allowed"),
        ("s3:PutObject", lake("control/requests/run/1/worker.json"), "allowed"),
        ("s3:PutObject", lake("control/requests/run/1/raw.orders.0/request.json"), "not allowed"),
        ("s3:DeleteObject", lake("control/requests/run/1/raw.orders.0/request.json"), "not allowed"),
        ("s3:PutObject", lake("control/requests/raw.orders.json"), "not allowed"),
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
def test_a_step_reads_the_lake_and_writes_its_tables_and_results(stack, step_role, action, resource, decision):
    request = Request(action, resource, {"aws:ResourceTag/olist:lakehouse": "olist"})
    assert decide(stack.permissions(step_role), request) == decision


def test_steps_write_logs_only_to_their_own_prefix(stack):
    for path, writers in {"emr/j-1/steps": {INSTANCE}, "emr-serverless/jobs": {SERVERLESS}, "other": set()}.items():
        request = Request("s3:PutObject", s3(f"{LOGS}/{path}/stderr.gz"))
        roles = (INSTANCE, SERVERLESS, ORCHESTRATOR)
        assert {r for r in roles if decide(stack.permissions(r), request) == "allowed"} == writers


# --- The orchestrator -------------------------------------------------------------------------------------------------

OWN_TAG = {"aws:ResourceTag/olist:lakehouse": "olist"}
OTHER_TAG = {"aws:ResourceTag/olist:lakehouse": "another"}
REQUESTED_TAG = {"aws:RequestTag/olist:lakehouse": "olist"}
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
        ("elasticmapreduce:TerminateJobFlows", OLD),
        ("elasticmapreduce:CreatePersistentAppUI", OLD),
        ("elasticmapreduce:GetPersistentAppUIPresignedURL", OLD),
        ("emr-serverless:GetApplication", APPLICATION),
        ("emr-serverless:StartApplication", APPLICATION),
        ("emr-serverless:StopApplication", APPLICATION),
        ("emr-serverless:ListJobRuns", APPLICATION),
        ("emr-serverless:GetJobRun", RUN),
        ("emr-serverless:CancelJobRun", RUN),
        ("emr-serverless:GetDashboardForJobRun", RUN),
    ],
)
def test_the_orchestrator_uses_only_resources_with_its_tag(stack, action, resource):
    permissions = stack.permissions(ORCHESTRATOR)
    assert decide(permissions, Request(action, resource, OWN_TAG)) == "allowed"
    assert decide(permissions, Request(action, resource, OTHER_TAG)) == "not allowed"
    assert decide(permissions, Request(action, resource)) == "not allowed"


@pytest.mark.parametrize(
    ("action", "resource", "context", "decision"),
    [
        ("elasticmapreduce:ListClusters", "*", {}, "allowed"),
        ("elasticmapreduce:RunJobFlow", "*", REQUESTED_TAG | FOR_EMR, "allowed"),
        ("elasticmapreduce:RunJobFlow", "*", REQUESTED_TAG, "not allowed"),
        ("elasticmapreduce:RunJobFlow", "*", FOR_EMR, "not allowed"),
        ("elasticmapreduce:AddTags", NEW, REQUESTED_TAG | FOR_EMR, "allowed"),
        ("elasticmapreduce:AddTags", NEW, FOR_EMR, "not allowed"),
        ("elasticmapreduce:AddTags", OLD, REQUESTED_TAG | OWN_TAG, "allowed"),
        ("elasticmapreduce:AddTags", OLD, REQUESTED_TAG, "denied"),
        ("elasticmapreduce:AddTags", OLD, REQUESTED_TAG | OTHER_TAG, "denied"),
        ("elasticmapreduce:PutAutoTerminationPolicy", NEW, {}, "allowed"),
        ("elasticmapreduce:PutAutoTerminationPolicy", OLD, OWN_TAG, "allowed"),
        ("elasticmapreduce:PutAutoTerminationPolicy", OLD, {}, "denied"),
        ("emr-serverless:ListApplications", serverless("/*"), {}, "allowed"),
        ("emr-serverless:CreateApplication", serverless("/*"), REQUESTED_TAG, "allowed"),
        ("emr-serverless:CreateApplication", serverless("/*"), {}, "not allowed"),
        ("emr-serverless:TagResource", APPLICATION, REQUESTED_TAG, "allowed"),
        ("emr-serverless:TagResource", RUN, REQUESTED_TAG, "allowed"),
        ("emr-serverless:TagResource", RUN, {}, "not allowed"),
        ("emr-serverless:StartJobRun", APPLICATION, OWN_TAG | REQUESTED_TAG, "allowed"),
        ("emr-serverless:StartJobRun", APPLICATION, OWN_TAG, "not allowed"),
        ("emr-serverless:StartJobRun", APPLICATION, REQUESTED_TAG, "not allowed"),
        ("emr-serverless:DeleteApplication", APPLICATION, OWN_TAG, "not allowed"),
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
def test_the_orchestrator_creates_only_resources_with_its_tag_and_manages_the_lake(
    stack, action, resource, context, decision
):
    assert decide(stack.permissions(ORCHESTRATOR), Request(action, resource, context)) == decision


# --- EMR, deliverers, analysts, and who may assume a role -------------------------------------------------------------


def test_emr_passes_the_instance_role_only_to_instances(stack):
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
def test_a_deliverer_only_adds_files(stack, action, resource, decision):
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
def test_an_analyst_queries_in_the_workgroup_and_reads_trusted_and_refined(stack, action, resource, context, decision):
    assert decide([stack.managed["olist-analyst"]], Request(action, resource, context)) == decision


REGISTER = ("GetDatabase", "GetTables", "GetTable", "CreateTable", "UpdateTable", "DeleteTable")


@pytest.mark.parametrize("operation", REGISTER)
def test_the_orchestrator_may_make_the_calls_of_register_on_the_stacks_databases(stack, operation):
    """Glue checks the catalog, the database and the table. The databases exist, so none is created."""
    named = [
        "catalog",
        "database/olist_refined",
        *(["table/olist_refined/dim_sellers"] if "Table" in operation else []),
    ]
    for resource in named:
        request = Request(f"glue:{operation}", glue(resource))
        assert decide(stack.permissions(ORCHESTRATOR), request) == "allowed", resource


def test_the_orchestrator_may_make_no_other_calls_of_glue(stack):
    permitted = {
        action
        for document in stack.permissions(ORCHESTRATOR)
        for statement in document["Statement"]
        for action in as_list(statement["Action"])
    }
    assert {action for action in permitted if action.startswith("glue:")} == {f"glue:{name}" for name in REGISTER}


@pytest.mark.parametrize(
    ("role_name", "service", "context", "decision"),
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
def test_a_role_is_assumed_only_by_its_service_for_this_account(stack, role_name, service, context, decision):
    request = Request("sts:AssumeRole", context=context, principal=f"{service}.amazonaws.com")
    assert decide([stack.trust[role_name]], request) == decision


def test_a_user_may_assume_the_orchestrators_role_if_the_parameter_names_one(stack, with_all_options):
    (statement,) = stack.trust[ORCHESTRATOR]["Statement"]
    assert statement["Principal"] == {"Service": "ec2.amazonaws.com"}
    request = Request("sts:AssumeRole", principal=USER)
    assert decide([with_all_options.trust[ORCHESTRATOR]], request) == "allowed"
    another = Request("sts:AssumeRole", principal=f"{USER}2")
    assert decide([with_all_options.trust[ORCHESTRATOR]], another) == "not allowed"
