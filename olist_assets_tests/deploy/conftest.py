"""The stack under test, with defaults and with all options."""

import pytest

from olist_assets_tests.deploy.stacks import KEY, USER, create


@pytest.fixture(scope="session")
def stack():
    """The stack with defaults."""
    return create()


@pytest.fixture(scope="session")
def with_all_options():
    """The stack with a KMS key, an archive that ends, and a user who may assume the orchestrator's role."""
    return create(KeyArn=KEY, ArchiveExpiresAfterDays="400", OrchestratorPrincipal=USER)


@pytest.fixture(params=["stack", "with_all_options"])
def any_stack(request):
    """The stack with defaults, and with all options."""
    return request.getfixturevalue(request.param)
