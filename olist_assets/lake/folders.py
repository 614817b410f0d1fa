"""List folders entry by entry, so that one unreadable entry does not hide the others.

obstore refuses to list a folder at all if one name in it is not valid, or one link leads nowhere. Such names come with
deliveries. Therefore this module lists folders of a disk with `os.scandir`, and buckets with boto3.
"""

import errno
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from stat import S_ISDIR, S_ISREG
from typing import Any

from olist_assets.aws.environment import S3, is_s3

_LEAVING_LINK = "a link that leads out of the folder"
_FAULTS_OF_AN_ENTRY = (errno.ELOOP, errno.ENOENT, errno.EACCES, errno.EPERM)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_TO_MAX = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


class FolderUnreadableError(Exception):
    """A folder cannot be listed until a user changes it; the message is the reason in a few words."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a folder.

    Attributes:
        name: its name, with marks in place of characters that cannot be printed.
        fault: why it cannot be used, such as `a link that leads nowhere`; None if it can.
        is_folder: whether it is a folder, otherwise a file.
        size: the size of a file in bytes.
        modified: when a file was last modified (UTC).
    """

    name: str
    fault: str | None = None
    is_folder: bool = False
    size: int = 0
    modified: datetime = _EPOCH


def folder_lister(root: str, *, whole: bool) -> Callable[[str], list[Entry]]:
    """A function that lists the folder of a path below `root`.

    It raises FolderUnreadableError if a user has to change the folder, and OSError if there is no such folder or if
    storage failed. An entry that a user has to change is listed with its fault.

    Args:
        root: an absolute path or an s3:// URI.
        whole: all folders will be listed. A bucket is then read at once, with a request per 1,000 objects; otherwise
            with a request per folder.
    """
    if not is_s3(root):
        real_root = cache(lambda: os.path.realpath(root))
        return lambda path: _list_folder(root, real_root(), path)
    if whole:
        folders = cache(lambda: _group(root, _list_keys(root, "")))
        return lambda path: list(folders()[path].values())
    return lambda path: list(_group(root, _list_keys(root, path, delimiter="/"))[path].values())


def printable(name: str) -> str:
    r"""A name with escapes such as `\n` and `\xff` in place of characters that cannot be printed."""
    if name.isprintable():
        return name
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _list_folder(root: str, real_root: str, path: str) -> list[Entry]:
    folder = f"{root}/{path}" if path else root
    if not _is_within(folder, real_root):
        raise FolderUnreadableError(_LEAVING_LINK)
    try:
        with os.scandir(folder) as entries:
            return [_inspect(entry, real_root) for entry in entries]
    except (PermissionError, NotADirectoryError) as error:
        raise FolderUnreadableError(describe_os_error(error)) from error


def _is_within(path: str, real_root: str) -> bool:
    """Whether a path leads to a place below a folder, links followed."""
    return os.path.commonpath([real_root, os.path.realpath(path, strict=True)]) == real_root


def _inspect(entry: os.DirEntry[str], real_root: str) -> Entry:
    name = printable(entry.name)
    if name != entry.name:
        return Entry(name, "its name has characters that cannot be printed")
    try:
        if entry.is_symlink() and not _is_within(entry.path, real_root):
            return Entry(name, _LEAVING_LINK)
        status = entry.stat()
    except OSError as error:
        if error.errno not in _FAULTS_OF_AN_ENTRY:
            raise  # storage failed: the entry must not be left out
        return Entry(name, "a link that leads nowhere" if entry.is_symlink() else describe_os_error(error))
    if S_ISDIR(status.st_mode):
        return Entry(name, is_folder=True)
    if not S_ISREG(status.st_mode):
        return Entry(name, "neither a file nor a folder")
    return Entry(name, size=status.st_size, modified=modification_time(status))


def describe_os_error(error: OSError) -> str:
    """An error of the operating system in a few words, such as `permission denied`."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def modification_time(status: os.stat_result) -> datetime:
    """When a file was last modified (UTC), to the microsecond. Times after the year 9999 become its end."""
    return _EPOCH + timedelta(microseconds=min(status.st_mtime_ns // 1000, _MICROSECONDS_TO_MAX))


def _group(root: str, objects: Iterator[tuple[str, dict[str, Any]]]) -> defaultdict[str, dict[str, Entry]]:
    """The entries of each folder, by path and name."""
    folders: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
    base = _prefix(root, "")
    for key, meta in objects:
        *parents, name = key.removeprefix(base).split("/")
        for depth, parent in enumerate(parents):
            folders["/".join(parents[:depth])].setdefault(parent, _key_entry(parent, is_folder=True))
        if name:  # an empty one marks an empty folder
            entry = _key_entry(name, size=meta.get("Size", 0), modified=meta.get("LastModified", _EPOCH))
            folders["/".join(parents)][name] = entry
    return folders


def _key_entry(name: str, **properties: Any) -> Entry:
    fault = None if printable(name) == name and name not in ("", ".", "..") else "its name cannot be printed or read"
    return Entry(printable(name), fault, **properties)


def _list_keys(root: str, path: str, delimiter: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The keys and properties of the objects below a path; with a delimiter, of those that are directly in it."""
    from olist_assets.aws.clients import list_keys  # noqa: PLC0415 - costs 0.3 s, and is for S3 only

    return list_keys(root.removeprefix(S3).partition("/")[0], _prefix(root, path), delimiter)


def _prefix(root: str, path: str) -> str:
    """The beginning of the keys below a path."""
    return "".join(f"{part}/" for part in (root.removeprefix(S3).partition("/")[2], path) if part)
