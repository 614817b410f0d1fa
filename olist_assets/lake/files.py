"""Delivered files: the table of a file name, the extraction time, and the content."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from obstore.store import ObjectStore

from olist_assets.lake.storage import read_chunks
from spark_steps.declarations import Layer
from spark_steps.tables import tables_in

FILE_STEMS = {table.name: table.file_stem for table in tables_in(Layer.RAW) if table.file_stem}
"""The stem of the file names of each source, by the table's name."""

FIRST_LANDING_DATE = date(2016, 1, 1)
"""The earliest landing date. Olist's first order is of September 2016."""

_TIME_SUFFIX = re.compile(r"_(\d{8}T\d{6}Z)\.csv$")


@dataclass(frozen=True)
class DeliveredFile:
    """A file of a delivery.

    Attributes:
        store: the source's objects.
        path: the file's path in the store.
        size: its size in bytes.
        extracted_at: when the source wrote it (UTC).
    """

    store: ObjectStore
    path: str
    size: int
    extracted_at: datetime

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.rpartition("/")[2]

    def chunks(self) -> Iterator[bytes]:
        """The file's content in chunks."""
        return read_chunks(self.store, self.path)


def table_for_file(file_name: str) -> str | None:
    """The table that a file belongs to, by the stem of its name; None if there is no such table.

    The stem may have a suffix after an underscore, such as an extraction time.
    """
    if not file_name.endswith(".csv"):
        return None
    stem = file_name.removesuffix(".csv")
    return next((table for table, s in FILE_STEMS.items() if stem == s or stem.startswith(f"{s}_")), None)


def extraction_time(file_name: str) -> datetime | None:
    """The time (UTC) in a name such as `olist_orders_dataset_20180510T030000Z.csv`; None if there is none."""
    match = _TIME_SUFFIX.search(file_name)
    try:
        return datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None
