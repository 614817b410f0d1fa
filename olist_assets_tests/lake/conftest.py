"""Fixtures for tests of the lake's objects: a delivered file, and the requests to the S3 server."""

import pytest
from obstore.store import MemoryStore
from werkzeug.serving import WSGIRequestHandler

from olist_assets.lake.files import DeliveredFile

_NAME = "olist_sellers_dataset.csv"


@pytest.fixture
def delivered() -> DeliveredFile:
    """A file with one seller."""
    store = MemoryStore()
    store.put(_NAME, b"seller_id\ns1\n")
    return DeliveredFile(store, _NAME, 13, store.head(_NAME)["last_modified"])


@pytest.fixture
def s3_requests(monkeypatch) -> list[str]:
    """The requests to the S3 server of moto, one line each."""
    lines: list[str] = []
    monkeypatch.setattr(WSGIRequestHandler, "log_request", lambda handler, *_: lines.append(handler.requestline))
    return lines
