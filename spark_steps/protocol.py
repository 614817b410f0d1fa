"""The protocol between a step and the engine that runs it: request, result, failures, and their JSON.

Both sides run the same version of the code, so JSON of another version need not be readable. A result has no stable
format; only its `figures` are stored.
"""

import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec

from spark_steps.declarations import Severity, TableSpec
from spark_steps.tables import TABLES

Progress = Callable[[str], None]
"""Called with one line of text for each thing that takes long."""


def ignore_progress(_line: str) -> None:
    """Drop the line."""


class StepError(Exception):
    """A step cannot be run as requested: one line that names the table, the place and the remedy."""

    def to_json(self) -> str:
        """The error as JSON, written in place of a result; `StepResult.from_json` raises it."""
        return _to_json(_Failure(error=str(self)))


class StepCrashError(Exception):
    """A step ended with an error that no step raises on purpose: one line with its class, first line and place."""

    @classmethod
    def from_exception(cls, error: BaseException) -> Self:
        """The crash that an exception means. Its other lines may quote rows, so they belong into the step's log."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "spark_steps" in frame.filename] or list(frames)
        place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
        first_line = next(iter(str(error).strip().splitlines()), "")
        return cls(f"{type(error).__name__}: {first_line}{place}")

    def to_json(self) -> str:
        """The crash as JSON, written in place of a result; `StepResult.from_json` raises it."""
        return _to_json(_Failure(crash=str(self)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """The JSON of a failure; of a result only that it is none."""

    error: str | None = None
    crash: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Landing dates from `start`, inclusive, to `end`, exclusive.

    Raises:
        ValueError: `end` is not after `start`.
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"a window's end must be after its start, not {self.start} to {self.end}")

    @classmethod
    def from_day(cls, day: date) -> Self:
        """The window of one landing date."""
        return cls(day, day + timedelta(days=1))

    def __str__(self) -> str:
        last = self.end - timedelta(days=1)
        return f"{self.start}" if last == self.start else f"{self.start} to {last}"

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    @property
    def days(self) -> tuple[date, ...]:
        """The landing dates, in order."""
        return tuple(self.start + timedelta(days=n) for n in range((self.end - self.start).days))

    def predicate(self, column: str = "_landing_date") -> str:
        """SQL that selects the window's rows; its dates are literals, so that engines prune partitions."""
        return f"{column} >= DATE'{self.start}' AND {column} < DATE'{self.end}'"


