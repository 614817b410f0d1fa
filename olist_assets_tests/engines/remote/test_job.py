"""A step as a job: the name that tells what it is for, and what a service is told of it."""

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
    """What Spark is told by --conf."""
    words = submission.spark_arguments
    return dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--conf")


def test_a_jobs_name_tells_its_work():
    work = JobKey.from_request(REQUEST)
    assert (work.table, work.run_id) == ("trusted/order_items", REQUEST.run_id)
    assert JobKey.parse(work.name) == work
    assert work.folder == f"control/requests/{REQUEST.run_id}/trusted.order_items.{work.request}"


@pytest.mark.parametrize("name", ["", "olist", "nightly report", "olist a b c d e", "other a b c d"])
def test_the_jobs_of_others_are_not_taken_for_work(name):
    assert JobKey.parse(name) is None


def test_runs_that_ask_for_the_same_are_known_by_it():
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
def test_work_on_other_days_by_other_code_or_in_other_lakes_is_other_work(changed, differs):
    assert getattr(JobKey.from_request(replace(REQUEST, **changed)), differs) != getattr(
        JobKey.from_request(REQUEST), differs
    )


def test_a_job_that_is_being_cancelled_has_not_ended():
    assert {phase for phase in JobPhase if phase.ended} == {JobPhase.SUCCEEDED, JobPhase.FAILED}


def test_spark_is_told_what_runs_and_how():
    assert properties(SUBMISSION) == SPARK
    files = ["--py-files", SUBMISSION.steps, "--archives", f"{SUBMISSION.environment}#environment"]
    assert SUBMISSION.spark_arguments[-4:] == files
    assert SUBMISSION.arguments == ["--request", SUBMISSION.request, "--result", SUBMISSION.result]


def test_driver_and_executors_know_the_region_and_no_credentials(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert SUBMISSION.variables == {"AWS_REGION": "sa-east-1"}
    assert properties(SUBMISSION) == {**SPARK, "spark.executorEnv.AWS_REGION": "sa-east-1"}


@pytest.mark.parametrize(
    ("algorithm", "key", "told"),
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
def test_what_a_step_writes_is_encrypted_as_the_lake_is(monkeypatch, algorithm, key, told):
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", algorithm)
    monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", key)
    of_hadoop = {name: value for name, value in properties(SUBMISSION).items() if name.startswith("spark.hadoop.")}
    expected = {**told, "fs.s3.enableServerSideEncryption": "true"}
    assert of_hadoop == {f"spark.hadoop.{name}": value for name, value in expected.items()}


def test_the_arguments_of_the_longest_step_are_accepted_by_emr(monkeypatch):
    """EMR takes 10,240 characters."""
    monkeypatch.setenv("AWS_REGION", "ap-southeast-1")
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", "aws:kms")
    key = "arn:aws:kms:ap-southeast-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", key)
    table = max(TABLES, key=len)
    root = f"s3://{'b' * 63}/{'p' * 200}"
    work = JobKey.from_request(replace(REQUEST, output=TableHandle(table, f"{root}/{table}")))
    folder = f"{root}/{work.folder}"
    code = [f"{root}/control/code/{name}" for name in ("steps-1.zip", "environment-2.tar.gz", "main-1.py")]
    added: dict = {}

    class Api:
        def add_job_flow_steps(self, **asked):
            """Take note of what is asked."""
            added.update(asked)
            return {"StepIds": ["s-1"]}

    engine = EmrEngine(lake=root)
    engine.__dict__["_emr_without_retries"] = Api()
    submission = Submission(work.name, *code, f"{folder}/request.json", f"{folder}/result.json")
    job = engine._add_step("j-1", submission)  # noqa: SLF001 - of a cluster that need not be there
    assert job == "j-1/s-1"
    [step] = added["Steps"]
    assert len(step["Name"]) <= 256
    assert 0 < sum(len(argument) + 1 for argument in step["HadoopJarStep"]["Args"]) < 10_240
