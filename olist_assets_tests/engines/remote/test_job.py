"""A step as a job: the name that encodes its key, and the arguments of its submission."""

from dataclasses import replace
from datetime import date

import pytest

from olist_assets.engines.remote.emr import EmrEngine
from olist_assets.engines.remote.job import JobKey, JobPhase, Submission
from olist_assets.engines.spark_properties import SPARK
from spark_steps.protocol import StepRequest, TableHandle, Window
from spark_steps.tables import TABLES

WINDOW = Window.from_day(date(2018, 5, 10))
REQUEST = StepRequest(
    output=TableHandle("trusted/order_items", "s3://shop/lake/trusted/order_items", WINDOW),
    window=WINDOW,
    run_id="5c7e8e0e-6f0b-4b0e-8a53-0c9d1f6f2a11",
    code_version="abc",
)
SUBMISSION = Submission(
    name="olist a b/c d e",
    steps="s3://shop/lake/control/code/steps-1.zip",
    environment="s3://shop/lake/control/code/environment-2.tar.gz",
    main="s3://shop/lake/control/code/main-1.py",
    request="s3://shop/lake/control/requests/r/t/request.json",
    result="s3://shop/lake/control/requests/r/t/result.json",
)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in ("AWS_REGION", "AWS_SERVER_SIDE_ENCRYPTION", "AWS_SSE_KMS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)


def properties(submission: Submission) -> dict[str, str]:
    """The Spark properties of the --conf options."""
    words = submission.spark_arguments
    return dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--conf")


def test_a_jobs_name_encodes_its_key():
    key = JobKey.from_request(REQUEST)
    assert (key.table, key.run_id) == ("trusted/order_items", REQUEST.run_id)
    assert JobKey.parse(key.name) == key
    assert key.folder == f"control/requests/{REQUEST.run_id}/trusted.order_items.{key.request}"


@pytest.mark.parametrize("name", ["", "olist", "nightly report", "olist a b c d e", "other a b c d"])
def test_names_of_other_jobs_have_no_key(name):
    assert JobKey.parse(name) is None


def test_identical_requests_of_two_runs_differ_in_the_run_only():
    again = JobKey.from_request(replace(REQUEST, run_id="another"))
    assert replace(again, run_id=REQUEST.run_id) == JobKey.from_request(REQUEST)


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ({"window": Window.from_day(date(2018, 5, 11))}, "request"),
        ({"code_version": "def"}, "request"),
        ({"output": TableHandle("trusted/order_items", "s3://shop/other/trusted/order_items", WINDOW)}, "lake"),
    ],
)
def test_requests_for_other_days_other_code_or_other_lakes_have_other_keys(changed, differs):
    assert getattr(JobKey.from_request(replace(REQUEST, **changed)), differs) != getattr(
        JobKey.from_request(REQUEST), differs
    )


def test_a_job_that_is_being_canceled_has_not_ended():
    assert {phase for phase in JobPhase if phase.ended} == {JobPhase.SUCCEEDED, JobPhase.FAILED}


def test_spark_arguments_name_properties_and_code():
    assert properties(SUBMISSION) == SPARK
    files = ["--py-files", SUBMISSION.steps, "--archives", f"{SUBMISSION.environment}#environment"]
    assert SUBMISSION.spark_arguments[-4:] == files
    assert SUBMISSION.arguments == ["--request", SUBMISSION.request, "--result", SUBMISSION.result]


def test_driver_and_executors_get_the_region_but_no_credentials(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert SUBMISSION.variables == {"AWS_REGION": "sa-east-1"}
    assert properties(SUBMISSION) == {**SPARK, "spark.executorEnv.AWS_REGION": "sa-east-1"}


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
def test_a_step_encrypts_its_objects_as_the_variables_say(monkeypatch, algorithm, key, expected):
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", algorithm)
    monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", key)
    hadoop_properties = {
        name: value for name, value in properties(SUBMISSION).items() if name.startswith("spark.hadoop.")
    }
    expected = {**expected, "fs.s3.enableServerSideEncryption": "true"}
    assert hadoop_properties == {f"spark.hadoop.{name}": value for name, value in expected.items()}


def test_the_longest_arguments_of_a_step_are_within_emrs_limit(monkeypatch):
    """The limit is 10,240 characters."""
    monkeypatch.setenv("AWS_REGION", "ap-southeast-1")
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", "aws:kms")
    key = "arn:aws:kms:ap-southeast-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", key)
    table = max(TABLES, key=len)
    root = f"s3://{'b' * 63}/{'p' * 200}"
    key = JobKey.from_request(replace(REQUEST, output=TableHandle(table, f"{root}/{table}")))
    folder = f"{root}/{key.folder}"
    code = [f"{root}/control/code/{name}" for name in ("steps-1.zip", "environment-2.tar.gz", "main-1.py")]
    added: dict = {}

    class Api:
        def add_job_flow_steps(self, **arguments):
            """Record the arguments."""
            added.update(arguments)
            return {"StepIds": ["s-1"]}

    engine = EmrEngine(lake=root)
    engine.__dict__["_emr_without_retries"] = Api()
    submission = Submission(key.name, *code, f"{folder}/request.json", f"{folder}/result.json")
    job = engine._add_step("j-1", submission)  # noqa: SLF001 - without a cluster
    assert job == "j-1/s-1"
    [step] = added["Steps"]
    assert len(step["Name"]) <= 256
    assert 0 < sum(len(argument) + 1 for argument in step["HadoopJarStep"]["Args"]) < 10_240
