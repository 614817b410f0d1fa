"""Object storage, local or S3, behind one API: obstore's."""

from pathlib import Path

from obstore.store import LocalStore, ObjectStore, from_url

from olist_assets.errors import OlistError


def open_store(root: str, *, create: bool) -> ObjectStore:
    """The store whose objects' paths are relative to `root`, an absolute path or an s3:// URI.

    Raises:
        OlistError: `root` is a folder that is not there and shall not be created, or not a folder.
    """
    if root.startswith("s3://"):
        return from_url(root)
    if Path(root).exists() and not Path(root).is_dir():
        raise OlistError(f"{root} is a file; a folder is needed")
    if not create and not Path(root).is_dir():
        raise OlistError(f"the folder {root} does not exist")
    return LocalStore(prefix=root, mkdir=create, automatic_cleanup=True)
