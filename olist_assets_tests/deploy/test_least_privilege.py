"""No policy of the stack permits more than necessary."""

import json
import re
from importlib import resources

from olist_assets_tests.deploy.arns import EMR, INSTANCE, ORCHESTRATOR, SERVERLESS, role
from olist_assets_tests.deploy.policies import Request, decide
from olist_assets_tests.deploy.stacks import ACCOUNT, KEY, LAKE, LOGS, REGION, SOURCE

WITHOUT_RESOURCES = {
    "elasticmapreduce:ListClusters",
    "elasticmapreduce:RunJobFlow",
    "logs:DescribeLogGroups",
    "athena:ListWorkGroups",
    "athena:ListDataCatalogs",
    "athena:ListEngineVersions",
}


def test_no_permission_has_a_wildcard_for_its_action(any_stack):
    assert [action for actions, _, _ in any_stack.permitted() for action in actions if "*" in action] == []


def test_resources_are_named_where_an_action_supports_them(any_stack):
    unnamed = {action for actions, named, _ in any_stack.permitted() if "*" in named for action in actions}
    assert unnamed == WITHOUT_RESOURCES


def test_these_actions_support_no_resources_according_to_aws():
    """The source is AWS's service authorization reference, which the linter contains."""
    reference = json.loads(resources.files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text())
    for service, operation in (action.split(":") for action in WITHOUT_RESOURCES):
        assert not reference[service]["Actions"][operation.lower()].get("Resources"), f"{service}:{operation}"


def test_resources_are_of_this_lakehouse(any_stack):
    own = [
        rf"arn:aws:s3:::({LAKE}|{SOURCE}|{LOGS})(/.+)?",
        rf"arn:aws:iam::{ACCOUNT}:role/olist-[a-z-]+",
        rf"arn:aws:glue:{REGION}:{ACCOUNT}:(catalog|(database|table)/(olist_trusted|olist_refined)(/\*)?)",
        rf"arn:aws:glue:{REGION}:{ACCOUNT}:database/(default|global_temp|delta)",  # Spark reads them
        rf"arn:aws:athena:{REGION}:{ACCOUNT}:(workgroup/olist|datacatalog/AwsDataCatalog)",
        rf"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/olist/[a-z-]+",
        rf"arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/\*",  # ids are not known in advance: tags decide
        rf"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/(\*|applications/\*(/jobruns/\*)?)",  # the same
        re.escape(KEY),
    ]
    named = {resource for _, resources, _ in any_stack.permitted() for resource in resources} - {"*"}
    assert {resource for resource in named if not any(re.fullmatch(pattern, resource) for pattern in own)} == set()


def test_permissions_on_clusters_applications_and_runs_require_the_tag(any_stack):
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


def test_a_role_is_passed_by_name_to_one_service(any_stack):
    passed = [(a, n, c) for a, n, c in any_stack.permitted() if "iam:PassRole" in a]
    assert sorted((*named, *condition["StringEquals"].items()) for _, named, condition in passed) == [
        (role(INSTANCE), ("iam:PassedToService", "ec2.amazonaws.com")),  # by EMR
        (role(INSTANCE), ("iam:PassedToService", "ec2.amazonaws.com")),  # by the orchestrator
        (role(SERVERLESS), ("iam:PassedToService", "emr-serverless.amazonaws.com")),
        (role(EMR), ("iam:PassedToService", "elasticmapreduce.amazonaws.com")),
    ]
    assert all(actions == ["iam:PassRole"] and list(condition) == ["StringEquals"] for actions, _, condition in passed)


def test_no_policy_permits_deleting_versions_or_changing_a_bucket(any_stack):
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


def test_the_key_is_used_only_through_s3_by_roles_that_read_and_write(stack, with_all_options):
    assert not [action for actions, _, _ in stack.permitted() for action in actions if action.startswith("kms:")]
    through_s3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    for name in (INSTANCE, SERVERLESS, ORCHESTRATOR):
        permissions = with_all_options.permissions(name)
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            assert decide(permissions, Request(action, KEY, through_s3)) == "allowed"
            assert decide(permissions, Request(action, KEY)) == "not allowed"
            assert decide(permissions, Request(action, f"{KEY}6", through_s3)) == "not allowed"


def test_policies_are_within_iams_size_limit(with_all_options):
    for name, document in with_all_options.managed.items():
        assert len(json.dumps(document, separators=(",", ":"))) <= 6_144, name
