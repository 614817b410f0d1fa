"""The status of a lake: its tables, their last runs, problems that need attention, and notes.

`PROBLEMS` and `NOTES` list what is looked for: functions of the findings, each returns lines.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from obstore.exceptions import BaseError

from olist_assets.errors import OlistError, quantity, rebuild_remedy
from olist_assets.lake.inspection import State, TableState, inspect_tables
from olist_assets.lake.layout import Lake
from olist_assets.lake.leases import LIFETIME, damaged_leases
from olist_assets.lake.step_records import StepRecord
from olist_assets.lake.table_versions import explain_storage_error
from olist_assets.operations.pending import pending_days
from olist_assets.sources.deliveries import Deliveries, Scan
from olist_assets.sources.notices import Notice, describe_notices, describe_waiting_rows
from spark_steps.declarations import WAITING_FOR_ORDER, Layer, Severity
from spark_steps.protocol import Check
from spark_steps.tables import TABLES, tables_in

T = TypeVar("T")
_NOTED_CHECKS = {"nothing_quarantined", WAITING_FOR_ORDER}
"""Checks whose rows another note counts."""
_LOADS_AGAIN = "`olist run` loads its days again"
_LANDING_STEPS = {f"landzone/{table.name}" for table in tables_in(Layer.RAW)}


@dataclass(frozen=True, slots=True)
class TableStatus:
    """The status of a Delta table.

    Attributes:
        layer: its layer.
        name: its name within the layer.
        table: what an inspection found out about it.
        last: the record of its last step run; None if no run is known.
    """

    layer: str
    name: str
    table: TableState
    last: StepRecord | None = None

    @property
    def id(self) -> str:
        """Its id, such as trusted/orders."""
        return self.table.id

    @property
    def state(self) -> State:
        """Whether it can be read."""
        return self.table.state

    @property
    def rows(self) -> int | None:
        """Its number of rows; None if it is not known."""
        return self.table.rows

    @property
    def version(self) -> int | None:
        """Its newest Delta version; None if it is not known."""
        return self.table.version

    @property
    def last_window(self) -> str:
        """The landing dates of the last step run; empty if no run is known or it had no window."""
        return str(self.last.window) if self.last and self.last.window else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a look at a lake and its source finds.

    Attributes:
        tables: the status of each declared Delta table, upstream first.
        records: the record of the last run of each step, landing steps included, by the asset's key.
        marks: the delivered files of each loaded day; None if the mark is damaged.
        damaged_marks: the damaged objects with load marks by path, with the days that they may have marks of.
        recompute: the ids of the tables with a recompute mark.
        damaged_records: the paths of step records that cannot be read.
        damaged_leases: the paths of leases that cannot be read.
        pending: the landing dates that `olist run` would load, in order.
        notices: remarks about entries of the source.
        unreadable: lines on the source and on folders of the lake that cannot be read.
    """

    tables: list[TableStatus]
    records: dict[str, StepRecord]
    marks: dict[date, list[str] | None]
    damaged_marks: dict[str, list[date]]
    recompute: frozenset[str]
    damaged_records: list[str]
    damaged_leases: list[str]
    pending: list[date]
    notices: list[Notice]
    unreadable: list[str]

    @property
    def lines(self) -> tuple[list[str], list[str]]:
        """What needs attention, and what is worth knowing: one line each."""
        problems, notes = ([line for find in functions for line in find(self)] for functions in (PROBLEMS, NOTES))
        return problems, notes


def look_at(lake: Lake, deliveries: Deliveries) -> Findings:
    """Look at a lake and its source. What cannot be read is a finding, not an error."""
    unreadable: list[str] = []
    damaged_records: list[str] = []
    damaged_marks: dict[str, list[date]] = {}

    def attempt(place: str, read: Callable[[], T], default: T) -> T:
        try:
            return read()
        except OlistError as error:
            unreadable.append(str(error))
        except (BaseError, OSError) as error:
            unreadable.append(f"{place} cannot be read: {explain_storage_error(error)}")
        return default

    steps = {table.id for table in TABLES.values() if table.layer is not Layer.QUARANTINE} | _LANDING_STEPS
    records = attempt("control/steps", lambda: lake.step_records.newest(steps, on_damaged=damaged_records.append), {})
    marks = attempt("control/days", lambda: lake.load_marks.read(damaged_marks.__setitem__), {})
    source = attempt("the source", deliveries.scan, Scan())
    return Findings(
        tables=[
            TableStatus(TABLES[state.id].layer, TABLES[state.id].name, state, records.get(state.id))
            for state in inspect_tables(lake).values()
        ],
        records={table: records[table] for table in (*sorted(_LANDING_STEPS), *TABLES) if table in records},
        marks=marks,
        damaged_marks=damaged_marks,
        recompute=attempt("control/recompute", lake.recompute_marks.tables, frozenset()),
        damaged_records=damaged_records,
        damaged_leases=attempt("control/leases", lambda: damaged_leases(lake.store), []),
        pending=attempt("landzone", lambda: sorted(pending_days(lake, marks, source.fingerprints)), []),
        notices=source.notices,
        unreadable=unreadable,
    )