@dataclass(frozen=True, slots=True)
class TableHandle:
    """A reference to a Delta table.

    Attributes:
        id: the table's id, such as `trusted/orders`.
        uri: its path or URI.
        window: the landing dates to read or replace; None for all.
    """

    id: str
    uri: str
    window: Window | None = None

    @property
    def declaration(self) -> TableSpec:
        """The table's declaration.

        Raises:
            KeyError: no table has this id.
        """
        return TABLES[self.id]


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A CSV file in the landzone.

    Attributes:
        uri: its path or URI.
        name: the file name in the delivery.
        file_id: the first 16 hex digits of its content's SHA-256.
        landing_date: the day of the delivery (UTC).
        extracted_at: when the source wrote it; an aware time, in any zone.
        received_at: when the delivery received it; an aware time, in any zone.
        size: its size in bytes.
    """

    uri: str
    name: str
    file_id: str
    landing_date: date
    extracted_at: datetime
    received_at: datetime
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRequest:
    """All inputs of a step; it reads no settings and no environment.

    Attributes:
        output: the table to write.
        window: the landing dates to compute; None for a table that is always computed whole.
        inputs: the tables to read.
        quarantine: the table for rejected rows; required for a trusted step.
        files: the landed files that a raw step appends.
        run_id: the run that the step belongs to.
        code_version: the version of the code that made the request.
        limits_memory: whether the engine needs the step's help to stay within its memory: a large step runs alone,
            and large tables are computed in parts.
        recompute: the output may be wrong, so it is written even if its inputs have not changed.
    """

    output: TableHandle
    run_id: str
    code_version: str
    window: Window | None = None
    inputs: tuple[TableHandle, ...] = ()
    quarantine: TableHandle | None = None
    files: tuple[LandedFile, ...] = ()
    limits_memory: bool = False
    recompute: bool = False

    @property
    def table(self) -> str:
        """The id of the table to write; it names the step too."""
        return self.output.id

    def to_json(self) -> str:
        """The request as JSON, dates and times in ISO format."""
        return _to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse the text of `to_json`.

        Raises:
            msgspec.DecodeError: the text is not JSON, or lacks a field, or has one of another type.
        """
        return msgspec.json.decode(text, type=cls)


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of a check over a step's rows.

    Attributes:
        name: the rule or invariant.
        severity: what a failure means.
        failed_rows: the number of rows that fail it.
        description: the condition that all rows should meet, or the warning about rows that violate it.
    """

    name: str
    severity: Severity
    failed_rows: int
    description: str

    @property
    def passed(self) -> bool:
        """No row fails."""
        return self.failed_rows == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """Numbers of rows, by what a step did with them.

    Attributes:
        read: rows that the step read. A trusted step accounts for all of them:
            read = inserted + updated + unchanged + superseded + quarantined.
        inserted: new rows.
        updated: rows of a key that the table had with other values.
        deleted: rows that were removed.
        copied: unchanged rows that were rewritten because a changed row was in the same file or partition.
        unchanged: rows that the table had already.
        superseded: rows for whose key there is a newer row.
        quarantined: rows that violate a rule.
    """

    read: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    copied: int = 0
    unchanged: int = 0
    superseded: int = 0
    quarantined: int = 0

    def figures(self) -> dict[str, int]:
        """The counts by their public names: `rows_read`, `rows_inserted` and so on."""
        return {f"rows_{name}": value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCounts:
    """Numbers of data files that commits added and removed, and of their bytes."""

    added: int = 0
    removed: int = 0
    bytes_added: int = 0
    bytes_removed: int = 0

    def __add__(self, other: "FileCounts") -> "FileCounts":
        names = [f.name for f in fields(self)]
        return FileCounts(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def figures(self) -> dict[str, int]:
        """The counts by their public names: `files_added`, `bytes_added` and so on."""
        return {name if name.startswith("bytes_") else f"files_{name}": value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCounts:
    """What a step did with the rows of one landing date.

    Attributes:
        day: the landing date.
        rows: the day's part of the step's rows.
        partition_rows: rows in the day's partition after the step; None if the table has no partition per landing date.
    """

    day: date
    rows: RowCounts = field(default_factory=RowCounts)
    partition_rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step did, as the Delta log counts it.

    Attributes:
        table: the id of the table.
        version_before: the table's Delta version before the step.
        version_after: the version after it; the same if nothing was committed.
        rows: the rows by their outcome.
        files: data files and bytes; those of the quarantine included.
        seconds: wall time of the step.
        checks: the checks of the step's rows.
        days: one entry for each landing date of the window that has rows, in order. Empty for refined tables.
    """

    table: str
    version_before: int
    version_after: int
    rows: RowCounts = field(default_factory=RowCounts)
    files: FileCounts = field(default_factory=FileCounts)
    seconds: float = 0.0
    checks: tuple[Check, ...] = ()
    days: tuple[DayCounts, ...] = ()

    def figures(self) -> dict[str, Any]:
        """The result of the whole run in one level, as step records keep it: `rows_read`, `files_added`, …; no days."""
        return {
            "table": self.table,
            "version_before": self.version_before,
            "version_after": self.version_after,
            **self.rows.figures(),
            **self.files.figures(),
            "seconds": self.seconds,
            "checks": self.checks,
        }

    def to_json(self) -> str:
        """The result as JSON, dates in ISO format."""
        return _to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse the text of `StepResult.to_json`, or of the `to_json` of a failure.

        Raises:
            StepError, StepCrashError: the text is that of the failure.
            msgspec.DecodeError: the text is not JSON, or lacks a field, or has one of another type.
        """
        failure = msgspec.json.decode(text, type=_Failure)
        if failure.error is not None:
            raise StepError(failure.error)
        if failure.crash is not None:
            raise StepCrashError(failure.crash)
        return msgspec.json.decode(text, type=cls)


def _to_json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode()
