"""Object storage, local or S3, behind one API: obstore's."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from olist_assets.aws.environment import S3, redact, summarize_error
from olist_assets.errors import OlistError

if TYPE_CHECKING:
    from obstore.store import RetryConfig

_PATIENCE: "RetryConfig" = {"max_retries": 8, "retry_timeout": timedelta(seconds=60)}
"""For S3's errors 5xx, slow-downs and broken connections; the library waits longer each time."""

_CHUNK_BYTES = 4 << 20


def open_store(root: str, *, create: bool) -> ObjectStore:
    """The store whose objects' paths are relative to `root`, an absolute path or an s3:// URI.

    Raises:
        OlistError: `root` is a folder that is not there and shall not be created, or not a folder; or a bucket that
            cannot be listed.
    """
    if root.startswith(S3):
        return _bucket(root)
    if Path(root).exists() and not Path(root).is_dir():
        raise OlistError(f"{root} is a file; a folder is needed")
    if not create and not Path(root).is_dir():
        raise OlistError(f"the folder {root} does not exist")
    return LocalStore(prefix=root, mkdir=create, automatic_cleanup=True)


def require_lake(root: str) -> None:
    """Make sure that there is a lake to be read under `root`; a bucket is looked at when it is opened.

    Raises:
        OlistError: `root` is a folder that is not there.
    """
    if not root.startswith(S3) and not Path(root).is_dir():
        raise OlistError(f"there is no lake at {root} yet; run `olist deliver` and `olist run`")


def read_chunks(store: ObjectStore, path: str) -> Iterator[bytes]:
    """An object's content, piece by piece."""
    for chunk in store.get(path).stream(min_chunk_size=_CHUNK_BYTES):
        yield bytes(chunk)


def has_content(store: ObjectStore, path: str, file: Path) -> bool:
    """Whether an object has the content of a file."""
    if store.head(path)["size"] != file.stat().st_size:
        return False
    with file.open("rb") as content:
        return all(content.read(len(chunk)) == chunk for chunk in read_chunks(store, path))


def _bucket(root: str) -> S3Store:
    provider = None
    if not os.environ.get("AWS_ACCESS_KEY_ID"):  # a profile or a role; boto3 knows all kinds
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415 - costs 0.3 s

        try:
            provider = Boto3CredentialProvider()
        except ValueError as error:
            raise OlistError(f"{error}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from error
    store = S3Store.from_url(root, retry_config=_PATIENCE, credential_provider=provider)
    try:
        store.list_with_delimiter("control")
    except BaseError as error:
        cure = "see the bucket's name, AWS_PROFILE and the AWS variables"
        raise OlistError(f"cannot list {redact(root)}: {summarize_error(error)}; {cure}") from error
    return store
