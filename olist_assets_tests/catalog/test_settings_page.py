"""The settings tables in the documentation are generated from the models, and up to date."""

import pytest
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from olist_assets.catalog.settings_page import (
    END,
    PAGES,
    START,
    SettingRow,
    render,
    replace_table,
    setting_rows,
    settings_table,
)


class ClusterSettings(BaseSettings):
    """Fields of all kinds."""

    model_config = SettingsConfigDict(env_prefix="OLIST_CLUSTER_")
    name: str = Field("olist", description="name of the cluster")
    units: int = Field(4, description="vCPUs")
    price: float = Field(0.0057785, description="US dollars per hour")
    spot: bool = Field(default=False, description="use spot instances")
    types: list[str] = Field(["m6i.xlarge", "m5.xlarge"], description="instance types")
    tags: dict[str, str] = Field({"team": "data"}, description="tags")
    role: str = Field("", description="ARN of a role")
    logs: str | None = Field(None, validation_alias=AliasChoices("OLIST_A_LOGS", "OLIST_LOGS"), description="prefix")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_committed_table_is_up_to_date(path):
    assert path.read_text(encoding="utf-8") == render(path), f"{path.name} has outdated settings: run `make docs`"


def test_rows_have_variable_default_and_description():
    assert setting_rows(ClusterSettings) == [
        SettingRow("OLIST_CLUSTER_NAME", "olist", "name of the cluster"),
        SettingRow("OLIST_CLUSTER_UNITS", "4", "vCPUs"),
        SettingRow("OLIST_CLUSTER_PRICE", "0.0057785", "US dollars per hour"),
        SettingRow("OLIST_CLUSTER_SPOT", "false", "use spot instances"),
        SettingRow("OLIST_CLUSTER_TYPES", "m6i.xlarge,m5.xlarge", "instance types"),
        SettingRow("OLIST_CLUSTER_TAGS", "team=data", "tags"),
        SettingRow("OLIST_CLUSTER_ROLE", "none", "ARN of a role"),
        SettingRow("OLIST_A_LOGS", "none", "prefix"),
    ]


def test_the_text_between_the_markers_is_replaced():
    table = settings_table([SettingRow("OLIST_LAKE", "lake", r"root \1"), SettingRow("OLIST_GLUE", "none", "prefix")])
    assert replace_table(f"before\n\n{START}\n\nold\n{END}\n\nafter\n", table) == (
        f"before\n\n{START}\n"
        "| variable | default | meaning |\n"
        "|---|---|---|\n"
        "| `OLIST_LAKE` | `lake` | root \\1 |\n"
        "| `OLIST_GLUE` | none | prefix |\n"
        f"{END}\n\nafter\n"
    )


@pytest.mark.parametrize("page", ["no markers", START, f"{START}\n{END}\n{END}"])
def test_a_page_without_markers_is_refused(page):
    with pytest.raises(ValueError, match="once each"):
        replace_table(page, "")
