"""DuckDB's extensions. They are installed as packages of another publisher, and loaded only if DuckDB signed them.

DuckDB takes 0.3 s of CPU to check the signature of `delta`; comparing a digest takes less than 0.1 s. Therefore
`python -m olist_assets.serving.duckdb_extensions`, which `make setup` calls, checks the signatures and stores the
digests of these files in the Python environment. A file with another digest, or without a stored one, is checked by its
signature when it is loaded.
"""

import hashlib
import sys
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import duckdb

from olist_assets.aws.redaction import summarize_error
from olist_assets.errors import OlistError

_NAMES = ("delta", "httpfs", "aws")
_SIGNED_BY_DUCKDB: dict[str, str | bool | int | float | list[str]] = {
    "allow_unsigned_extensions": False,
    "allow_community_extensions": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def load(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension into a connection that allows unsigned ones.

    Raises:
        OlistError: its file is missing, or is not one that DuckDB signed for this version.
    """
    connection.load_extension(str(_verified_path(name)))


def store_digests() -> None:
    """Check the signatures of all extensions, and store the digests of their files.

    Raises:
        OlistError: as for `load`.
    """
    for name in _NAMES:
        _check_signature(name)
    _digests_file().write_text("".join(f"{_digest(_path(name))}  {_path(name).name}\n" for name in _NAMES))


@cache
def _verified_path(name: str) -> Path:
    """The file of an extension, which is checked once per process."""
    path = _path(name)
    if f"{_digest(path)}  {path.name}" not in _stored_digests():
        _check_signature(name)
    return path


def _check_signature(name: str) -> None:
    """Let DuckDB check the signature, by loading the extension into a connection of its own."""
    try:
        with duckdb.connect(config=_SIGNED_BY_DUCKDB) as connection:
            connection.load_extension(str(_path(name)))
    except duckdb.Error as error:
        reason = (
            "is not signed by DuckDB" if "signature" in str(error) else f"cannot be loaded: {summarize_error(error)}"
        )
        raise _unusable(name, reason) from error


def _path(name: str) -> Path:
    """The file of an extension in its package."""
    package = f"duckdb_extension_{name}"
    return Path(str(files(package))) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unusable(path.name.partition(".")[0], f"cannot be read: {error.strerror}") from error


def _digests_file() -> Path:
    return Path(sys.prefix) / "duckdb_extensions.sha256"


def _stored_digests() -> list[str]:
    """The lines of the digests file, in the format of sha256sum; none if it is missing or unreadable."""
    try:
        return _digests_file().read_text().splitlines()
    except (OSError, ValueError):
        return []


def _unusable(name: str, reason: str) -> OlistError:
    package = f"duckdb-extension-{name}"
    cure = f"pip install --force-reinstall --no-deps --no-cache-dir {package}=={version(package)}"
    return OlistError(f"DuckDB's extension {name} {reason}: reinstall it ({cure})")


def main() -> None:
    """Store the digests, or exit with one line."""
    try:
        store_digests()
    except OlistError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
