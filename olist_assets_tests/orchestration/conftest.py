"""Fixtures of the tests of Dagster's instance."""

import pytest

from olist_assets.orchestration.instance.home import prepare_home


@pytest.fixture
def homes(tmp_path, monkeypatch):
    """Two folders for DAGSTER_HOME: one that `prepare_home` made, and one with Dagster's own event log."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    own, plain = tmp_path / "own", tmp_path / "plain"
    prepare_home(own)
    plain.mkdir()
    (plain / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return own, plain
