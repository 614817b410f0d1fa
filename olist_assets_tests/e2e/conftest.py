"""What the end-to-end tests share."""

import pytest

from olist_assets.engines.spark import SparkEngine


@pytest.fixture(scope="module")
def spark_engine():
    """Local Spark as people run it, one session for all runs."""
    engine = SparkEngine()
    session = engine.session(print)
    yield engine
    session.stop()