def describe_left_out(notices: Iterable[Notice], records: Iterable[StepRecord]) -> list[str]:
    """What is ignored, due later or waiting, one line each.

    Args:
        notices: remarks about entries of the source.
        records: the newest step record of each table.
    """
    waiting = [
        describe_waiting_rows(record.table, check.failed_rows)
        for record in records
        for check in record.checks or ()
        if check.name == WAITING_FOR_ORDER and not check.passed
    ]
    return describe_notices(notices) + waiting


def _unreadable_tables(found: Findings) -> Iterator[str]:
    yield from (status.table.problem for status in found.tables if status.table.problem)


def _tables_set_back(found: Findings) -> Iterator[str]:
    """Tables whose newest commits are lost. The rest of such a log is complete, so that an inspection finds nothing."""
    for table in found.tables:
        written = table.last.version_after if table.last else None
        if table.state is State.PRESENT and written is not None and written > (table.version or 0):
            yield (
                f"{table.id} is at version {table.version}, but its last run wrote version {written}: "
                f"{rebuild_remedy(table.id)}"
            )


def _lost_tables(found: Findings) -> Iterator[str]:
    lost = [s.id for s in found.tables if s.state is State.MISSING and s.id not in found.recompute]
    if found.marks and lost:
        verb, object_ = ("is", "it") if len(lost) == 1 else ("are", "them")
        yield f"{', '.join(lost)} {verb} missing although days are loaded: `olist run` recomputes {object_}"


def _tables_to_recompute(found: Findings) -> Iterator[str]:
    if tables := [table_id for table_id in TABLES if table_id in found.recompute]:
        yield f"the recomputation of {', '.join(tables)} was interrupted: `olist run` continues it"


def _failed_steps(found: Findings) -> Iterator[str]:
    for record in found.records.values():
        if not record.succeeded:
            yield f"{record.table} failed in its last run: {record.error}"


def _failed_checks(found: Findings) -> Iterator[str]:
    for table, check in _checks(found, Severity.ERROR):
        rows = quantity(check.failed_rows, "row")
        yield f"{table} failed a check in its last run: {check.name}: {rows}: {check.description}"


def _pending_days(found: Findings) -> Iterator[str]:
    days = found.pending
    if len(days) == 1:
        yield f"1 day ({days[0]}) is not loaded, or not completely: load it with `olist run`"
    elif days:
        span = f"{days[0]} to {days[-1]}"
        yield f"{len(days):,} days ({span}) are not loaded, or not completely: load them with `olist run`"


def _unreadable_folders(found: Findings) -> Iterator[str]:
    yield from found.unreadable


def _damaged_objects(found: Findings) -> Iterator[str]:
    for path, days in found.damaged_marks.items():
        is_delivered = any(day in found.pending for day in days)
        yield f"{path} is damaged: {_LOADS_AGAIN if is_delivered else 'the source has no such day: remove it'}"
    for path in found.damaged_leases:
        seconds = LIFETIME.total_seconds()
        yield f"{path} is damaged: the next run of the table replaces it, {seconds:.0f} seconds after its last change"
    for path in found.damaged_records:
        yield f"{path} is not a step record and is skipped: remove it"


def _quarantined_rows(found: Findings) -> Iterator[str]:
    for status in found.tables:
        if status.layer == Layer.QUARANTINE and status.rows:
            verb = "is" if status.rows == 1 else "are"
            yield (
                f"{quantity(status.rows, 'row')} of {status.name} {verb} quarantined: see why with "
                f"`olist sql 'select rule, reason, count(*) from quarantine.{status.name} group by all'`"
            )


def _left_out(found: Findings) -> Iterator[str]:
    yield from describe_left_out(found.notices, found.records.values())


def _warnings(found: Findings) -> Iterator[str]:
    for table, check in _checks(found, Severity.WARN):
        if check.name not in _NOTED_CHECKS:
            yield f"{table}: {check.name}: {quantity(check.failed_rows, 'row')} in its last run"


PROBLEMS: tuple[Callable[[Findings], Iterator[str]], ...] = (
    _unreadable_tables,
    _tables_set_back,
    _lost_tables,
    _tables_to_recompute,
    _failed_steps,
    _failed_checks,
    _pending_days,
    _unreadable_folders,
    _damaged_objects,
)
"""What needs attention: `olist status --check` fails if there is any."""

NOTES: tuple[Callable[[Findings], Iterator[str]], ...] = (_left_out, _quarantined_rows, _warnings)
"""What is worth knowing. A quarantined row, for example, stays in the quarantine even after it has been corrected."""


def _checks(found: Findings, severity: Severity) -> Iterator[tuple[str, Check]]:
    """The failed checks of the last runs, with their tables."""
    for record in found.records.values():
        for check in record.checks or ():
            if not check.passed and check.severity is severity:
                yield record.table, check
