"""The testing guide names the modules with tests on Spark in `make test`, so that none loses its mark unnoticed."""

import re
from pathlib import Path

TESTS = Path(__file__).parent


def test_the_testing_guide_lists_the_modules_with_tests_on_spark():
    rows = re.findall(r"^\| (`test_.+?) \|", (TESTS.parent / "docs" / "testing.md").read_text(), re.MULTILINE)
    listed = {module for row in rows for module in re.findall(r"`(test_\w+)`", row)}
    marked = {path.stem for path in TESTS.rglob("test_*.py") if "\n@pytest.mark.spark\n" in path.read_text()}
    assert marked == listed
