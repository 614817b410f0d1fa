"""Numbered objects: storage lets one writer create a number, and slow writers notice that it was used before."""

import pytest

from olist_assets.lake.numbered_objects import NumberedObjects
from olist_assets.lake.storage import list_objects


@pytest.fixture
def objects(store):
    """An empty folder of numbered objects, on a disk and on S3."""
    return NumberedObjects(store, "control/leases/raw.orders")


def names(objects):
    return sorted(meta["path"].rpartition("/")[2] for meta in list_objects(objects.store, objects.folder))


def test_the_newest_object_is_the_one_with_the_greatest_number(objects):
    assert objects.newest() == (0, None)
    for number in (1, 2, 10):
        assert objects.create(number, f"{number}".encode()) == f"{number}".encode()
    assert objects.newest() == (10, b"10")


def test_the_second_writer_of_a_number_gets_the_content_of_the_first(objects):
    assert objects.create(1, b"first") == b"first"
    assert objects.create(1, b"second") == b"first"
    assert objects.newest() == (1, b"first")


def test_a_writer_that_repeats_its_request_has_created_the_object(objects):
    assert [objects.create(1, b"first") for _ in range(2)] == [b"first", b"first"]


def test_objects_before_the_last_two_are_removed(objects):
    for number in range(1, 6):
        objects.create(number, b"")
    assert names(objects) == ["00000004.json", "00000005.json"]


def test_a_number_that_was_used_and_removed_cannot_be_created_again(objects):
    for number in range(1, 6):
        objects.create(number, b"")
    assert objects.create(2, b"slow") is None
    assert names(objects) == ["00000004.json", "00000005.json"]
