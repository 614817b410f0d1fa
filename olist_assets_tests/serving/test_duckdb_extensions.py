"""DuckDB's extensions: loaded only if DuckDB signed the file, which is checked by a stored digest or by DuckDB."""

import duckdb
import pytest

from olist_assets.errors import OlistError
from olist_assets.serving import duckdb_extensions as extensions

NAME = "httpfs"  # the smallest
CURE = f"reinstall it (pip install --force-reinstall --no-deps --no-cache-dir duckdb-extension-{NAME}=="


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The file of an installed extension, which a test may change, in an environment without stored digests."""
    file = tmp_path / f"{NAME}.duckdb_extension"
    file.write_bytes(extensions._path(NAME).read_bytes())  # noqa: SLF001 - the real file
    monkeypatch.setattr(extensions, "_path", lambda _: file)
    monkeypatch.setattr(extensions, "_NAMES", (NAME,))
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    extensions._verified_path.cache_clear()  # noqa: SLF001 - it lasts for a process
    yield file
    extensions._verified_path.cache_clear()  # noqa: SLF001


def load():
    with duckdb.connect(config={"allow_unsigned_extensions": True}) as connection:
        extensions.load(connection, NAME)
        return connection.sql(f"SELECT loaded FROM duckdb_extensions() WHERE extension_name = '{NAME}'").fetchall()


def change_a_byte(file, position):
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.unlink()  # this process may execute the code of the file, so it must not change in place
    file.write_bytes(content)


def forbid(*_):
    raise AssertionError


@pytest.mark.parametrize("stored", [False, True], ids=["without stored digests", "with stored digests"])
@pytest.mark.parametrize("position", [-10, 10_000_000], ids=["in the signature", "in the code"])
def test_a_changed_extension_is_refused_with_the_cure(installed, stored, position):
    if stored:
        extensions.store_digests()
    change_a_byte(installed, position)
    with pytest.raises(OlistError) as error:
        load()
    assert str(error.value).startswith(f"DuckDB's extension {NAME} is not signed by DuckDB: {CURE}{duckdb.__version__}")


def test_a_stored_digest_spares_the_check_of_the_signature(installed, monkeypatch):
    extensions.store_digests()
    assert installed.with_name("duckdb_extensions.sha256").read_text().endswith(f"  {installed.name}\n")
    monkeypatch.setattr(extensions, "_check_signature", forbid)
    assert load() == [(True,)]


@pytest.mark.parametrize("digests", ["", "0" * 64 + f"  {NAME}.duckdb_extension\n", "\xff"])
def test_a_signed_extension_without_its_digest_is_loaded(installed, digests):
    installed.with_name("duckdb_extensions.sha256").write_text(digests, encoding="latin-1")
    assert load() == [(True,)]


def test_digests_of_a_changed_extension_are_not_stored(installed):
    change_a_byte(installed, 10_000_000)
    with pytest.raises(OlistError, match="is not signed by DuckDB"):
        extensions.store_digests()
    assert not installed.with_name("duckdb_extensions.sha256").exists()


@pytest.mark.usefixtures("installed")
def test_an_extension_is_checked_once_per_process(monkeypatch):
    assert load() == [(True,)]
    monkeypatch.setattr(extensions, "_digest", forbid)
    assert load() == [(True,)]


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "cannot be read: No such file or directory"), (b"no code", "cannot be loaded: ")]
)
def test_a_lost_or_truncated_extension_is_named_in_one_line(installed, content, reason):
    installed.unlink()
    if content:
        installed.write_bytes(content)
    with pytest.raises(OlistError) as error:
        load()
    assert str(error.value).startswith(f"DuckDB's extension {NAME} {reason}")
    assert CURE in str(error.value)
    assert "\n" not in str(error.value)
