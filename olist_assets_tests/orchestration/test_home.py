"""DAGSTER_HOME: prepared once, updated if an earlier release prepared it, and otherwise not changed."""

import os

import dagster as dg

from olist_assets.orchestration.instance.event_log import BatchingSqliteEventLogStorage
from olist_assets.orchestration.instance.home import prepare_home


def test_a_home_is_prepared_for_batches_without_changing_existing_settings(homes, monkeypatch):
    own, plain = homes
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "500"
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
    prepare_home(plain)
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "0"
    assert "BatchingSqliteEventLogStorage" in (own / "dagster.yaml").read_text()
    assert (plain / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_a_home_of_an_earlier_release_finds_the_moved_event_log(homes):
    own, _ = homes
    today = (own / "dagster.yaml").read_text()
    earlier = today.replace("olist_assets.orchestration.instance.event_log", "olist_assets.event_log") + "# ours\n"
    assert "module: olist_assets.event_log\n" in earlier
    (own / "dagster.yaml").write_text(earlier)
    prepare_home(own)
    assert (own / "dagster.yaml").read_text() == today + "# ours\n"
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, BatchingSqliteEventLogStorage)
