"""Files are found whatever characters their names have, in a folder and on S3."""

import pytest

from spark_steps import filesystems


@pytest.mark.parametrize("name", ["a b.csv", "a%20b.csv", "é.csv", "a#b.csv", "a?b=c.csv", "a+b&c.csv", "plain.csv"])
def test_an_object_of_any_name_is_read(root, store, name):
    store.put(f"landzone/{name}", b"xyz")
    filesystem, path = filesystems.resolve(f"{root}/landzone/{name}")
    with filesystem.open_input_stream(path) as stream:
        assert stream.read() == b"xyz"
