"""The pages of the repository: their links lead somewhere, and the code in them can be imported."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINE_LENGTH = 120
GENERATED = ROOT / "docs" / "tables.md"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def page_name(page):
    return str(page.relative_to(ROOT))


pages = pytest.mark.parametrize("page", PAGES, ids=page_name)


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", _BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code_blocks(page, language):
    return [code for block_language, code in _BLOCK.findall(page.read_text()) if block_language == language]


@pages
def test_links_lead_to_files_and_headings(page):
    links = re.findall(r"\]\(([^)\s]+)\)", _BLOCK.sub("", page.read_text()))
    dead = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pages
def test_imports_in_python_blocks_resolve(page):
    for code in code_blocks(page, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                assert (node.module, missing) == (node.module, [])


@pages
def test_modules_named_in_pages_exist(page):
    paths = re.findall(
        r"`((?:spark_steps|olist_assets|olist_assets_tests|bench|tools|deploy)/[\w/.]+)`", page.read_text()
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page != GENERATED], ids=page_name)
def test_lines_are_at_most_120_characters(page):
    lines = [line for line in page.read_text().splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > LINE_LENGTH] == []


def test_pictures_of_the_readme_are_small():
    pictures = re.findall(r"!\[.+?\]\((.+?\.png)\)", (ROOT / "README.md").read_text())
    assert len(pictures) == 2
    assert [name for name in pictures if (ROOT / name).stat().st_size > 150_000] == []
