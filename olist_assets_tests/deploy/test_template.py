"""The template of the production stack: linted, created against moto, and the resources that it creates.

It has never been created on AWS. Resources that moto's CloudFormation does not create, or only in part, are read from
the template with all its functions resolved: see `test_moto_does_not_create_these_types`.
"""

import re

from olist_assets.catalog.glue import DATABASES
from olist_assets_tests.deploy.stacks import ACCOUNT, BUCKETS, KEY, LAKE, LOGS, SOURCE, TEMPLATE

TAG = {"Key": "olist:lakehouse", "Value": "olist"}


# --- The template as a text -------------------------------------------------------------------------------------------


def test_the_linter_finds_nothing():
    # Imported here, because the import takes seconds and would slow down every collection of tests.
    from cfnlint import api as linter  # noqa: PLC0415

    settings = linter.ManualArgs(regions=["us-east-1", "eu-west-1", "sa-east-1"], include_checks=["I"])
    assert [str(actual) for actual in linter.lint_file(TEMPLATE, config=settings)] == []


def test_the_linter_has_no_exceptions():
    assert "cfn-lint" not in TEMPLATE.read_text()
    assert not list(TEMPLATE.parents[1].glob(".cfnlintrc*"))


def test_it_can_be_sent_without_a_bucket():
    assert TEMPLATE.stat().st_size <= 51_200


def test_no_account_is_written_into_it():
    assert re.findall(r"\b\d{12}\b", TEMPLATE.read_text()) == []


# --- The stack --------------------------------------------------------------------------------------------------------


def test_it_is_created_and_each_output_is_a_setting(any_stack):
    assert any_stack.status == "CREATE_COMPLETE"
    assert any_stack.outputs == {
        "OLIST_LAKE": f"s3://{LAKE}/lake",
        "OLIST_GLUE": "olist",
        "OLIST_SOURCE": f"s3://{SOURCE}",
        "OLIST_EMR_SERVICE_ROLE": "olist-emr-service",
        "OLIST_EMR_INSTANCE_PROFILE": "olist-emr-instance",
        "OLIST_EMR_SUBNETS": ",".join(any_stack.subnets),
        "OLIST_EMR_LOGS": f"s3://{LOGS}/emr",
        "OLIST_EMR_SERVERLESS_ROLE": f"arn:aws:iam::{ACCOUNT}:role/olist-emr-serverless",
        "OLIST_EMR_SERVERLESS_APPLICATION": "olist",
    }


def test_moto_does_not_create_these_types(stack):
    """Tests read them from the template, like the properties that moto ignores.

    Those are: of a bucket all but encryption and tags, a log group's key, the outbound rules of a security group, and
    AWS's policies of a role.
    """
    assert stack.not_created == {
        "AWS::S3::BucketPolicy",
        "AWS::Glue::Database",
        "AWS::Athena::WorkGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EMRServerless::Application",
    }


# --- Buckets ----------------------------------------------------------------------------------------------------------


def test_there_are_three_tagged_buckets(any_stack):
    assert any_stack.tags.keys() == set(BUCKETS.values())
    assert all(TAG in tags for tags in any_stack.tags.values())


def test_buckets_are_encrypted_by_s3_without_a_key(stack):
    assert stack.encryption == {bucket: {"SSEAlgorithm": "AES256"} for bucket in BUCKETS.values()}


def test_buckets_are_encrypted_with_the_key_if_there_is_one(with_all_options):
    assert with_all_options.encryption == {
        bucket: {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY} for bucket in BUCKETS.values()
    }
    for name in BUCKETS:
        (rule,) = with_all_options.properties(name)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["BucketKeyEnabled"] is True


