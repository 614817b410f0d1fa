"""The package of a cluster: found as it was built, missed in one line, uploaded once."""

import os

import pytest
from obstore.store import MemoryStore

from olist_assets.engines.code_version import steps_digest
from olist_assets.engines.remote.package import Package
from olist_assets.errors import OlistError


@pytest.fixture
def folder(tmp_path):
    """A folder with a package of today's step code."""
    (tmp_path / f"steps-{steps_digest()}.zip").write_bytes(b"steps")
    (tmp_path / "environment-aaaaaaaaaaaa.tar.gz").write_bytes(b"environment")
    return tmp_path


def objects(store) -> list[str]:
    return sorted(meta["path"] for page in store.list() for meta in page)


def test_the_newest_environment_is_the_packages(folder):
    newest = folder / "environment-000000000000.tar.gz"
    newest.write_bytes(b"newer")
    os.utime(folder / "environment-aaaaaaaaaaaa.tar.gz", (1, 1))
    package = Package.of(folder)
    assert (package.steps.name, package.environment) == (f"steps-{steps_digest()}.zip", newest)
    assert package.main.read_text().startswith('"""Run one step from the command line')


def test_a_package_that_was_not_built_is_missed_in_one_line(tmp_path):
    with pytest.raises(OlistError) as caught:
        Package.of(tmp_path / "nowhere")
    assert str(caught.value) == (
        f"the package for EMR in {tmp_path}/nowhere has not been built: run `make package`, or set OLIST_EMR_PACKAGE"
    )


def test_a_package_of_other_step_code_is_not_taken(folder):
    (folder / f"steps-{steps_digest()}.zip").rename(folder / "steps-000000000000.zip")
    with pytest.raises(OlistError, match="was built of other step code: run `make package`"):
        Package.of(folder)


def test_what_a_lake_holds_is_not_uploaded_again(folder):
    store, said = MemoryStore(), []
    package = Package.of(folder)
    uploaded = package.upload(store, said.append)
    assert objects(store) == sorted([uploaded.steps, uploaded.environment, uploaded.main])
    assert bytes(store.get(uploaded.environment).bytes()) == b"environment"
    assert len(said) == 3
    assert package.upload(store, said.append) == uploaded
    assert len(said) == 3
    (folder / "environment-bbbbbbbbbbbb.tar.gz").write_bytes(b"other")
    os.utime(folder / "environment-aaaaaaaaaaaa.tar.gz", (1, 1))
    other = Package.of(folder).upload(store, said.append)
    assert said[3:] == ["uploading environment-bbbbbbbbbbbb.tar.gz (0.0 MB)"]
    assert (other.steps, other.main) == (uploaded.steps, uploaded.main)


def test_who_uploads_at_the_same_time_as_another_goes_on(folder):
    store = MemoryStore()
    package = Package.of(folder)
    uploaded = package.upload(store)
    other = MemoryStore()

    class Late:
        """A store that shows nothing of what another has just put."""

        list = staticmethod(lambda _: other.list())
        put = staticmethod(store.put)

    assert package.upload(Late()) == uploaded
    assert len(objects(store)) == 3
