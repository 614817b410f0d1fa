"""Settings: defaults, and one-line errors that name the variable and the accepted values."""

from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from olist_assets.errors import SettingsError
from olist_assets.settings.description import SettingRow, describe_settings
from olist_assets.settings.general import Settings

ROOTS = "takes the path of a folder, or s3://<bucket>/<prefix> of plain characters"

NOT_PLAIN = "has a character beyond letters, digits and /._~+@=,- in it; set OLIST_LAKE to a folder without"


def test_defaults_are_below_the_working_directory(tmp_path, monkeypatch):
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
            "/Área/my lake",
            f"OLIST_LAKE=/Área/my lake: /Área/my lake {NOT_PLAIN}",
        ),
        (
            "DAGSTER_HOME",
            "/data/a%20b",
            "DAGSTER_HOME=/data/a%20b: /data/a%20b has % or ? in it; set DAGSTER_HOME to a folder without",
        ),
        ("OLIST_SPARK_PARALLELISM", "0", "OLIST_SPARK_PARALLELISM=0: takes a number from 1 to 9999"),
        (
            "OLIST_FIRST_LANDING_DATE",
            "May 2018",
            "OLIST_FIRST_LANDING_DATE=May 2018: takes a date, such as 2018-10-31",
        ),
        (
            "OLIST_LAST_LANDING_DATE",
            "2015-12-31",
            "OLIST_LAST_LANDING_DATE=2015-12-31: is before OLIST_FIRST_LANDING_DATE=2016-01-01",
        ),
        ("OLIST_LAKE", "~nosuchuser/x", "OLIST_LAKE=~nosuchuser/x: there is no such user"),
        ("OLIST_SOURCE", "~nosuchuser", "OLIST_SOURCE=~nosuchuser: there is no such user"),
        ("DAGSTER_HOME", "~nosuchuser/x", "DAGSTER_HOME=~nosuchuser/x: there is no such user"),
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
def test_an_error_names_the_variable_the_value_and_the_accepted_values(variable, value, message):
    with pytest.raises(SettingsError) as error:
        Settings.from_environment({variable: value})
    assert str(error.value) == message


@pytest.mark.parametrize(
    "value", ["s3://key:secret@bucket", "s3://key:sec/ret@bucket/a", "key:sec ret@bucket", "https://b?secret=secret"]
)
@pytest.mark.parametrize("variable", ["OLIST_LAKE", "OLIST_S3_ENCRYPTION"])
def test_an_error_does_not_repeat_a_password(variable, value):
    with pytest.raises(SettingsError, match=f"^{variable}=…: ") as error:
        Settings.from_environment({variable: value})
    assert "ret" not in str(error.value)
    assert "takes " in str(error.value) or "… has a character beyond letters" in str(error.value)


def test_deliveries_and_the_dagster_home_may_have_spaces_and_accents_in_their_path():
    settings = Settings.from_environment({"OLIST_SOURCE": "/Área/loja 1#%", "DAGSTER_HOME": "/Área/loja 1"})
    assert (settings.source, settings.dagster_home) == ("/Área/loja 1#%", Path("/Área/loja 1"))


@pytest.mark.parametrize("uri", ["s3://shop-lake", "s3://shop-lake/", "s3://shop.lake/a/b_c", "s3://shop.lake/a/b_c/"])
def test_lake_and_source_may_be_on_s3(uri):
    settings = Settings.from_environment({"OLIST_LAKE": uri, "OLIST_SOURCE": uri, "OLIST_S3_ENCRYPTION": "aws:kms:k"})
    assert (settings.lake, settings.source) == (uri.rstrip("/"), uri.rstrip("/"))
    assert settings.on_s3
    assert settings.encryption == "aws:kms:k"
    assert not Settings.from_environment({}).on_s3


def test_an_empty_variable_counts_as_unset():
    names = [field.validation_alias for field in Settings.model_fields.values()]
    assert Settings.from_environment(dict.fromkeys(names, "")) == Settings.from_environment({})


def test_a_default_is_checked_too(tmp_path, monkeypatch):
    (folder := tmp_path / "my lakes").mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(
        SettingsError, match=r"^OLIST_LAKE=\.olist/lake: .*my lakes/\.olist/lake has a character beyond"
    ):
        Settings.from_environment({})


def test_only_from_environment_reads_variables(monkeypatch):
    monkeypatch.setenv("OLIST_ENGINE", "spark")
    assert Settings.from_environment().engine == "spark"
    assert Settings().engine == "sail"
    assert Settings(lake="/data/lake", engine="emr").lake == "/data/lake"


class ClusterSettings(BaseModel):
    """Fields of all kinds."""

    name: str = Field("olist", description="name of the cluster")
    units: int = Field(4, description="vCPUs")
    price: float = Field(0.0057785, description="US dollars per hour")
    minutes: float = Field(30.0, description="minutes until the cluster ends")
    spot: bool = Field(default=False, description="use spot instances")
    types: list[str] = Field(["m6i.xlarge", "m5.xlarge"], description="instance types")
    role: str = Field("", description="ARN of a role")
    logs: str = Field("", validation_alias="LOGS", description="prefix of logs")


def test_settings_are_described_by_variable_default_and_meaning():
    assert describe_settings(ClusterSettings, "OLIST_EMR_") == [
        SettingRow("OLIST_EMR_NAME", "olist", "name of the cluster"),
        SettingRow("OLIST_EMR_UNITS", "4", "vCPUs"),
        SettingRow("OLIST_EMR_PRICE", "0.0057785", "US dollars per hour"),
        SettingRow("OLIST_EMR_MINUTES", "30", "minutes until the cluster ends"),
        SettingRow("OLIST_EMR_SPOT", "false", "use spot instances"),
        SettingRow("OLIST_EMR_TYPES", "m6i.xlarge,m5.xlarge", "instance types"),
        SettingRow("OLIST_EMR_ROLE", "none", "ARN of a role"),
        SettingRow("LOGS", "none", "prefix of logs"),
    ]
    assert all(row.meaning for row in describe_settings(Settings))
