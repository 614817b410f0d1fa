"""Replaying a dump: one delivery per day by event time, as the shop would have sent them."""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from obstore.store import ObjectStore

from olist_assets.errors import DeliveryError
from olist_assets.lake.files import FILE_STEMS, table_for_file
from olist_assets.lake.storage import has_content, open_store
from olist_assets.sources.deliver import check_landing_date, list_file_names
from olist_assets.sources.dumps import list_plain_files
from olist_assets.sources.landing_dates import DEFAULT, LandingDates
from olist_assets.sources.replay_schedule import Piece, Schedule, schedule


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay of a dump.

    Attributes:
        days: the landing dates of its deliveries, in order.
        files: the number of files in its deliveries, new or not.
        new_files: the number of files that it added.
        missing: the tables that the dump lacks.
    """

    days: tuple[date, ...]
    files: int
    new_files: int
    missing: tuple[str, ...]


def replay(
    dump: Path,
    source: str,
    *,
    first: date | None = None,
    last: date | None = None,
    landing_dates: LandingDates = DEFAULT,
    on_day: Callable[[date, int], None] = lambda _day, _new_files: None,
) -> Replay:
    """Split a dump into one delivery per day: each row is delivered on the day on which the shop would have sent it.

    The module `replay_schedule` has the rules for the day of each row.

    A file's name has the end of the day as extraction time, so that a later delivery is newer. A file that a delivery
    already has is not written again: repeating a replay changes nothing, and continues one that was interrupted. The
    delivery of a day does not depend on `first` and `last`.

    Args:
        dump: a folder with Olist CSV files: at most one per table, and one of orders.
        source: the folder of the deliveries.
        first: the first landing date to deliver; by default the dump's first day.
        last: the last landing date to deliver; by default the dump's last day.
        landing_dates: the landing dates that deliveries may have; days outside are left out.
        on_day: called with each landing date after its delivery is complete, and the number of new files in it.

    Raises:
        DeliveryError: the dump is not a folder, lacks orders, has two files of a table, or has a file that raw would
            not accept, such as one that lacks a column; `first` is after `last`, or one of them cannot be a landing
            date; the dump continues after today; a delivery has a file of the same name with other content.
    """
    _check_range(first, last, landing_dates)
    paths = _find_files(dump)
    window = f"_day BETWEEN DATE'{first or landing_dates.first}' AND DATE'{last or landing_dates.last or date.max}'"
    with TemporaryDirectory(prefix="olist-replay-") as folder, schedule(dump, paths, Path(folder)) as scheduled:
        _check_not_after_today(scheduled, paths, window)
        new_files = _write_deliveries(scheduled, source, window, Path(folder) / "draft.csv", on_day)
    return Replay(
        days=tuple(new_files),
        files=sum(map(len, new_files.values())),
        new_files=sum(map(sum, new_files.values())),
        missing=tuple(sorted(FILE_STEMS.keys() - paths.keys())),
    )


def _check_range(first: date | None, last: date | None, landing_dates: LandingDates) -> None:
    for day in (first, last):
        if day:
            check_landing_date(day, landing_dates)
    if first and last and first > last:
        raise DeliveryError(f"the first landing date, {first}, is after the last one, {last}")


def _find_files(dump: Path) -> dict[str, Path]:
    """The dump's file of each table."""
    paths: dict[str, Path] = {}
    for path in list_plain_files(dump):
        table = table_for_file(path.name) or ""
        if table in paths:
            raise DeliveryError(
                f"{dump} has both {paths[table].name} and {path.name}; a replay takes one file per table"
            )
        paths[table] = path
    if "orders" not in paths:
        raise DeliveryError(f"{dump} has no {FILE_STEMS['orders']}.csv to derive the days of a replay from")
    return paths


def _check_not_after_today(scheduled: Schedule, paths: dict[str, Path], window: str) -> None:
    today = datetime.now(UTC).date()
    for table, path in paths.items():
        newest = scheduled.newest_day(table, window)
        if newest and newest > today:
            raise DeliveryError(f"{path} goes up to {newest}, which is in the future; end the replay with --to {today}")


def _write_deliveries(
    scheduled: Schedule, source: str, window: str, draft: Path, on_day: Callable[[date, int], None]
) -> dict[date, list[bool]]:
    """Write the deliveries of a window; returns by landing date, of each file, whether it is new."""
    store = open_store(source, create=True)
    pieces = [scheduled.pieces(table, window) for table in scheduled.headers]
    new_files: dict[date, list[bool]] = {}
    for day, pieces_of_day in groupby(heapq.merge(*pieces, key=attrgetter("day", "table")), attrgetter("day")):
        delivery = _Delivery(store, day, list_file_names(store, day), draft)
        new_files[day] = [
            delivery.put(table, scheduled.headers[table], pieces_of_table)
            for table, pieces_of_table in groupby(pieces_of_day, attrgetter("table"))
        ]
        on_day(day, sum(new_files[day]))
    return new_files


@dataclass(frozen=True, slots=True)
class _Delivery:
    """The delivery of a day: the names of its files, and a local path where new files are written first."""

    store: ObjectStore
    day: date
    file_names: set[str]
    draft: Path

    def put(self, table: str, header: list[str], pieces: Iterable[Piece]) -> bool:
        """Add a table's rows as a file; returns whether the file is new.

        Raises:
            DeliveryError: the delivery has a file of that name with other content.
        """
        _write_csv(self.draft, header, (piece.rows for piece in pieces))
        name = f"{FILE_STEMS[table]}_{self.day:%Y%m%d}T235959Z.csv"
        if name not in self.file_names:
            self.store.put(f"{self.day}/{name}", self.draft)
            return True
        with self.draft.open("rb") as content:
            is_delivered = has_content(self.store, f"{self.day}/{name}", content)
        if is_delivered:
            return False
        raise DeliveryError(
            f"the delivery of {self.day} has {name} with other content; a changed dump can be "
            "delivered whole, by `olist deliver`, or replayed into an empty OLIST_SOURCE"
        )


def _write_csv(path: Path, header: list[str], batches: Iterable[pa.RecordBatch]) -> None:
    """Write rows to a file; rows that could not be parsed come last, as their text."""
    schema = pa.schema([(name, pa.string()) for name in header])
    unparsed: list[str] = []
    with pyarrow.csv.CSVWriter(str(path), schema) as writer:
        for batch in batches:
            texts = batch.column(2)
            unparsed += texts.drop_null().to_pylist()
            parsed = batch if texts.null_count == len(texts) else batch.filter(pc.call_function("is_null", [texts]))
            writer.write_batch(pa.RecordBatch.from_arrays(parsed.columns[3:], schema=schema))
    if unparsed:
        with path.open("a", encoding="utf-8", newline="") as file:
            file.writelines(f"{text}\n" for text in unparsed)
