"""Lakes and sessions for tests of SQL."""

import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets.serving.sql.session import connect
from olist_assets_tests.lakes import TestLake
from olist_assets_tests.serving.sql.payment_lakes import write_three_payments


@pytest.fixture
def payments(sail_lake):
    """The root of a lake with three payments in two months."""
    return write_three_payments(sail_lake)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """The root of such a lake that tests only read."""
    return write_three_payments(TestLake(tmp_path_factory.mktemp("unchanged") / "lake", SailEngine()))


@pytest.fixture
def session(unchanged):
    """A session over that lake."""
    with connect(unchanged) as session:
        yield session
