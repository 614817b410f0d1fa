"""Step records: what each step run leaves in the lake, failed or not. SQL reads them as control.steps."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from obstore.store import ObjectStore

from olist_assets.lake import json_objects
from olist_assets.lake.json_objects import ZonedTime
from olist_assets.lake.step_bundles import StepBundles
from olist_assets.lake.storage import CONCURRENT_READS, list_objects, read_object, remove_objects
from spark_steps.declarations import Layer
from spark_steps.protocol import Check, Window
from spark_steps.tables import TABLES

T = TypeVar("T")
_FOLDER = "control/steps"
_RECORD = re.compile(rf"{_FOLDER}/\d{{4}}-\d\d-\d\d/[^/]+/(?P<layer>\w+)\.(?P<name>\w+)\.json")
_ATTEMPTS = 5
"""How often records are listed again if one of them has moved into a bundle before it was read."""

_MODIFICATION_SECOND = timedelta(seconds=1)
"""S3 has modification times in whole seconds."""

_WRITTEN_IF_NULL = {"window", "error"}
"""Fields that are in every record. Others are left out where they do not apply to the step."""


class RecordedWindow(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """A window of landing dates, with the keys `from` and `to` (exclusive) in JSON."""

    start: date
    end: date

    def __post_init__(self) -> None:
        Window(self.start, self.end)  # a ValueError unless the end is after the start

    def __str__(self) -> str:
        return str(Window(self.start, self.end))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A delivered file that a landing step copied.

    Attributes:
        file_name: the name that it was delivered under.
        file_id: the first 16 hex digits of its content's SHA-256.
        landing_date: the day of its delivery.
        bytes: its size.
        extracted_at: when the source wrote it (UTC).
        landed_at: when it was copied (UTC).
    """

    file_name: str
    file_id: str
    landing_date: date
    bytes: int
    extracted_at: ZonedTime
    landed_at: ZonedTime


