"""Dumps: the Olist files of a folder, of a zip archive, or a single file. Gzip is unpacked while it is read.

Files are read as streams, so memory does not depend on their size.
"""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from stat import S_ISLNK
from typing import IO

from olist_assets.errors import DeliveryError
from olist_assets.lake.files import FILE_STEMS, explain_unknown_name, table_for_file
from olist_assets.lake.folders import folder_lister, printable
from olist_assets.sources.notices import IGNORED, Notice, describe_notices

_GZIP = ".gz"
_CHUNK_BYTES = 4 << 20
_IS_ENCRYPTED = 0x1
_DAMAGES = (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, NotImplementedError)


@dataclass(frozen=True, slots=True)
class DumpFile:
    """A file of a dump.

    Attributes:
        name: its name without folder, and without the ending of gzip.
        place: the path of the file, or of the archive and the file in it, for messages.
        open_packed: opens the file as it is stored.
        in_gzip: whether it is stored in gzip.
    """

    name: str
    place: str
    open_packed: Callable[[], IO[bytes]]
    in_gzip: bool = False

    @property
    def table(self) -> str:
        """The table that the file belongs to."""
        return table_for_file(self.name) or ""

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The content as a stream.

        Raises:
            DeliveryError: the archive is damaged; raised where the block reads the damaged part.
        """
        try:
            with self.open_packed() as packed:
                if not self.in_gzip:
                    yield packed
                    return
                with gzip.GzipFile(fileobj=packed) as unpacked:
                    yield unpacked  # type: ignore[misc] - a binary stream
        except _DAMAGES as error:
            raise DeliveryError(f"{self.place} is damaged: {error}; fetch it again and deliver it again") from error

    def chunks(self) -> Iterator[bytes]:
        """The content in chunks of 4 MiB.

        Raises:
            DeliveryError: the archive is damaged.
        """
        with self.open() as content:
            while chunk := content.read(_CHUNK_BYTES):
                yield chunk


@dataclass
class Dump:
    """The files of a dump that belong to a table, sorted by name; and notices about the others."""

    files: list[DumpFile] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


def read_dump(path: Path) -> Dump:
    """List a dump's files.

    Args:
        path: a folder, a zip archive, or a CSV file, also in gzip.

    Raises:
        DeliveryError: there is no such dump, it has no Olist file, or the archive cannot be read.
    """
    if path.is_dir():
        dump = _read_folder(path)
    elif not path.is_file():
        raise DeliveryError(f"no dump: {path} is neither a folder nor a file")
    elif path.suffix.lower() == ".zip":
        dump = _read_archive(path)
    else:
        dump = Dump()
        _add(dump, path.name, str(path), lambda: path.open("rb"))
    if not dump.files:
        hints = "".join(f"; {line}" for line in describe_notices(dump.notices))
        raise DeliveryError(f"no dump: {path} has no file named like {FILE_STEMS['orders']}.csv{hints}")
    dump.files.sort(key=lambda file: file.name)
    return dump


def list_plain_files(dump: Path) -> list[Path]:
    """The Olist files of a folder, sorted by name, for readers that need files on a disk.

    Raises:
        DeliveryError: the dump is not a folder, has no Olist file, or has one in gzip.
    """
    if not dump.is_dir():
        raise DeliveryError(f"no dump: {dump} is not a folder")
    files = read_dump(dump).files
    if packed := [file.place for file in files if file.in_gzip]:
        raise DeliveryError(f"{packed[0]} is compressed: unpack it first")
    return [dump / file.name for file in files]


def _read_folder(folder: Path) -> Dump:
    dump = Dump()
    for entry in sorted(folder_lister(str(folder), whole=True)(""), key=lambda entry: entry.name):
        path = folder / entry.name
        if reason := entry.fault or ("a folder" if entry.is_folder else None):
            dump.notices.append(Notice(IGNORED, entry.name, reason))
        else:
            _add(dump, entry.name, str(path), lambda path=path: path.open("rb"))
    return dump


def _read_archive(path: Path) -> Dump:
    dump = Dump()
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise DeliveryError(f"no dump: {path} is not a complete zip archive: {error}") from error
    for member in archive.infolist():
        if member.is_dir():
            continue
        if member.flag_bits & _IS_ENCRYPTED:
            raise DeliveryError(f"{path} is encrypted: unpack it, and deliver the folder")
        if S_ISLNK(member.external_attr >> 16):
            dump.notices.append(Notice(IGNORED, printable(member.filename), "a link"))
            continue
        name = PurePosixPath(member.filename).name
        _add(dump, name, f"{path}: {printable(member.filename)}", lambda member=member: archive.open(member))
    return dump


def _add(dump: Dump, name: str, place: str, open_packed: Callable[[], IO[bytes]]) -> None:
    """Add a file to a dump, or a notice if it belongs to no table."""
    in_gzip = name.endswith(_GZIP)
    plain = name.removesuffix(_GZIP)
    if printable(name) == name and table_for_file(plain):
        dump.files.append(DumpFile(plain, place, open_packed, in_gzip))
    else:
        dump.notices.append(Notice(IGNORED, printable(name), explain_unknown_name(name)))