def test_no_bucket_is_public_or_has_access_lists(stack):
    for name in BUCKETS:
        assert stack.properties(name)["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }
        assert stack.properties(name)["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_lake_and_source_keep_versions_and_outlive_the_stack(stack):
    for name in ("Lake", "Source"):
        assert stack.properties(name)["VersioningConfiguration"] == {"Status": "Enabled"}
        assert stack.resources[name]["DeletionPolicy"] == "Retain"
        assert stack.resources[name]["UpdateReplacePolicy"] == "Retain"


REQUESTS = {"Id": "Requests", "Status": "Enabled", "Prefix": "lake/control/requests/", "ExpirationInDays": 90}
ARCHIVE = {
    "Id": "Archive",
    "Status": "Enabled",
    "Prefix": "lake/archive/",
    "Transitions": [{"StorageClass": "GLACIER_IR", "TransitionInDays": 30}],
}
NONCURRENT = {
    "Id": "NoncurrentVersions",
    "Status": "Enabled",
    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    "ExpiredObjectDeleteMarker": True,
}
UPLOADS = {"Id": "IncompleteUploads", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}


def test_the_archive_changes_its_storage_class_and_old_versions_expire(stack):
    assert stack.properties("Lake")["LifecycleConfiguration"]["Rules"] == [ARCHIVE, REQUESTS, NONCURRENT, UPLOADS]
    assert stack.properties("Source")["LifecycleConfiguration"]["Rules"] == [NONCURRENT, UPLOADS]


def test_the_archive_expires_if_the_parameter_says_so(with_all_options):
    archive, *_ = with_all_options.properties("Lake")["LifecycleConfiguration"]["Rules"]
    assert archive == {**ARCHIVE, "ExpirationInDays": 400}


def test_logs_expire(stack):
    (rule,) = stack.properties("Logs")["LifecycleConfiguration"]["Rules"]
    assert rule == {
        "Id": "Expire",
        "Status": "Enabled",
        "ExpirationInDays": 90,
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }


# --- Logs, network, EMR, catalog, Athena ------------------------------------------------------------------------------


def test_log_groups_expire_their_logs(stack):
    actual = {group["logGroupName"]: group["retentionInDays"] for group in stack.log_groups}
    assert actual == {"/olist/emr-serverless": 90, "/olist/orchestrator": 90}


def test_log_groups_use_the_key_if_there_is_one(stack, with_all_options):
    assert [group.get("KmsKeyId") for group in stack.of_type("AWS::Logs::LogGroup")] == [None, None]
    assert [group.get("KmsKeyId") for group in with_all_options.of_type("AWS::Logs::LogGroup")] == [KEY, KEY]


def test_only_workers_reach_workers(stack):
    (group,) = stack.security_groups
    assert (group["GroupName"], group["VpcId"]) == ("olist-emr-serverless", stack.vpc)
    (inbound,) = group["IpPermissions"]
    assert (inbound["IpRanges"], inbound["Ipv6Ranges"], inbound["PrefixListIds"]) == ([], [], [])
    assert [pair["GroupId"] for pair in inbound["UserIdGroupPairs"]] == [group["GroupId"]]
    (outbound,) = stack.properties("ServerlessSecurityGroup")["SecurityGroupEgress"]
    assert (outbound["IpProtocol"], outbound["FromPort"], outbound["ToPort"]) == ("tcp", 443, 443)
    assert stack.properties("ServerlessEgressToWorkers")["DestinationSecurityGroupId"] == group["GroupId"]


def test_an_instance_profile_is_named_like_its_role_as_emr_requires(stack):
    assert stack.profiles == {
        "olist-emr-instance": ["olist-emr-instance"],
        "olist-orchestrator": ["olist-orchestrator"],
    }


def test_the_serverless_application_costs_nothing_between_steps(stack):
    (group,) = stack.security_groups
    assert stack.properties("ServerlessApplication") == {
        "Name": "olist",
        "Type": "Spark",
        "ReleaseLabel": "emr-spark-8.2.0",
        "Architecture": "X86_64",
        "AutoStartConfiguration": {"Enabled": True},
        "AutoStopConfiguration": {"Enabled": True, "IdleTimeoutMinutes": 15},
        "MaximumCapacity": {"Cpu": "16 vCPU", "Memory": "64 GB"},  # and no InitialCapacity
        "NetworkConfiguration": {"SubnetIds": stack.subnets, "SecurityGroupIds": [group["GroupId"]]},
        "MonitoringConfiguration": {
            "S3MonitoringConfiguration": {"LogUri": f"s3://{LOGS}/emr-serverless/"},
            "CloudWatchLoggingConfiguration": {"Enabled": True, "LogGroupName": "/olist/emr-serverless"},
        },
        "Tags": [TAG],
    }


def test_trusted_and_refined_are_databases(stack):
    actual = [properties["DatabaseInput"] for properties in stack.of_type("AWS::Glue::Database")]
    assert {database["Name"]: database["LocationUri"] for database in actual} == {
        "olist_trusted": f"s3://{LAKE}/lake/trusted/",
        "olist_refined": f"s3://{LAKE}/lake/refined/",
    }


def test_athena_has_a_workgroup_whose_results_are_encrypted_and_whose_queries_are_limited(stack, with_all_options):
    configuration = {
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "BytesScannedCutoffPerQuery": 10737418240,
        "EngineVersion": {"SelectedEngineVersion": "Athena engine version 3"},
        "ResultConfiguration": {
            "OutputLocation": f"s3://{LOGS}/athena/",
            "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
        },
    }
    assert stack.properties("Workgroup") == {
        "Name": "olist",
        "Description": "Questions to the lakehouse",
        "RecursiveDeleteOption": True,
        "WorkGroupConfiguration": configuration,
        "Tags": [TAG],
    }
    results = with_all_options.properties("Workgroup")["WorkGroupConfiguration"]["ResultConfiguration"]
    assert results["EncryptionConfiguration"] == {"EncryptionOption": "SSE_KMS", "KmsKey": KEY}


def test_runs_register_tables_in_the_databases_of_the_stack(stack):
    actual = {properties["DatabaseInput"]["Name"] for properties in stack.of_type("AWS::Glue::Database")}
    assert actual == {f"{stack.outputs['OLIST_GLUE']}_{layer}" for layer in DATABASES}
