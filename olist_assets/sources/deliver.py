"""Delivering a dump whole: its files as one day's delivery."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from obstore.store import ObjectStore

from olist_assets.errors import OlistError
from olist_assets.lake.files import FILE_STEMS, FIRST_LANDING_DATE, extraction_time, table_for_file
from olist_assets.lake.storage import has_content, open_store

_EVENTS = {
    "orders": (
        "order_purchase_timestamp",
        "order_approved_at",
        "order_delivered_carrier_date",
        "order_delivered_customer_date",
    ),
    "order_reviews": ("review_answer_timestamp",),
}
"""The columns that say when something happened; the others are promises."""


def deliver(
    dump: Path, source: str, *, day: date | None = None, on_file: Callable[[str], None] = lambda _: None
) -> tuple[date, list[str], list[str]]:
    """Copy a dump's files into the delivery of a day.

    A file gets the day's midnight as its time of extraction, unless its name has one. A file that the delivery holds
    already is left as it is; a changed one is added as extracted a second later, so that its rows win. Content that
    the delivery holds in an older version is not made the newest again.

    Args:
        dump: a folder with Olist CSV files.
        source: the folder of the deliveries.
        day: the landing date; by default the day after the dump's newest event.
        on_file: called with the name of each file that is copied.

    Returns:
        The landing date, the names of the files in its delivery that hold the dump, and the tables that the dump lacks.

    Raises:
        OlistError: the dump is not a folder or holds no Olist file; it has no event, and no day is given; or the day
            lies before the first landing date or in the future.
    """
    files = dump_files(dump)
    day = day or _day_after_newest_event(dump, files)
    check_landing_date(day)
    store = open_store(source, create=True)
    held = names_in_delivery(store, day)
    names: list[str] = []
    for path in files:
        name = _name_in_delivery(path, day, store, held)
        if name not in held:
            on_file(name)
            store.put(f"{day}/{name}", path)
            held.add(name)
        names.append(name)
    missing = sorted(FILE_STEMS.keys() - {table_for_file(path.name) for path in files})
    return day, names, missing


def dump_files(dump: Path) -> list[Path]:
    """The Olist files of a dump, in the order of their names.

    Raises:
        OlistError: the dump is not a folder or holds no Olist file.
    """
    if not dump.is_dir():
        raise OlistError(f"no dump: {dump} is not a folder")
    files = sorted(path for path in dump.iterdir() if path.is_file() and table_for_file(path.name))
    if not files:
        raise OlistError(f"no dump: {dump} holds no file named like {FILE_STEMS['orders']}.csv")
    return files


def check_landing_date(day: date) -> None:
    """Refuse a day on which nothing can have landed.

    Raises:
        OlistError: the day lies before the first landing date or in the future.
    """
    if not FIRST_LANDING_DATE <= day <= datetime.now(UTC).date():
        raise OlistError(f"{day} cannot be a landing date: it must lie between {FIRST_LANDING_DATE} and today")


def names_in_delivery(store: ObjectStore, day: date) -> set[str]:
    """The names of the files that the delivery of a day holds."""
    return {meta["path"].rpartition("/")[2] for page in store.list(str(day)) for meta in page}


def _name_in_delivery(path: Path, day: date, store: ObjectStore, held: set[str]) -> str:
    """The name under which the delivery holds this content, or the next free one."""
    extracted_at = extraction_time(path.name) or datetime(day.year, day.month, day.day, tzinfo=UTC)
    stem = path.stem.removesuffix(f"_{extracted_at:%Y%m%dT%H%M%SZ}")
    while True:
        name = f"{stem}_{extracted_at:%Y%m%dT%H%M%SZ}.csv"
        if name not in held or has_content(store, f"{day}/{name}", path):
            return name
        extracted_at += timedelta(seconds=1)


def _day_after_newest_event(dump: Path, files: list[Path]) -> date:
    newest = [_newest(path, column) for path in files for column in _EVENTS.get(table_for_file(path.name) or "", ())]
    days = [value for value in newest if value is not None]
    if not days:
        raise OlistError(f"{dump} has no orders or reviews to tell its day from; give one with --day")
    return max(days) + timedelta(days=1)


def _newest(path: Path, column: str) -> date | None:
    """The newest day in a column of timestamps; texts that are none are passed over."""
    try:
        with pyarrow.csv.open_csv(
            path,
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda _: "skip"),
            convert_options=pyarrow.csv.ConvertOptions(include_columns=[column], column_types={column: pa.string()}),
        ) as batches:
            tops = [pc.call_function("max", [_timestamps(batch.column(0))]).as_py() for batch in batches]
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None  # raw says what is wrong with the file
    times = [top for top in tops if top]
    return max(times).date() if times else None


def _timestamps(texts: pa.Array) -> pa.Array:
    options = pc.StrptimeOptions("%Y-%m-%d %H:%M:%S", "s", error_is_null=True)
    return pc.call_function("strptime", [texts], options)
