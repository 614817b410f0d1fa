"""The package for a cluster: found where it was built, reported in one line if it is missing, uploaded once."""

import os

import pytest
from obstore.store import MemoryStore

from olist_assets.engines.code_version import steps_digest
from olist_assets.engines.remote.package import Package
from olist_assets.errors import EngineError


@pytest.fixture
def folder(tmp_path):
    """A folder with a package of the current step code."""
    (tmp_path / f"steps-{steps_digest()}.zip").write_bytes(b"steps")
    (tmp_path / "environment-aaaaaaaaaaaa.tar.gz").write_bytes(b"environment")
    return tmp_path


def objects(store) -> list[str]:
    return sorted(meta["path"] for page in store.list() for meta in page)


def test_the_package_has_the_newest_environment(folder):
    newest = folder / "environment-000000000000.tar.gz"
    newest.write_bytes(b"newer")
    os.utime(folder / "environment-aaaaaaaaaaaa.tar.gz", (1, 1))
    package = Package.find(folder)
    assert (package.steps.name, package.environment) == (f"steps-{steps_digest()}.zip", newest)
    assert package.main.read_text().startswith('"""The worker of a run from the command line')


def test_a_missing_package_is_a_one_line_error(tmp_path):
    with pytest.raises(EngineError) as caught:
        Package.find(tmp_path / "nowhere")
    assert str(caught.value) == (
        f"the package for EMR in {tmp_path}/nowhere has not been built: run `make package`, or set OLIST_EMR_PACKAGE"
    )


def test_a_package_of_other_step_code_is_rejected(folder):
    (folder / f"steps-{steps_digest()}.zip").rename(folder / "steps-000000000000.zip")
    with pytest.raises(EngineError, match="was built from other step code: run `make package`"):
        Package.find(folder)


def test_existing_files_are_not_uploaded_again(folder):
    store, lines = MemoryStore(), []
    package = Package.find(folder)
    uploaded = package.upload(store, lines.append)
    assert objects(store) == sorted([uploaded.steps, uploaded.environment, uploaded.main])
    assert bytes(store.get(uploaded.environment).bytes()) == b"environment"
    assert len(lines) == 3
    assert package.upload(store, lines.append) == uploaded
    assert len(lines) == 3
    (folder / "environment-bbbbbbbbbbbb.tar.gz").write_bytes(b"other")
    os.utime(folder / "environment-aaaaaaaaaaaa.tar.gz", (1, 1))
    other = Package.find(folder).upload(store, lines.append)
    assert lines[3:] == ["uploading environment-bbbbbbbbbbbb.tar.gz (0.0 MB)"]
    assert (other.steps, other.main) == (uploaded.steps, uploaded.main)


def test_concurrent_uploads_do_not_fail(folder):
    store = MemoryStore()
    package = Package.find(folder)
    uploaded = package.upload(store)
    other = MemoryStore()

    class StaleListing:
        """A store that does not list the objects that another process has just created."""

        list = staticmethod(lambda _: other.list())
        put = staticmethod(store.put)

    assert package.upload(StaleListing()) == uploaded
    assert len(objects(store)) == 3
