"""DAGSTER_HOME: prepared once, updated if an earlier release prepared it, and otherwise not changed."""

import os

import dagster as dg
import pytest

from olist_assets.errors import SettingsError
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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "while parsing a flow node expected the node content, but found '<stream end>'"),
        ("- a", "Expected YAML from file "),
        ("nonsense: 1", 'Received unexpected config entry "nonsense" at the root; '),
        ("telemetry: {enabled: 7}", "Invalid scalar at path root:telemetry:enabled. Value "),
        ("run_storage: {module: no.such, class: X, config: {}}", "No module named 'no'; "),
        ("run_storage: {module: dagster, class: Missing, config: {}}", "module 'dagster' has no attribute 'Missing'; "),
        ("caf\udce9: 1", "'utf-8' codec can't decode byte 0xe9"),
    ],
)
def test_a_broken_configuration_is_one_line_that_names_the_file(tmp_path, text, reason):
    file = tmp_path / "dagster.yaml"
    file.write_text(text, errors="surrogateescape")
    with pytest.raises(SettingsError) as error:
        prepare_home(tmp_path)
    assert str(error.value).startswith(f"{file} cannot be used: {reason}")
    assert str(error.value).endswith("; correct it, or delete it to get the project's one again")
    assert "\n" not in str(error.value)
