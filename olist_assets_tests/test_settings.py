"""Settings: defaults, and one-line errors that name the variable and what it takes."""

from pathlib import Path

import pytest

from olist_assets.errors import OlistError
from olist_assets.settings import Settings

ROOTS = "takes the path of a folder, or s3://<bucket>/<prefix> of plain characters"


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
        ("OLIST_ENGINE", "flink", "OLIST_ENGINE=flink: takes sail or spark or emr or emr-serverless"),
        ("OLIST_LANDZONE_AFTER_RAW", "keep", "OLIST_LANDZONE_AFTER_RAW=keep: takes archive or delete"),
        (
            "OLIST_LAKE",
            "ftp://host/lake",
            f"OLIST_LAKE=ftp://host/lake: {ROOTS}",
        ),
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
        (
            "OLIST_SOURCE",
            "http://host",
            f"OLIST_SOURCE=http://host: {ROOTS}",
        ),
        (
            "OLIST_LAKE",
            "s3://Shop/lake",
            f"OLIST_LAKE=s3://Shop/lake: {ROOTS}",
        ),
        (
            "OLIST_GLUE",
            "Olist-1",
            "OLIST_GLUE=Olist-1: takes lower-case letters, digits and underscores, a letter first",
        ),
        ("OLIST_S3_ENCRYPTION", "DES", "OLIST_S3_ENCRYPTION=DES: takes AES256, aws:kms or aws:kms:<key>"),
    ],
)
def test_a_value_that_is_not_accepted_is_named(variable, value, message):
    with pytest.raises(OlistError) as error:
        Settings.from_environment({variable: value})
    assert str(error.value) == message


@pytest.mark.parametrize("uri", ["s3://shop-lake", "s3://shop-lake/", "s3://shop.lake/a/b_c", "s3://shop.lake/a/b_c/"])
def test_lake_and_source_may_lie_on_s3(uri):
    settings = Settings.from_environment({"OLIST_LAKE": uri, "OLIST_SOURCE": uri, "OLIST_S3_ENCRYPTION": "aws:kms:k"})
    assert (settings.lake, settings.source) == (uri.rstrip("/"), uri.rstrip("/"))
    assert settings.on_s3
    assert settings.encryption == "aws:kms:k"
    assert not Settings.from_environment({}).on_s3
