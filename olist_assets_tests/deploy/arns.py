"""ARNs of the stack's resources, and the names of its roles."""

from olist_assets_tests.deploy.stacks import ACCOUNT, LAKE, REGION

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
