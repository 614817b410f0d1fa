"""constraints.txt: every package has a version and the digests of its files, and no registry is named."""

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
REQUIREMENT = re.compile(r"([a-z0-9-]+)(?:\[[a-z,]+\])?==\S+(?: ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")


def pinned():
    """The names of the packages in constraints.txt, which has nothing else: no options, no addresses."""
    text = (REPOSITORY / "constraints.txt").read_text()
    requirements = list(REQUIREMENT.finditer(text))
    assert "".join(requirement[0] for requirement in requirements) == text
    return {requirement[1] for requirement in requirements}


def test_every_package_has_digests_and_none_an_address():
    assert {"setuptools", "uv"} <= pinned()  # they install the others


def test_every_dependency_is_pinned():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    dependencies = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert {re.match(r"[a-z0-9-]+", dependency)[0] for dependency in dependencies} <= pinned()
