"""Glue, its wire and a lake on S3 for tests of the catalog."""

import uuid

import boto3
import pytest

from olist_assets_tests.catalog.glue_wire import Wire, write_lake


@pytest.fixture(scope="module")
def shared_lakes():
    """The lake that the tests of a module share, once it has been written."""
    return []


@pytest.fixture
def lake(bucket, shared_lakes):
    """A lake on S3 with three tables, which tests do not change."""
    if not shared_lakes:
        shared_lakes.append(write_lake(bucket))
    return shared_lakes[0]


@pytest.fixture
def name():
    """A new lakehouse name, because tests share a Glue server."""
    return f"shop_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def wire(monkeypatch):
    """The requests to Glue of clients that are created from here on."""
    wire, session = Wire(), boto3.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    session.events.register("before-send.glue", wire)
    return wire


@pytest.fixture
def catalog():
    """A client of the same Glue, whose requests are not recorded."""
    return boto3.Session().client("glue")
