"""The contract between steps and whoever runs them: requests, results, and what they are made of, as JSON too."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from spark_steps.declarations import Severity, TableSpec
from spark_steps.tables import TABLES


class StepError(Exception):
    """A step that cannot be done as asked: one line that names the table, the place and the cure."""

    def to_json(self) -> str:
        """The error in place of a result; `StepResult.from_json` raises it."""
        return json.dumps({"error": str(self)})


@dataclass(frozen=True, slots=True)
class Window:
    """Landing dates from `start` up to, and without, `end`."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"a window's end must lie after its start, not {self.start} to {self.end}")

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
        """Its landing dates, in order."""
        return tuple(self.start + timedelta(days=n) for n in range((self.end - self.start).days))

    def predicate(self, column: str = "_landing_date") -> str:
        """SQL that is true of the window's rows, with literals, so that partitions are pruned."""
        return f"{column} >= DATE'{self.start}' AND {column} < DATE'{self.end}'"


@dataclass(frozen=True, slots=True)
class TableHandle:
    """A handle on a Delta table: which one it is, where it lies, and the landing dates that are meant (all if None)."""

    id: str
    uri: str
    window: Window | None = None

    @property
    def declaration(self) -> TableSpec:
        """What is declared of the table."""
        return TABLES[self.id]


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A CSV file in the landzone.

    Attributes:
        uri: where it lies.
        name: the name that it was delivered under.
        file_id: the first 16 hex digits of its content's SHA-256.
        landing_date: the day of its delivery.
        extracted_at: when the source wrote it (UTC).
    """

    uri: str
    name: str
    file_id: str
    landing_date: date
    extracted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRequest:
    """Everything that a step may know.

    Attributes:
        output: the table that it writes.
        window: the landing dates that it is run for; None for a table that is computed whole.
        inputs: the tables that it reads.
        quarantine: where a trusted step puts the rows that it does not accept.
        files: the landed files that a raw step appends.
        run_id: the run that it belongs to.
        code_version: the version of the code that made the request.
    """

    output: TableHandle
    run_id: str
    code_version: str
    window: Window | None = None
    inputs: tuple[TableHandle, ...] = ()
    quarantine: TableHandle | None = None
    files: tuple[LandedFile, ...] = ()

    @property
    def table(self) -> str:
        """The id of the table that is written; it names the step too."""
        return self.output.id

    def to_json(self) -> str:
        """The request as JSON, dates in ISO format."""
        return json.dumps(asdict(self), default=_to_text, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The request that `to_json` wrote."""
        fields = json.loads(text)
        return cls(
            output=_handle(fields["output"]),
            run_id=fields["run_id"],
            code_version=fields["code_version"],
            window=_window(fields["window"]),
            inputs=tuple(_handle(i) for i in fields["inputs"]),
            quarantine=_handle(fields["quarantine"]) if fields["quarantine"] else None,
            files=tuple(
                LandedFile(
                    **f
                    | {
                        "landing_date": date.fromisoformat(f["landing_date"]),
                        "extracted_at": datetime.fromisoformat(f["extracted_at"]),
                    }
                )
                for f in fields["files"]
            ),
        )


@dataclass(frozen=True, slots=True)
class Check:
    """What a check over a step's rows found: how many rows fail it, and whether that is an error or a warning."""

    name: str
    severity: Severity
    failed_rows: int
    description: str

    @property
    def passed(self) -> bool:
        """No row fails."""
        return self.failed_rows == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCounts:
    """What a step did with the rows of one landing date, in the terms of its `StepResult`.

    `rows_held` are the day's rows that the table holds afterwards; None where it is not partitioned by landing date.
    """

    day: date
    rows_read: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_superseded: int = 0
    rows_quarantined: int = 0
    rows_held: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step did, in rows, files and bytes as the Delta log counts them; quarantine's files and bytes among them.

    `rows_copied` did not change: they were written anew because they stood in a file with others that did.

    `rows_read` are the rows that the step was given; of a trusted step they all are accounted for:
    read = inserted + updated + unchanged + superseded + quarantined.

    `days` are the window's landing dates that there are rows of, in order, each with its part of the rows. A table that
    is computed whole has none.
    """

    table: str
    version_before: int
    version_after: int
    rows_read: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    rows_copied: int = 0
    rows_unchanged: int = 0
    rows_superseded: int = 0
    rows_quarantined: int = 0
    files_added: int = 0
    files_removed: int = 0
    bytes_added: int = 0
    bytes_removed: int = 0
    seconds: float = 0.0
    checks: tuple[Check, ...] = field(default=())
    days: tuple[DayCounts, ...] = ()

    def to_json(self) -> str:
        """The result as JSON, dates in ISO format."""
        return json.dumps(asdict(self), default=_to_text, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The result that `to_json` wrote.

        Raises:
            StepError: the step could not be done, and left this error in place of a result.
        """
        fields = json.loads(text)
        if "error" in fields:
            raise StepError(fields["error"])
        checks = tuple(Check(**c | {"severity": Severity(c["severity"])}) for c in fields.pop("checks"))
        days = tuple(DayCounts(**d | {"day": date.fromisoformat(d["day"])}) for d in fields.pop("days"))
        return cls(**fields, checks=checks, days=days)


def _to_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


def _window(fields: dict[str, str] | None) -> Window | None:
    return Window(date.fromisoformat(fields["start"]), date.fromisoformat(fields["end"])) if fields else None


def _handle(fields: dict[str, Any]) -> TableHandle:
    return TableHandle(fields["id"], fields["uri"], _window(fields["window"]))
