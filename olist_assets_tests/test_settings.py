"""Settings: defaults, and one-line errors that name the variable and what it takes."""

from pathlib import Path

import pytest

from olist_assets.errors import OlistError
from olist_assets.settings import Settings


def test_defaults_lie_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({}) == Settings(
        lake=str(tmp_path / ".olist/lake"),
        source=str(tmp_path / ".olist/source"),
        engine="sail",
        after_raw="archive",
        dagster_home=tmp_path / ".olist/dagster",
    )


def test_paths_become_absolute_and_a_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ana")
    settings = Settings.from_environment({"OLIST_LAKE": "lake", "OLIST_SOURCE": "~/deliveries"})
    assert settings.lake == str(tmp_path / "lake")
    assert settings.source == str(Path("/home/ana/deliveries"))


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("OLIST_ENGINE", "flink", "OLIST_ENGINE=flink: takes sail or spark"),
        ("OLIST_LANDZONE_AFTER_RAW", "keep", "OLIST_LANDZONE_AFTER_RAW=keep: takes archive or delete"),
        ("OLIST_LAKE", "ftp://host/lake", "OLIST_LAKE=ftp://host/lake: takes the path of a folder"),
        (
            "OLIST_LAKE",
            "/data/my lake",
            "OLIST_LAKE=/data/my lake: /data/my lake has a character beyond letters, digits and /._~+@=,- in it",
        ),
        (
            "DAGSTER_HOME",
            "/data/a%20b",
            "DAGSTER_HOME=/data/a%20b: /data/a%20b has a character beyond letters, digits and /._~+@=,- in it",
        ),
        ("OLIST_SOURCE", "http://host", "OLIST_SOURCE=http://host: takes the path of a folder"),
    ],
)
def test_a_value_that_is_not_accepted_is_named(variable, value, message):
    with pytest.raises(OlistError) as error:
        Settings.from_environment({variable: value})
    assert str(error.value) == message
