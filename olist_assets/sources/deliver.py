"""Delivering a dump whole: its files as one day's delivery."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from obstore.store import ObjectStore

from olist_assets.errors import DeliveryError
from olist_assets.lake.files import FILE_STEMS, FIRST_LANDING_DATE, extraction_time, table_for_file
from olist_assets.lake.storage import has_content, list_objects, open_store

_EVENTS = {
    "orders": (
        "order_purchase_timestamp",
        "order_approved_at",
        "order_delivered_carrier_date",
        "order_delivered_customer_date",
    ),
    "order_reviews": ("review_answer_timestamp",),
}
"""The columns of times at which something happened; other times are promises."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of a dump.

    Attributes:
        day: its landing date.
        files: the names of its files that have the dump's content, new or not.
        missing: the tables that the dump lacks.
    """

    day: date
    files: tuple[str, ...]
    missing: tuple[str, ...]


def deliver(
    dump: Path, source: str, *, day: date | None = None, on_file: Callable[[str], None] = lambda _: None
) -> Delivery:
    """Copy a dump's files into the delivery of a day.

    A file gets the day's midnight as its extraction time, unless its name has one. A file with equal content is not
    copied again. A changed file is added with an extraction time one second later, so that its rows win. Content that
    an older file of the delivery has is not copied again, and so does not become the newest.

    Args:
        dump: a folder with Olist CSV files.
        source: the folder of the deliveries.
        day: the landing date; by default the day after the dump's newest event.
        on_file: called with the name of each file that is copied.

    Raises:
        DeliveryError: the dump is not a folder or has no Olist file; it has no event, and no day is given; or the day
            is before the first landing date or in the future.
    """
    files = list_dump_files(dump)
    day = day or _day_after_newest_event(dump, files)
    check_landing_date(day)
    store = open_store(source, create=True)
    present = list_file_names(store, day)
    names: list[str] = []
    for path in files:
        name = _choose_name(path, day, store, present)
        if name not in present:
            on_file(name)
            store.put(f"{day}/{name}", path)
            present.add(name)
        names.append(name)
    missing = FILE_STEMS.keys() - {table_for_file(path.name) for path in files}
    return Delivery(day, tuple(names), tuple(sorted(missing)))


def list_dump_files(dump: Path) -> list[Path]:
    """The Olist files of a dump, sorted by name.

    Raises:
        DeliveryError: the dump is not a folder or has no Olist file.
    """
    if not dump.is_dir():
        raise DeliveryError(f"no dump: {dump} is not a folder")
    files = sorted(path for path in dump.iterdir() if path.is_file() and table_for_file(path.name))
    if not files:
        raise DeliveryError(f"no dump: {dump} has no file named like {FILE_STEMS['orders']}.csv")
    return files


def check_landing_date(day: date) -> None:
    """Check that files can have landed on a day.

    Raises:
        DeliveryError: the day is before the first landing date or in the future.
    """
    if not FIRST_LANDING_DATE <= day <= datetime.now(UTC).date():
        raise DeliveryError(f"{day} cannot be a landing date: it must be between {FIRST_LANDING_DATE} and today")


def list_file_names(store: ObjectStore, day: date) -> set[str]:
    """The names of the files in the delivery of a day."""
    return {meta["path"].rpartition("/")[2] for meta in list_objects(store, str(day))}


def _choose_name(path: Path, day: date, store: ObjectStore, present: set[str]) -> str:
    """The name of the file in the delivery that has this content, or else the next free name."""
    extracted_at = extraction_time(path.name) or datetime(day.year, day.month, day.day, tzinfo=UTC)
    stem = path.stem.removesuffix(f"_{extracted_at:%Y%m%dT%H%M%SZ}")
    while True:
        name = f"{stem}_{extracted_at:%Y%m%dT%H%M%SZ}.csv"
        if name not in present or has_content(store, f"{day}/{name}", path):
            return name
        extracted_at += timedelta(seconds=1)


def _day_after_newest_event(dump: Path, files: list[Path]) -> date:
    newest = [_newest(path, column) for path in files for column in _EVENTS.get(table_for_file(path.name) or "", ())]
    days = [value for value in newest if value is not None]
    if not days:
        raise DeliveryError(f"{dump} has no orders or reviews to derive a day from; give one with --day")
    return max(days) + timedelta(days=1)


def _newest(path: Path, column: str) -> date | None:
    """The newest day in a column of timestamps; other texts are ignored."""
    try:
        with pyarrow.csv.open_csv(
            path,
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda _: "skip"),
            convert_options=pyarrow.csv.ConvertOptions(include_columns=[column], column_types={column: pa.string()}),
        ) as batches:
            newest = [pc.call_function("max", [_timestamps(batch.column(0))]).as_py() for batch in batches]
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None  # the raw step reports the fault of the file
    times = [time for time in newest if time]
    return max(times).date() if times else None


def _timestamps(texts: pa.Array) -> pa.Array:
    options = pc.StrptimeOptions("%Y-%m-%d %H:%M:%S", "s", error_is_null=True)
    return pc.call_function("strptime", [texts], options)
