"""A worker as a job: the name that encodes its key, and the arguments of its submission."""

from dataclasses import replace

import pytest

from olist_assets.engines.remote.emr import EmrEngine
from olist_assets.engines.remote.emr_serverless import EmrServerlessEngine
from olist_assets.engines.remote.job import JobPhase, Submission, WorkerKey
from olist_assets.engines.spark_properties import SPARK

KEY = WorkerKey.create("s3://shop/lake", "5c7e8e0e-6f0b-4b0e-8a53-0c9d1f6f2a11")
SUBMISSION = Submission(
    name=KEY.name,
    steps="s3://shop/lake/control/code/steps-1.zip",
    environment="s3://shop/lake/control/code/environment-2.tar.gz",
    main="s3://shop/lake/control/code/main-1.py",
    requests=f"s3://shop/lake/{KEY.folder}",
    slots=4,
    idle_seconds=300,
)
OWN = {
    "spark.scheduler.mode": "FAIR",
    "spark.sql.shuffle.partitions": "16",
    "spark.databricks.delta.snapshotPartitions": "4",
}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in ("AWS_REGION", "AWS_SERVER_SIDE_ENCRYPTION", "AWS_SSE_KMS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)


def properties(submission: Submission) -> dict[str, str]:
    """The Spark properties of the --conf options."""
    words = submission.spark_arguments
    return dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--conf")


def test_a_jobs_name_encodes_its_key():
    assert WorkerKey.parse(KEY.name) == KEY
    assert WorkerKey.parse(replace(KEY, attempt=2).name) == replace(KEY, attempt=2)
    assert KEY.folder == f"control/requests/{KEY.run_id}/1"


@pytest.mark.parametrize("name", ["", "olist", "nightly report", "olist a b 1", f"{KEY.name} x", f"other{KEY.name}"])
def test_names_of_other_jobs_have_no_key(name):
    assert WorkerKey.parse(name) is None


def test_workers_on_other_lakes_have_other_keys():
    assert WorkerKey.create("s3://shop/other", KEY.run_id) != KEY


def test_a_job_that_is_being_canceled_has_not_ended():
    assert {phase for phase in JobPhase if phase.ended} == {JobPhase.SUCCEEDED, JobPhase.FAILED}


def test_spark_arguments_name_properties_and_code():
    assert properties(SUBMISSION) == SPARK | OWN
    files = ["--py-files", SUBMISSION.steps, "--archives", f"{SUBMISSION.environment}#environment"]
    assert SUBMISSION.spark_arguments[-4:] == files
    assert SUBMISSION.arguments == [*("--requests", SUBMISSION.requests, "--slots", "4", "--idle-seconds", "300")]


def test_driver_and_executors_get_the_region_but_no_credentials(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert SUBMISSION.variables == {"AWS_REGION": "sa-east-1"}
    assert properties(SUBMISSION) == {**SPARK, **OWN, "spark.executorEnv.AWS_REGION": "sa-east-1"}


@pytest.mark.parametrize(
    ("algorithm", "key", "expected"),
    [
        ("AES256", "", {"fs.s3a.encryption.algorithm": "SSE-S3"}),
        ("aws:kms", "", {"fs.s3a.encryption.algorithm": "SSE-KMS"}),
        (
            "aws:kms",
            "key-1",
            {
                "fs.s3a.encryption.algorithm": "SSE-KMS",
                "fs.s3a.encryption.key": "key-1",
                "fs.s3.serverSideEncryption.kms.keyId": "key-1",
            },
        ),
    ],
)
def test_a_worker_encrypts_its_objects_as_the_variables_say(monkeypatch, algorithm, key, expected):
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", algorithm)
    monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", key)
    hadoop_properties = {
        name: value for name, value in properties(SUBMISSION).items() if name.startswith("spark.hadoop.")
    }
    expected = {**expected, "fs.s3.enableServerSideEncryption": "true"}
    assert hadoop_properties == {f"spark.hadoop.{name}": value for name, value in expected.items()}


def test_the_longest_arguments_of_a_worker_are_within_emrs_limit(monkeypatch):
    """The limit is 10,240 characters."""
    monkeypatch.setenv("AWS_REGION", "ap-southeast-1")
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", "aws:kms")
    key = "arn:aws:kms:ap-southeast-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", key)
    root = f"s3://{'b' * 63}/{'p' * 200}"
    code = {name: f"{root}/control/code/{name}-{'0' * 12}.tar.gz" for name in ("steps", "environment", "main")}
    added: dict = {}

    class Api:
        def add_job_flow_steps(self, **arguments):
            """Record the arguments."""
            added.update(arguments)
            return {"StepIds": ["s-1"]}

    engine = EmrEngine(lake=root)
    engine.__dict__["_emr_without_retries"] = Api()
    submission = replace(SUBMISSION, **code, requests=f"{root}/{KEY.folder}")
    job = engine._add_step("j-1", submission)  # noqa: SLF001 - without a cluster
    assert job == "j-1/s-1"
    [step] = added["Steps"]
    assert len(step["Name"]) <= 256
    assert 0 < sum(len(argument) + 1 for argument in step["HadoopJarStep"]["Args"]) < 10_240


def test_workers_have_sizes_and_their_price():
    cluster = EmrEngine(lake="s3://shop/lake", max_executors=6)
    assert cluster.price_per_hour == pytest.approx(8 * 0.06)  # a primary and a core node
    serverless = EmrServerlessEngine(lake="s3://shop/lake", max_executors=2)
    words = serverless._spark_options(SUBMISSION)  # noqa: SLF001 - without an application
    own = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--conf")
    sizes = {name: value for name, value in own.items() if "driver." in name or "xecutor" in name}
    assert (
        sizes.items()
        >= {
            "spark.driver.cores": "2",
            "spark.driver.memory": "7g",
            "spark.executor.cores": "2",
            "spark.executor.memory": "7g",
            "spark.dynamicAllocation.initialExecutors": "3",
            "spark.dynamicAllocation.maxExecutors": "3",  # the service rejects fewer
        }.items()
    )
    assert serverless.price_per_hour == pytest.approx(8 * 0.052624 + 32 * 0.0057785)  # 7 GB and a tenth, rounded up
