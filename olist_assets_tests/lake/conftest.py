"""A delivered file for tests of the lake's objects."""

import pytest
from obstore.store import MemoryStore

from olist_assets.lake.files import DeliveredFile

_NAME = "olist_sellers_dataset.csv"


@pytest.fixture
def delivered() -> DeliveredFile:
    """A file with one seller."""
    store = MemoryStore()
    store.put(_NAME, b"seller_id\ns1\n")
    return DeliveredFile(store, _NAME, 13, store.head(_NAME)["last_modified"])
