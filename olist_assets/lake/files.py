"""Delivered files: the table of a file name, the extraction time, and the content."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from obstore.store import ObjectStore

from olist_assets.lake.storage import read_chunks
from spark_steps.declarations import Layer
from spark_steps.tables import tables_in

FILE_STEMS = {table.name: table.file_stem for table in tables_in(Layer.RAW) if table.file_stem}
"""The stem of the file names of each source, by the table's name."""

_TIME_SUFFIX = re.compile(r"_(\d{8}T\d{6}Z)\.csv$", re.ASCII)
_COMPRESSED = re.compile(r"\.(gz|zip|bz2|xz|zst|7z)$", re.IGNORECASE)
_COPY_MARK = re.compile(r"\s*\(\d+\)|\s+-\s+cop(y|ia)|^cop(y|ia) (of|de) ", re.IGNORECASE)


@dataclass(frozen=True)
class DeliveredFile:
    """A file of a delivery.

    Attributes:
        store: the source's objects.
        path: the file's path in the store.
        size: its size in bytes.
        received_at: when the delivery received it: its modification time in the source (UTC).
    """

    store: ObjectStore
    path: str
    size: int
    received_at: datetime

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.rpartition("/")[2]

    @property
    def extracted_at(self) -> datetime:
        """When the source wrote it (UTC): the time in its name, or else the time at which it was received."""
        return extraction_time(self.name) or self.received_at

    def chunks(self) -> Iterator[bytes]:
        """The file's content in chunks."""
        return read_chunks(self.store, self.path)

    def has_changed(self) -> bool:
        """Whether its size or the second of its modification differ from what they were when it was listed."""
        meta = self.store.head(self.path)
        # Answers of S3 to different requests have times of different precision.
        same_second = int(meta["last_modified"].timestamp()) == int(self.received_at.timestamp())
        return meta["size"] != self.size or not same_second


def table_for_file(file_name: str) -> str | None:
    """The table that a file belongs to, by the stem of its name; None if there is no such table.

    The stem may have a suffix after an underscore, such as an extraction time.
    """
    if not file_name.endswith(".csv"):
        return None
    stem = file_name.removesuffix(".csv")
    return next((table for table, s in FILE_STEMS.items() if stem == s or stem.startswith(f"{s}_")), None)


def explain_unknown_name(file_name: str) -> str:
    """Why a file belongs to no table, with a better name if the name is almost right."""
    plain = _COPY_MARK.sub("", file_name).strip().lower()
    if table_for_file(unpacked := _COMPRESSED.sub("", plain)) and unpacked != plain:
        return "compressed: pass it to `olist deliver`, which unpacks gzip and zip"
    if (table := table_for_file(plain)) and plain != file_name:
        return f"no file name of a table; if it belongs to {table}, rename it to {FILE_STEMS[table]}.csv"
    return "no file name of a table"


def extraction_time(file_name: str) -> datetime | None:
    """The time (UTC) in a name such as `olist_orders_dataset_20180510T030000Z.csv`; None if there is none."""
    match = _TIME_SUFFIX.search(file_name)
    try:
        return datetime.fromisoformat(match[1]) if match else None
    except ValueError:
        return None
