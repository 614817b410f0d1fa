"""What the tests of commands share: a shell on an empty folder, and one on a loaded lake."""

import pytest

from olist_assets_tests.cli.shell import Shell


@pytest.fixture
def olist(tmp_path):
    """A shell without a lake and without deliveries."""
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def loaded(tmp_path_factory):
    """A shell on a lake that was loaded with a generated dump of 400 orders, delivered on 2016-11-20. Read only."""
    shell = Shell(tmp_path_factory.mktemp("loaded"))
    shell("generate", "--orders", "400", "--days", "60", "--seed", "5", f"{shell.root}/dump")
    shell("deliver", f"{shell.root}/dump", "--day", "2016-11-20")
    (shell.root / "run.txt").write_text(shell("run"))
    return shell