@dataclass(slots=True, kw_only=True)
class StepRecord:
    """One step run. Fields that do not apply to the step are None.

    Attributes:
        table: the asset's key, such as trusted/orders.
        window: the landing dates of the run; None if the asset has no partitions.
        engine: the engine's name.
        code_version: the version of the code that ran.
        run_id: Dagster's id of the run.
        started_at: when the step started (UTC).
        status: `succeeded` or `failed`.
        error: why it failed, in one line.
        files: the files that a landing step copied.
        version_before: the Delta version before the step; likewise `version_after`.
        rows_read: rows that the step read; this and the other counts are those of its `StepResult`.
        total_seconds: wall time from start to end, waiting for the engine included.
        seconds: wall time of the step's own work.
        checks: the results of the step's checks.
        tables_created: tables that the step created in Glue; the other counts of tables are by outcome too.
    """

    table: str
    window: RecordedWindow | None = None
    engine: str = ""
    code_version: str = ""
    run_id: str
    started_at: ZonedTime
    status: str = "failed"
    error: str | None = None
    files: tuple[FileRecord, ...] | None = None
    version_before: int | None = None
    version_after: int | None = None
    rows_read: int | None = None
    rows_inserted: int | None = None
    rows_updated: int | None = None
    rows_deleted: int | None = None
    rows_copied: int | None = None
    rows_unchanged: int | None = None
    rows_superseded: int | None = None
    rows_quarantined: int | None = None
    files_added: int | None = None
    files_removed: int | None = None
    bytes_added: int | None = None
    bytes_removed: int | None = None
    tables_created: int | None = None
    tables_updated: int | None = None
    tables_unchanged: int | None = None
    tables_dropped: int | None = None
    tables_vanished: int | None = None
    tables_not_written: int | None = None
    total_seconds: float | None = None
    seconds: float | None = None
    checks: tuple[Check, ...] | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the step succeeded."""
        return self.status == "succeeded"

    def update(self, figures: Mapping[str, Any]) -> None:
        """Set fields by their names.

        Raises:
            AttributeError: a name is not a field.
        """
        for name, value in figures.items():
            setattr(self, name, value)

    def to_json(self) -> bytes:
        """The record as JSON."""
        fields: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(date, datetime))
        return json_objects.encode(
            {name: value for name, value in fields.items() if value is not None or name in _WRITTEN_IF_NULL}
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """An object with step records: one record, or a bundle.

    Attributes:
        path: its path.
        end: none of its steps started later.
        table: the table of the record; None for a bundle, which may contain every table.
    """

    path: str
    end: datetime
    table: str | None = None


@dataclass(frozen=True)
class StepRecords:
    """The records of step runs.

    A step writes `control/steps/<day of the start, UTC>/<run id>/<layer>.<table>.json`. At the end of a run, `bundle`
    moves all of these into bundles. Other objects are ignored.
    """

    store: ObjectStore

    def write(self, record: StepRecord) -> None:
        """Write the record of a step run."""
        day = record.started_at.astimezone(UTC).date()
        self.store.put(f"{_FOLDER}/{day}/{record.run_id}/{record.table.replace('/', '.')}.json", record.to_json())

    def bundle(self) -> None:
        """Move all single records, also those of other runs, into bundles. A damaged record stays where it is.

        Raises:
            BaseError: the storage failed; likewise OSError. No record is lost.
        """
        bundles = StepBundles(self.store)
        lines = self._read_single_records()
        if lines:
            bundles.write(lines.values())
            remove_objects(self.store, lines)
        bundles.merge()

    def read_lines(self) -> list[bytes]:
        """All records as JSON, one line each. Some may be damaged or occur twice; what is not JSON is left out."""

        def read() -> list[bytes]:
            with ThreadPoolExecutor(CONCURRENT_READS) as pool:
                return [line for lines in pool.map(self._read, self._list_sources()) for line in lines or ()]

        return _retry_if_moved(read)

    def read_all(self) -> list[StepRecord]:
        """All records in the order of their starts, without damaged ones."""
        records: dict[tuple[date, str, str], StepRecord] = {}
        for record in _decode(self.read_lines()):
            key = (record.started_at.astimezone(UTC).date(), record.run_id, record.table)
            if key not in records or record.started_at > records[key].started_at:
                records[key] = record
        return sorted(records.values(), key=lambda record: record.started_at)

    def newest(self, tables: set[str], on_damaged: Callable[[str], None] = lambda _: None) -> dict[str, StepRecord]:
        """The newest record of each of these tables, by table.

        Args:
            tables: ids of tables, or keys of other assets.
            on_damaged: called with the path of each record that cannot be read. The search goes on without it.
        """
        newest, damaged = _retry_if_moved(lambda: self._find_newest(tables))
        for path in damaged:
            on_damaged(path)
        return newest

    def newest_of_lineage(self) -> list[StepRecord]:
        """The newest record of each Delta table that has a step of its own, upstream first."""
        # A quarantine table has no records: the search for them would read the records of all steps.
        tables = [table.id for table in TABLES.values() if table.layer is not Layer.QUARANTINE]
        records = self.newest(set(tables))
        return [records[table] for table in tables if table in records]

    def _find_newest(self, tables: set[str]) -> tuple[dict[str, StepRecord], list[str]]:
        """The newest records, and the paths of damaged objects among those that were read, newest first."""
        newest: dict[str, StepRecord] = {}
        damaged: list[str] = []
        for source in sorted(self._list_sources(), key=lambda source: source.end, reverse=True):
            possible = tables if source.table is None else tables & {source.table}
            if all(table in newest and newest[table].started_at >= source.end for table in possible):
                continue
            lines = self._read(source)
            records = list(_decode(lines or ()))
            if lines is None or (source.table and not records):
                damaged.append(source.path)
            for record in records:
                if record.table in possible and (
                    record.table not in newest or record.started_at > newest[record.table].started_at
                ):
                    newest[record.table] = record
        return newest, damaged

    def _list_sources(self) -> list[_Source]:
        """All objects with step records; two requests on S3, unless there are thousands of them."""
        # In this order: a record that moves between the two listings is in both of them, otherwise it would be in none.
        singles = list(self._list_single_records())
        return singles + [_Source(bundle.path, bundle.end) for bundle in StepBundles(self.store).list_all()]

    def _list_single_records(self) -> Iterator[_Source]:
        for meta in list_objects(self.store, _FOLDER):
            if match := _RECORD.fullmatch(meta["path"]):
                end = meta["last_modified"] + _MODIFICATION_SECOND
                yield _Source(meta["path"], end, f"{match['layer']}/{match['name']}")

    def _read_single_records(self) -> dict[str, bytes]:
        """The single records by their paths, without damaged ones and those that another process moves meanwhile."""

        def read(source: _Source) -> list[bytes]:
            with suppress(FileNotFoundError):
                return self._read(source) or []
            return []

        sources = list(self._list_single_records())
        with ThreadPoolExecutor(CONCURRENT_READS) as pool:
            found = zip(sources, pool.map(read, sources), strict=True)
            return {source.path: line for source, lines in found for line in lines if any(_decode([line]))}

    def _read(self, source: _Source) -> list[bytes] | None:
        """The records in an object as JSON, one line each; None if it is damaged."""
        if source.table is None:
            return StepBundles(self.store).read(source.path)
        line = json_objects.to_line(read_object(self.store, source.path))
        return None if line is None else [line]


def _decode(lines: Iterable[bytes]) -> Iterator[StepRecord]:
    """The records in these lines that are not damaged."""
    records = (json_objects.decode_or_none(line, StepRecord) for line in lines)
    return (record for record in records if record is not None)


def _retry_if_moved(read: Callable[[], T]) -> T:
    """Read again if an object has been moved into a bundle since it was listed. The next listing has that bundle."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(FileNotFoundError):
            return read()
    return read()
