"""Jobs that a run left on a cluster: which are canceled, and the error if AWS refuses."""

import pytest
from botocore.exceptions import ClientError

from olist_assets.engines.remote.emr import EmrEngine
from olist_assets.engines.remote.job import LiveJob, WorkerKey
from olist_assets.errors import EngineError


@pytest.fixture
def emr(monkeypatch):
    """An engine whose cluster has jobs of two runs, and one job of others."""
    jobs = [
        LiveJob("c/1", WorkerKey.create("s3://shop-lake/lake", "run-a").name, "RUNNING"),
        LiveJob("c/2", WorkerKey.create("s3://shop-lake/lake", "run-b").name, "RUNNING"),
        LiveJob("c/3", "backup", "PENDING"),
    ]
    monkeypatch.setattr(EmrEngine, "live", lambda _self: iter(jobs))
    return EmrEngine(lake="s3://shop-lake/lake")


def test_only_jobs_of_the_run_are_canceled(emr, monkeypatch):
    canceled = []
    monkeypatch.setattr(EmrEngine, "cancel", lambda _self, job, **_: canceled.append(job))
    assert emr.cancel_jobs("run-a") == canceled == ["c/1"]


def test_a_refused_cancellation_is_an_error_without_accounts_or_causes(emr, monkeypatch):
    def refuse(_self, _job: str, **_) -> None:
        message = "User: arn:aws:iam::123456789012:user/jane is not authorized"
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "CancelSteps")

    monkeypatch.setattr(EmrEngine, "cancel", refuse)
    with pytest.raises(EngineError) as caught:
        emr.cancel_jobs("run-a")
    assert "arn:aws:iam::…:user/jane" in str(caught.value)
    assert caught.value.__suppress_context__  # Dagster stores the texts of all causes
