"""`olist run --engine spark` as users run it: the same command and the same output as on the default engine."""

import os
import subprocess
import sys

import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets.lake.layout import Lake
from olist_assets_tests.lakes import TestLake

HEADER = "seller_id,seller_zip_code_prefix,seller_city,seller_state"


@pytest.fixture
def without_host_name(tmp_path) -> dict[str, str]:
    """The environment of a machine where Java resolves no host name, not even the machine's own."""
    (tmp_path / "hosts").touch()
    return {**os.environ, "JAVA_TOOL_OPTIONS": f"-Djdk.net.hosts.file={tmp_path / 'hosts'}"}


def run(folder, environment: dict[str, str], *options: str, lake: str = "lake") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "olist_assets", "run", "--engine", "spark", "--day", "2018-05-10", *options],
        cwd=folder,
        env={**environment, "OLIST_LAKE": lake, "OLIST_SOURCE": "source", "DAGSTER_HOME": "dagster"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_on_spark_needs_nothing_but_the_option(tmp_path, without_host_name):
    delivery = tmp_path / "source" / "2018-05-10"
    delivery.mkdir(parents=True)
    (delivery / "olist_sellers_dataset.csv").write_text(f"{HEADER}\ns1,1001,são paulo,SP\ns2,20001,rio de janeiro,XX\n")
    select = [word for layer in ("landzone", "raw", "trusted") for word in ("--select", f"{layer}/sellers")]
    done = run(tmp_path, without_host_name, *select)
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert any(line.startswith("✓ raw/sellers 2 inserted") for line in lines)
    assert any(line.startswith("✓ trusted/sellers 1 inserted, 1 quarantined") for line in lines)
    assert "Traceback" not in done.stderr
    record = Lake(str(tmp_path / "lake")).step_records.newest({"trusted/sellers"})["trusted/sellers"]
    assert (record.engine, record.status, record.rows_quarantined) == ("spark", "succeeded", 1)
    assert not (tmp_path / "spark-warehouse").exists()


def test_the_error_of_a_jvm_that_does_not_start_names_the_cause(without_host_name):
    engine = "from olist_assets.engines.local.spark import SparkEngine; SparkEngine().session()"
    done = subprocess.run(
        [sys.executable, "-c", engine],
        env={**without_host_name, "SPARK_LOCAL_IP": "no-such-host"},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert "EngineError: local Spark does not start: Caused by: java.net.UnknownHostException" in last
    assert "no-such-host" in last


SESSIONS_BEFORE_AND_AFTER_A_RUN = """
import sys
from pathlib import Path
from pyspark.sql import SparkSession
from olist_assets.engines.local.spark import SparkEngine
from olist_assets_tests.lakes import TestLake

lake = TestLake(Path(sys.argv[1]), SparkEngine())
before = SparkSession.getActiveSession()
lake.materialize("landzone/sellers", "raw/sellers", "trusted/sellers", day="2018-05-10")
print(before, SparkSession.getActiveSession())
"""


def test_a_session_ends_with_the_run_that_started_it(tmp_path):
    lake = TestLake(tmp_path / "lake", SailEngine())
    lake.deliver("2018-05-10", "olist_sellers_dataset.csv", f"{HEADER}\ns1,1001,são paulo,SP\n")
    # In a process of its own: other tests share a session in this one.
    command = [sys.executable, "-c", SESSIONS_BEFORE_AND_AFTER_A_RUN, str(lake.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "None None"
    assert lake.read("trusted/sellers", "seller_id") == [{"seller_id": "s1"}]


def test_a_lake_on_s3_is_reached_by_a_profile_and_encrypted_by_the_setting(s3, bucket, tmp_path):
    delivery = tmp_path / "source" / "2018-05-10"
    delivery.mkdir(parents=True)
    (delivery / "olist_sellers_dataset.csv").write_text(f"{HEADER}\ns1,1001,são paulo,SP\n")
    (tmp_path / "config").write_text("[profile shop]\nregion = us-east-1\n")
    (tmp_path / "credentials").write_text("[shop]\naws_access_key_id = test\naws_secret_access_key = test\n")
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    environment = {name: value for name, value in os.environ.items() if name not in keys} | {
        "AWS_PROFILE": "shop",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "OLIST_S3_ENCRYPTION": "aws:kms:the-key",
    }
    select = [word for layer in ("landzone", "raw") for word in ("--select", f"{layer}/sellers")]
    done = run(tmp_path, environment, *select, lake=f"{bucket}/lake")
    assert done.returncode == 0, done.stderr
    name = bucket.removeprefix("s3://")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=name, Prefix="lake/raw/sellers")["Contents"]]
    parquet = [key for key in keys if key.endswith(".parquet")]
    assert parquet
    for key in keys:
        head = s3.head_object(Bucket=name, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "the-key"), key
    question = [sys.executable, "-m", "olist_assets", "sql", "--format", "csv", "select seller_id from raw.sellers"]
    answer = subprocess.run(
        question, env={**environment, "OLIST_LAKE": f"{bucket}/lake"}, capture_output=True, text=True, check=False
    )
    assert answer.stdout == "seller_id\ns1\n", answer.stderr
