"""The settings tables in the documentation are generated from the models, and up to date."""

import pytest

from olist_assets.catalog.settings_page import END, PAGES, START, render, replace_table, settings_table
from olist_assets.settings.description import SettingRow


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_committed_table_is_up_to_date(path):
    assert path.read_text(encoding="utf-8") == render(path), f"{path.name} has outdated settings: run `make docs`"


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
