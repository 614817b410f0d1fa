"""Delivering a dump whole: its files as one day's delivery."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from obstore import open_writer
from obstore.store import ObjectStore

from olist_assets.errors import DeliveryError
from olist_assets.lake.files import FILE_STEMS, extraction_time
from olist_assets.lake.storage import has_content, list_objects, open_store
from olist_assets.sources.dumps import DumpFile, read_dump
from olist_assets.sources.landing_dates import DEFAULT, LandingDates
from olist_assets.sources.notices import Notice
from spark_steps import csv_files
from spark_steps.protocol import StepError
from spark_steps.tables import TABLES

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
        notices: remarks about entries of the dump that belong to no table or cannot be read.
    """

    day: date
    files: tuple[str, ...]
    missing: tuple[str, ...]
    notices: tuple[Notice, ...] = ()


def deliver(
    dump: Path,
    source: str,
    *,
    day: date | None = None,
    landing_dates: LandingDates = DEFAULT,
    on_file: Callable[[str], None] = lambda _: None,
) -> Delivery:
    """Copy a dump's files into the delivery of a day.

    A file gets the day's midnight as its extraction time, unless its name has one. A file with equal content is not
    copied again. A changed file is added with an extraction time one second later, so that its rows win. Content that
    an older file of the delivery has is not copied again, and so does not become the newest.

    Args:
        dump: a folder with Olist CSV files, a zip archive of them, or one of them. Files may be in gzip.
        source: the folder of the deliveries.
        day: the landing date; by default the day after the dump's newest event.
        landing_dates: the landing dates that deliveries may have.
        on_file: called with the name of each file that is copied.

    Raises:
        DeliveryError: the dump cannot be read or has no Olist file; raw would not accept a file, such as one that lacks
            a column; it has no event, and no day is given; or the day is not one of the landing
            dates. Nothing is copied then, except the files before one that turns out to be damaged.
    """
    content = read_dump(dump)
    files = content.files
    for file in files:
        _check_header(file)
    day = day or _day_after_newest_event(dump, files)
    check_landing_date(day, landing_dates)
    store = open_store(source, create=True)
    present = list_file_names(store, day)
    names: list[str] = []
    for file in files:
        name = _choose_name(file, day, store, present)
        if name not in present:
            on_file(name)
            # An error in the block leaves no object. Each concurrent request holds 10 MiB.
            with open_writer(store, f"{day}/{name}", max_concurrency=2) as writer:
                for chunk in file.chunks():
                    writer.write(chunk)
            present.add(name)
        names.append(name)
    missing = FILE_STEMS.keys() - {file.table for file in files}
    return Delivery(day, tuple(names), tuple(sorted(missing)), tuple(content.notices))


def check_landing_date(day: date, landing_dates: LandingDates) -> None:
    """Check that files can have landed on a day.

    Raises:
        DeliveryError: the day is not one of the landing dates.
    """
    if day not in landing_dates:
        raise DeliveryError(f"{day} cannot be a landing date: the landing dates are {landing_dates}")


def list_file_names(store: ObjectStore, day: date) -> set[str]:
    """The names of the files in the delivery of a day."""
    return {meta["path"].rpartition("/")[2] for meta in list_objects(store, str(day))}


def _check_header(file: DumpFile) -> None:
    """Check that raw would accept the file's header.

    Raises:
        DeliveryError: it would not.
    """
    columns = tuple(column.name for column in TABLES[f"raw/{file.table}"].value_columns)
    try:
        with file.open() as content:
            csv_files.check_header(file.place, content, columns)
    except StepError as error:
        reason = str(error).removesuffix(f"; {csv_files.REMEDY}")
        raise DeliveryError(f"{reason}; correct it and deliver again") from error


def _choose_name(file: DumpFile, day: date, store: ObjectStore, present: set[str]) -> str:
    """The name of the file in the delivery that has this content, or else the next free name."""
    extracted_at = extraction_time(file.name) or datetime(day.year, day.month, day.day, tzinfo=UTC)
    stem = file.name.removesuffix(".csv").removesuffix(f"_{extracted_at:%Y%m%dT%H%M%SZ}")
    while True:
        name = f"{stem}_{extracted_at:%Y%m%dT%H%M%SZ}.csv"
        if name not in present or _is_delivered(file, store, f"{day}/{name}"):
            return name
        extracted_at += timedelta(seconds=1)


def _is_delivered(file: DumpFile, store: ObjectStore, path: str) -> bool:
    with file.open() as content:
        return has_content(store, path, content)


def _day_after_newest_event(dump: Path, files: Iterable[DumpFile]) -> date:
    newest = [_newest(file, column) for file in files for column in _EVENTS.get(file.table, ())]
    days = [value for value in newest if value is not None]
    if not days:
        raise DeliveryError(f"{dump} has no orders or reviews to derive a day from; give one with --day")
    return max(days) + timedelta(days=1)


def _newest(file: DumpFile, column: str) -> date | None:
    """The newest day in a column of timestamps; other texts are ignored."""
    try:
        with (
            file.open() as content,
            pyarrow.csv.open_csv(
                content,
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda _: "skip"),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=[column], column_types={column: pa.string()}
                ),
            ) as batches,
        ):
            newest = [pc.call_function("max", [_to_days(batch.column(0))]).as_py() for batch in batches]
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None  # the raw step reports the fault of the file
    return max((day for day in newest if day), default=None)


def _to_days(texts: pa.Array) -> pa.Array:
    """The day at the beginning of each text; null where there is none."""
    days = pc.call_function("utf8_slice_codeunits", [texts], pc.SliceOptions(0, len("2018-05-10")))
    options = pc.StrptimeOptions("%Y-%m-%d", "s", error_is_null=True)
    return pc.call_function("strptime", [days], options).cast(pa.date32())
