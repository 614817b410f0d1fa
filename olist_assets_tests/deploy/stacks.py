"""The production stack as moto creates it from the template, read by boto3."""

import re
import warnings
from pathlib import Path

import boto3
from moto import mock_aws

from olist_assets_tests.deploy.policies import as_list

TEMPLATE = Path(__file__).parents[2] / "deploy" / "lakehouse.yaml"
ACCOUNT, REGION = "123456789012", "us-east-1"
LAKE, SOURCE, LOGS = (f"olist-{name}-{ACCOUNT}-{REGION}" for name in ("lake", "source", "logs"))
BUCKETS = {"Lake": LAKE, "Source": SOURCE, "Logs": LOGS}

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
USER = f"arn:aws:iam::{ACCOUNT}:user/jane"


class Stack:
    """A stack, in a VPC with two subnets.

    Attributes:
        vpc: the VPC's id.
        subnets: the subnets' ids.
        status: its status in CloudFormation.
        outputs: values by description.
        resources: the template's text of each resource whose condition is true, with all functions resolved.
        not_created: the resource types that moto leaves out.
        trust: who may assume a role, by the role's name.
        inline: the policies written into a role, by the role's name.
        managed: the managed policies, by name.
        attached: the names of the managed policies that a role has, by the role's name.
        profiles: the roles of an instance profile, by the profile's name.
        encryption: the default encryption of a bucket, by the bucket's name.
        tags: a bucket's tags, by the bucket's name.
        log_groups: as CloudWatch describes them.
        security_groups: as EC2 describes those of the lakehouse.
    """

    def __init__(self, template: str, parameters: dict[str, str]):
        ec2, self._iam, s3 = (boto3.client(service, region_name=REGION) for service in ("ec2", "iam", "s3"))
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        blocks = ("10.0.0.0/24", "10.0.1.0/24")
        self.subnets = [ec2.create_subnet(VpcId=self.vpc, CidrBlock=b)["Subnet"]["SubnetId"] for b in blocks]
        self._create(template, {"VpcId": self.vpc, "SubnetIds": ",".join(self.subnets), **parameters})
        self._resolve()
        self._gather_permissions()

        self.encryption, self.tags = {}, {}
        for bucket in (entry["Name"] for entry in s3.list_buckets()["Buckets"]):
            (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
            self.encryption[bucket] = rule["ApplyServerSideEncryptionByDefault"]
            self.tags[bucket] = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        self.log_groups = boto3.client("logs", region_name=REGION).describe_log_groups()["logGroups"]
        filters = [{"Name": "group-name", "Values": ["olist-*"]}]
        self.security_groups = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]

    def _create(self, template, parameters):
        cloudformation = boto3.client("cloudformation", region_name=REGION)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cloudformation.create_stack(
                StackName="lakehouse",
                TemplateBody=template,
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
        matches = [re.search(r"Tried to parse (\S+) but", str(warning.message)) for warning in caught]
        self.not_created = {match[1] for match in matches if match}
        (described,) = cloudformation.describe_stacks()["Stacks"]
        self.status = described["StackStatus"]
        self.outputs = {output["Description"]: output["OutputValue"] for output in described["Outputs"]}

    def _resolve(self):
        # Imported here, because the import takes seconds and would slow down every collection of tests.
        from moto.cloudformation.models import cloudformation_backends  # noqa: PLC0415
        from moto.cloudformation.parsing import clean_json  # noqa: PLC0415

        (stack,) = cloudformation_backends[ACCOUNT][REGION].stacks.values()
        conditions = stack.resource_map.lazy_condition_map
        self.resources = {
            name: clean_json(resource, stack.resource_map)
            for name, resource in stack.template_dict["Resources"].items()
            if "Condition" not in resource or conditions[resource["Condition"]]
        }

    def _gather_permissions(self):
        self.trust, self.attached = {}, {}
        for role in self._iam.list_roles()["Roles"]:
            name = role["RoleName"]
            self.trust[name] = role["AssumeRolePolicyDocument"]
            attached = self._iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
            self.attached[name] = [policy["PolicyName"] for policy in attached]
        # From the template, because moto returns them as the text of a Python dict, not as JSON.
        self.inline = {
            role["RoleName"]: [policy["PolicyDocument"] for policy in role.get("Policies", [])]
            for role in self.of_type("AWS::IAM::Role")
        }
        self.managed = {
            policy["PolicyName"]: self._iam.get_policy_version(
                PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"]
            )["PolicyVersion"]["Document"]
            for policy in self._iam.list_policies(Scope="Local")["Policies"]
        }
        self.profiles = {
            profile["InstanceProfileName"]: [role["RoleName"] for role in profile["Roles"]]
            for profile in self._iam.list_instance_profiles()["InstanceProfiles"]
        }

    def properties(self, name):
        """The properties of a resource in the template."""
        return self.resources[name]["Properties"]

    def of_type(self, resource_type):
        """The properties of all resources of a type in the template."""
        return [resource["Properties"] for resource in self.resources.values() if resource["Type"] == resource_type]

    def permissions(self, role):
        """The inline and attached policies of a role."""
        return self.inline[role] + [self.managed[name] for name in self.attached[role]]

    def permitted(self):
        """The actions, resources and conditions of each statement that allows something."""
        documents = [document for inline in self.inline.values() for document in inline] + list(self.managed.values())
        return [
            (as_list(statement["Action"]), as_list(statement["Resource"]), statement.get("Condition", {}))
            for document in documents
            for statement in as_list(document["Statement"])
            if statement["Effect"] == "Allow"
        ]


def create(**parameters: str) -> Stack:
    """The stack with these parameters in addition to VPC and subnets."""
    with mock_aws():
        return Stack(TEMPLATE.read_text(), parameters)
