"""The stack that tests look at, with and without what is optional."""

import pytest

from olist_assets_tests.deploy.stacks import KEY, USER, create


@pytest.fixture(scope="session")
def stack():
    """The stack with defaults."""
    return create()


@pytest.fixture(scope="session")
def with_all_options():
    """The stack with a KMS key, an archive that ends, and a user who may be the orchestrator."""
    return create(KeyArn=KEY, ArchiveExpiresAfterDays="400", OrchestratorPrincipal=USER)


@pytest.fixture(params=["stack", "with_all_options"])
def any_stack(request):
    """Each of them."""
    return request.getfixturevalue(request.param)
