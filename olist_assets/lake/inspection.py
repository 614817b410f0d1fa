"""The state of each table: present, missing, or unreadable and why. Status, runs and rebuilds decide by it."""

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import partial
from typing import Any
from urllib.parse import unquote

import deltalake
import deltalake.exceptions
import pyarrow.compute as pc
from obstore.exceptions import BaseError

from olist_assets.aws.redaction import summarize_text
from olist_assets.lake.layout import Lake
from olist_assets.lake.storage import list_objects
from olist_assets.lake.table_versions import DeltaLog, explain_storage_error, unreadable_message
from spark_steps import delta
from spark_steps.tables import TABLES

_CONCURRENT_TABLES = 16
"""How many tables are inspected at the same time. On S3 most of the time is spent waiting."""

_OF_STORAGE = ("os error", "Generic S3 error", "AccessDenied", "error sending request")
"""Signs in an error of delta-rs that storage failed, and that the log may be intact."""

_DAY_PARTITION = "partition._landing_date"
_UNSUPPORTED = re.compile(r"[Ff]eature '?(\w+)'? is not supported")
_DEBUG_TEXT = re.compile(r"\x1b\[[0-9;]*m|\s*(?:\n|↳|\{|0: <unknown>).*", re.DOTALL)
_PREFIXES = re.compile(r"^(?:(?:Kernel|Generic delta kernel|Generic) error(?:: | -> )?)+")


class State(StrEnum):
    """The state of a table."""

    PRESENT = "present"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class TableState:
    """What an inspection found out about a table.

    Attributes:
        id: the table's id.
        state: whether it can be read.
        version: its newest Delta version; None if it is not known.
        rows: its number of rows, from the Delta log; None if it is not known.
        reason: why it cannot be read, in a few words; empty if it can, or is missing.
        days: the first and last landing date of its partitions; None if it has none.
    """

    id: str
    state: State
    version: int | None = None
    rows: int | None = None
    reason: str = ""
    days: tuple[date, date] | None = None

    @property
    def problem(self) -> str:
        """Why the table cannot be read, and the remedy, in one line; empty if it can be read, or is missing."""
        return unreadable_message(self.id, self.reason) if self.state is State.UNREADABLE else ""


def inspect_tables(lake: Lake, table_ids: Iterable[str] = TABLES) -> dict[str, TableState]:
    """The state of tables, by id.

    Each costs one listing of its folder and one opening of its Delta log. No data is read, so damage within a data file
    of the right size is not found.
    """
    with ThreadPoolExecutor(_CONCURRENT_TABLES) as pool:
        return {state.id: state for state in pool.map(partial(_inspect, lake), table_ids)}


def _inspect(lake: Lake, table_id: str) -> TableState:
    try:
        listing = list_objects(lake.store, table_id)
        log = DeltaLog(lake.store, table_id, listing)
        if log.damage:
            return TableState(table_id, State.UNREADABLE, log.newest, reason=log.damage)
    except (BaseError, OSError) as error:
        return TableState(table_id, State.UNREADABLE, reason=explain_storage_error(error))
    handle = lake.table(table_id)
    try:
        table = deltalake.DeltaTable(handle.uri)
        files = delta.data_files(handle, table)
    except deltalake.exceptions.TableNotFoundError:
        return TableState(table_id, State.MISSING)
    except Exception as error:  # noqa: BLE001 - delta-rs has no common class for what it finds in a log
        return TableState(table_id, State.UNREADABLE, log.newest, reason=_explain(error, log))
    sizes = {meta["path"].removeprefix(f"{table_id}/"): meta["size"] for meta in listing}
    reason = _unreadable_feature(table) or _damaged_file(files, sizes)
    return TableState(
        table_id,
        State.UNREADABLE if reason else State.PRESENT,
        table.version(),
        _count_rows(files, table),
        reason,
        _first_and_last_day(files),
    )


def _unreadable_feature(table: deltalake.DeltaTable) -> str:
    """The features of the table that not every engine reads, as a reason; empty if there are none."""
    features = delta.unsupported_features(table)
    return f"it needs the reader feature {', '.join(features)}, which is not supported" if features else ""


def _damaged_file(files: Any, sizes: dict[str, int]) -> str:
    """The first data file of the log that is lost or has another size, as a reason; empty if there is none."""
    damaged: list[str] = []
    for path, size in zip(*(files.column(name).to_pylist() for name in ("path", "size_bytes")), strict=True):
        if "://" in path or path.startswith("/"):  # a file of another table
            continue
        actual = sizes.get(path, sizes.get(unquote(path)))
        if actual is None:
            damaged.append(f"its data file {path} is missing")
        elif actual != size:
            damaged.append(f"its data file {path} has {actual:,} bytes instead of {size:,}")
    return damaged[0] + (f" (and {len(damaged) - 1:,} more)" if len(damaged) > 1 else "") if damaged else ""


def _count_rows(files: Any, table: deltalake.DeltaTable) -> int | None:
    """The number of rows; None if the log does not count the rows of each file."""
    if not files.num_rows:
        return 0
    counts = files.column("num_records")
    if counts.null_count:
        return None
    return pc.sum(counts).as_py() - sum(delta.rows_deleted_by_vectors(table).values())


def _first_and_last_day(files: Any) -> tuple[date, date] | None:
    if not files.num_rows or _DAY_PARTITION not in files.column_names:
        return None
    days = pc.min_max(files.column(_DAY_PARTITION)).as_py()
    return days["min"], days["max"]


def _explain(error: Exception, log: DeltaLog) -> str:  # noqa: PLR0911 - one per cause
    """Why delta-rs cannot open a table, in a few words."""
    text = str(error)
    if match := _UNSUPPORTED.search(text):
        return f"it needs the reader feature {match[1]}, which is not supported"
    if any(sign in text for sign in _OF_STORAGE):
        return explain_storage_error(error)
    if "Path does not exist" in text:
        return "a file is in its place"
    if "Checkpoint" in text or "Parquet" in text:
        return "the checkpoint of its log is damaged"
    try:
        if (commit := log.damaged_commit()) is not None:
            return f"commit {commit} of its log is damaged"
    except (BaseError, OSError) as storage_error:
        return explain_storage_error(storage_error)
    return f"its log is damaged ({_PREFIXES.sub('', summarize_text(_DEBUG_TEXT.sub('', text)))})"
