"""Step records: what each step run leaves in the lake, failed or not. SQL reads them as control.steps."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from obstore.store import ObjectStore

from olist_assets.lake import json_objects
from olist_assets.lake.json_objects import ZonedTime
from olist_assets.lake.storage import list_folders, list_objects, read_object
from spark_steps.declarations import Layer
from spark_steps.protocol import Check, Window
from spark_steps.tables import TABLES

if TYPE_CHECKING:
    from obstore import ObjectMeta

FOLDER = "control/steps"
"""Where the records are in the lake."""

_DAY = re.compile(rf"{FOLDER}/\d{{4}}-\d\d-\d\d")
_RECORD = re.compile(r".*/(?P<layer>\w+)\.(?P<name>\w+)\.json")
_RECENT_DAYS = 30
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


@dataclass(frozen=True)
class StepRecords:
    """The objects `control/steps/<day of the start, UTC>/<run id>/<layer>.<table>.json`; others are ignored."""

    store: ObjectStore

    def write(self, record: StepRecord) -> None:
        """Write the record of a step run."""
        day = record.started_at.astimezone(UTC).date()
        self.store.put(f"{FOLDER}/{day}/{record.run_id}/{record.table.replace('/', '.')}.json", record.to_json())

    def newest(
        self, tables: set[str], days: int = _RECENT_DAYS, on_damaged: Callable[[str], None] = lambda _: None
    ) -> dict[str, StepRecord]:
        """The newest record of each of these tables, by table.

        Args:
            tables: ids of tables, or keys of other assets.
            days: how many of the newest days with step runs are searched. Older records are not found.
            on_damaged: called with the path of each record that cannot be read. The search goes on without it.
        """
        newest: dict[str, StepRecord] = {}
        written: dict[str, datetime] = {}
        for meta in self._list_newest_first(days):
            if (match := _RECORD.fullmatch(meta["path"])) is None:
                continue
            table = f"{match['layer']}/{match['name']}"
            if newest.keys() == tables and meta["last_modified"] < min(written.values()):
                break
            if table in tables and meta["last_modified"] >= written.get(table, meta["last_modified"]):
                record = json_objects.decode_or_none(read_object(self.store, meta["path"]), StepRecord)
                if record is None:
                    on_damaged(meta["path"])
                    continue
                written[table] = meta["last_modified"]
                # S3 has modification times in whole seconds, so several objects may be the newest.
                if table not in newest or record.started_at > newest[table].started_at:
                    newest[table] = record
        return newest

    def newest_of_lineage(self) -> list[StepRecord]:
        """The newest record of each Delta table that has a step of its own, upstream first."""
        # A quarantine table has no records: the search for them would read the records of all steps.
        tables = [table.id for table in TABLES.values() if table.layer is not Layer.QUARANTINE]
        records = self.newest(set(tables))
        return [records[table] for table in tables if table in records]

    def _list_newest_first(self, days: int) -> "Iterator[ObjectMeta]":
        prefixes = list_folders(self.store, FOLDER)
        for prefix in sorted(filter(_DAY.fullmatch, prefixes), reverse=True)[:days]:
            yield from sorted(list_objects(self.store, prefix), key=lambda meta: meta["last_modified"], reverse=True)
