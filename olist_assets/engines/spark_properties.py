"""Spark properties: those that every step needs on every Spark, and those that let S3A reach S3."""

import os
from collections.abc import Mapping

SPARK = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    # Spark's default, the deprecated INT96, cannot be read by Sail in a filter.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""Properties of every step. They override the defaults of the Spark that runs it."""

_S3A_ALGORITHMS = {"AES256": "SSE-S3", "aws:kms": "SSE-KMS"}


def s3_properties(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Spark properties that route s3:// through S3A as the AWS variables say. They contain no credentials."""
    properties = {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        # Variables, profiles, containers, instances: the chain that AWS's other libraries follow.
        "spark.hadoop.fs.s3a.aws.credentials.provider": (
            "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"
        ),
    }
    if region := environment.get("AWS_REGION"):
        properties["spark.hadoop.fs.s3a.endpoint.region"] = region
    if endpoint := environment.get("AWS_ENDPOINT_URL_S3"):
        properties["spark.hadoop.fs.s3a.endpoint"] = endpoint
        properties["spark.hadoop.fs.s3a.path.style.access"] = "true"
    return properties | s3_encryption(environment)


def s3_encryption(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Spark properties that make S3A encrypt as the AWS variables say. Without such variables the bucket decides."""
    encryption = environment.get("AWS_SERVER_SIDE_ENCRYPTION")
    if not encryption:
        return {}
    properties = {"spark.hadoop.fs.s3a.encryption.algorithm": _S3A_ALGORITHMS[encryption]}
    if key := environment.get("AWS_SSE_KMS_KEY_ID"):
        properties["spark.hadoop.fs.s3a.encryption.key"] = key
    return properties
