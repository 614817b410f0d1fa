"""Where a path or URI leads: a local disk, or any storage that Arrow knows."""

from contextlib import suppress

import pyarrow.fs


def resolve(uri: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system of a path or URI, and the path within it. The key of an object on S3 may have any characters."""
    scheme, mark, place = uri.partition("://")
    if not mark:
        return pyarrow.fs.LocalFileSystem(), uri
    if scheme.startswith("s3"):
        bucket, slash, key = place.partition("/")
        filesystem, name = pyarrow.fs.FileSystem.from_uri(f"{scheme}://{bucket}")  # it would decode the key
        return filesystem, f"{name}{slash}{key}"
    return pyarrow.fs.FileSystem.from_uri(uri)


def remove_folder(uri: str) -> None:
    """Remove a folder with all that is in it, if it exists."""
    filesystem, path = resolve(uri)
    with suppress(FileNotFoundError):
        filesystem.delete_dir(path)
