"""The language of the repository: names, comments, messages and pages are plain technical English."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("spark_steps", "olist_assets", "bench", "tools", "olist_assets_tests")
MODULES = tuple(f"{package}/**/*.py" for package in PACKAGES)
TEXTS = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md", "docs/**/*.sql"),
    *("Makefile", "pyproject.toml", "setup.cfg", ".ci/*", "tools/*.sh", "deploy/*.yaml"),
    *(f"olist_assets/**/*.{suffix}" for suffix in ("yaml", "j2", "css", "js")),
    *MODULES,
)

WORDS = {
    "anew": "again; write anew: rewrite",
    "dagit": "Dagster UI, UI",
    "hearken": "wait for, listen to",
    "held": "contained, current, kept",
    "mend": "fix, correct",
    "mended": "fixed, corrected",
    "mends": "fixes, corrects",
    "noughts": "zeros",
    "tells": "shows, contains, reports",
    "told": "reported, configured, given",
    "whoever": "the caller, the user",
}
PHRASES = {
    "as many as": "up to, the same number as",
    "lies in": "is in",
    "see to it": "ensure",
    "so that nobody": "name the purpose",
    "stand back": "give up",
    "than need be": "than necessary",
    "who is slow": "a slow writer",
}
SPELLING = {
    "colour": "color",
    "colours": "colors",
    "materialise": "materialize",
    "materialised": "materialized",
    "materialises": "materializes",
}
"""US spelling, as in the libraries; of names only."""

ALLOWED = "Dagster UI (Dagit)"
"""Once, in the README: people who know the old name search for it."""

_PHRASE = "|".join([*WORDS, *PHRASES]).replace(" ", r"\s+(?:[#*>]\s*)?")
_BANNED = re.compile(rf"\b(?:{_PHRASE})\b", re.IGNORECASE)
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def violations_in_text(text: str) -> Iterator[tuple[int, str]]:
    """Line and message of each banned word or phrase; a phrase may continue in the next line, or line of a comment."""
    for match in _BANNED.finditer(text):
        phrase = " ".join(re.findall(r"\w+", match[0].lower()))
        yield text.count("\n", 0, match.start()) + 1, f"{phrase}; better: {(WORDS | PHRASES)[phrase]}"


def defined_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of each name that a module defines: functions, classes, arguments, variables, attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr


def violations_in_names(source: str) -> Iterator[tuple[int, str]]:
    """Line and message of each name with a banned word or British spelling as a part of it."""
    banned = WORDS | SPELLING
    for line, name in defined_names(ast.parse(source)):
        for part in sorted({part.lower() for part in _PART.findall(name)} & banned.keys()):
            yield line, f"{part} in the name {name}; better: {banned[part]}"


def paths(patterns: tuple[str, ...]) -> list[Path]:
    """The files of the patterns, in order, without this one, which lists the banned words."""
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern)} - {Path(__file__)})


def test_texts_use_no_banned_words():
    found = []
    for path in paths(TEXTS):
        text = path.read_text()
        if path.name == "README.md":
            text = text.replace(ALLOWED, "Dagster UI", 1)
        found += [f"{path.relative_to(ROOT)}:{line}: {message}" for line, message in violations_in_text(text)]
    assert not found, "\n".join(["", *found])


def test_names_use_no_banned_words():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {message}"
        for path in paths(MODULES)
        for line, message in violations_in_names(path.read_text())
    ]
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize(
    ("text", "lines"),
    [("It is\ntold.", [2]), ("# as\n# many as ten", [1]), ("Whoever asks", [1]), ("retold, upheld, amends", [])],
)
def test_whole_words_are_found_in_any_case_and_across_lines(text, lines):
    assert [line for line, _ in violations_in_text(text)] == lines


@pytest.mark.parametrize(
    "source",
    [
        "def all_told(): ...",
        "class HeldRows: ...",
        "lambda rows_held: 0",
        "told = 1",
        "x.told = 1",
        "colour_by_day = 1",
    ],
)
def test_parts_of_names_are_found(source):
    assert len(list(violations_in_names(source))) == 1
