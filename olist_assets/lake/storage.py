"""Object storage: a folder or a bucket on S3, both through obstore."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from olist_assets.aws.environment import is_s3
from olist_assets.aws.redaction import redact, summarize_error
from olist_assets.errors import LakeNotFoundError
from olist_assets.lake.folders import modification_time

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import RetryConfig

_RETRY: "RetryConfig" = {"max_retries": 8, "retry_timeout": timedelta(seconds=60)}
"""For server errors, throttling and lost connections of S3, with growing pauses."""

CONCURRENT_READS = 16
"""How many objects are read at the same time. On S3 most of the time is spent waiting."""

_CHUNK_BYTES = 4 << 20
_UNFINISHED = re.compile(r"#\d+$")
"""obstore's files for objects that are being written."""


def open_store(root: str, *, create: bool) -> ObjectStore:
    """The store whose objects' paths are relative to `root`, an absolute path or an s3:// URI.

    Args:
        root: the folder or the bucket with a prefix.
        create: create the folder if it does not exist. Buckets are never created.

    Raises:
        LakeNotFoundError: `root` is a file, a folder that does not exist, or a bucket that cannot be listed.
    """
    if is_s3(root):
        return _open_bucket(root)
    if Path(root).exists() and not Path(root).is_dir():
        raise LakeNotFoundError(f"{root} is a file; a folder is needed")
    if not create and not Path(root).is_dir():
        raise LakeNotFoundError(f"the folder {root} does not exist")
    return LocalStore(prefix=root, mkdir=create, automatic_cleanup=True)


def require_lake(root: str) -> None:
    """Check that a lake exists under `root`. A bucket is checked when it is opened.

    Raises:
        LakeNotFoundError: `root` is a folder that does not exist.
    """
    if not is_s3(root) and not Path(root).is_dir():
        raise LakeNotFoundError(f"there is no lake at {root} yet; run `olist deliver` and `olist run`")


def list_objects(store: ObjectStore, prefix: str, first: str = "") -> "list[ObjectMeta]":
    """All objects below a prefix. In a folder, entries that cannot be objects are left out: obstore would list nothing.

    Args:
        store: the objects.
        prefix: the prefix.
        first: in a folder on a disk, files whose names are less are left out, which saves the look-up of their sizes.

    Raises:
        OSError: a folder cannot be read.
        BaseError: the bucket cannot be listed.
    """
    if isinstance(store, LocalStore):
        return list(_walk(str(store.prefix), prefix, first))
    return [meta for page in store.list(prefix) for meta in page]


def list_folders(store: ObjectStore, prefix: str) -> list[str]:
    """The paths of the folders that are directly below a prefix.

    Raises:
        OSError: the folder cannot be read.
        BaseError: the bucket cannot be listed.
    """
    if not isinstance(store, LocalStore):
        return list(store.list_with_delimiter(prefix)["common_prefixes"])
    folder = Path(str(store.prefix), prefix)
    return [f"{prefix}/{path.name}" for path in folder.iterdir() if path.is_dir()] if folder.exists() else []


def read_object(store: ObjectStore, path: str) -> bytes:
    """An object's content.

    Raises:
        FileNotFoundError: there is no such object.
    """
    return bytes(store.get(path).bytes())


def read_chunks(store: ObjectStore, path: str) -> Iterator[bytes]:
    """An object's content in chunks of about 4 MiB."""
    for chunk in store.get(path).stream(min_chunk_size=_CHUNK_BYTES):
        yield bytes(chunk)


def remove_objects(store: ObjectStore, paths: Iterable[str]) -> None:
    """Remove objects; those that another process has removed already do not matter."""
    paths = list(paths)
    try:
        if paths:
            store.delete(paths)
    except FileNotFoundError:  # on a disk, where it leaves the others
        for path in paths:
            with suppress(FileNotFoundError):
                store.delete(path)


def has_content(store: ObjectStore, path: str, content: IO[bytes]) -> bool:
    """Whether an object has the same content as a stream, which is read up to the first difference."""
    same = all(content.read(len(chunk)) == chunk for chunk in read_chunks(store, path))
    return same and not content.read(1)


def _walk(root: str, prefix: str, first: str) -> "Iterator[ObjectMeta]":
    """The files below a prefix whose names obstore accepts. Links are followed unless they form a loop."""
    for folder, folders, names in os.walk(f"{root}/{prefix}", onerror=_raise_unless_missing, followlinks=True):
        folders[:] = [name for name in folders if not _is_loop(f"{folder}/{name}", folder)]
        for name in names:
            if (
                name >= first
                and name.isprintable()
                and not _UNFINISHED.search(name)
                and (file := Path(folder, name)).is_file()
            ):
                with suppress(FileNotFoundError):  # removed since it was listed
                    yield _object_meta(file, file.as_posix().removeprefix(f"{root}/"))


def _is_loop(path: str, folder: str) -> bool:
    """Whether a path in a folder is a link to the folder or to one above it."""
    return os.path.islink(path) and f"{os.path.realpath(folder)}/".startswith(f"{os.path.realpath(path)}/")  # noqa: PTH114


def _object_meta(file: Path, path: str) -> "ObjectMeta":
    status = file.stat()
    return {
        "path": path,
        "last_modified": modification_time(status),
        "size": status.st_size,
        "e_tag": None,
        "version": None,
    }


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _open_bucket(root: str) -> S3Store:
    provider = None
    if not os.environ.get("AWS_ACCESS_KEY_ID"):  # a profile or a role: boto3 supports all kinds
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415 - costs 0.3 s

        try:
            provider = Boto3CredentialProvider()
        except ValueError as error:
            message = f"{error}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            raise LakeNotFoundError(message) from error
    store = S3Store.from_url(root, retry_config=_RETRY, credential_provider=provider)
    try:
        store.list_with_delimiter("control")
    except BaseError as error:
        hint = "check the bucket's name, AWS_PROFILE and the AWS variables"
        raise LakeNotFoundError(f"cannot list {redact(root)}: {summarize_error(error)}; {hint}") from error
    return store
