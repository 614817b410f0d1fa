"""Whether a step may run on the tables as they are, and which of them made it fail."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import cache

from olist_assets.engines.local.sail import MEMORY_BYTES, MEMORY_VARIABLE
from olist_assets.errors import rebuild_remedy
from olist_assets.lake.inspection import inspect_tables
from olist_assets.lake.layout import Lake
from olist_assets.lake.table_versions import resolve_versions, unreadable_message
from spark_steps import delta
from spark_steps.declarations import Layer
from spark_steps.protocol import StepError, StepRequest
from spark_steps.steps.memory import is_shortage

_DAMAGED_FILE = re.compile(r"Parquet error|not a Parquet file|FileNotFound|not found")
"""Errors of the engines about a data file that is lost or damaged."""


def check_tables(lake: Lake, request: StepRequest) -> bool:
    """Refuse to run a step that would read a lost or damaged table, or write only a part of a lost one.

    Steps create missing tables. If days are loaded, an empty table in place of a lost one would make all tables that
    are computed from it wrong. The check lists the Delta logs of the step's tables and opens none.

    Returns:
        Whether the output has a recompute mark, so that all of it is to be computed.

    Raises:
        StepError: the step must not run; the message has the remedy.
    """
    versions, damaged = resolve_versions(lake.store, _table_ids(request), None)
    for table_id, reason in damaged.items():
        raise StepError(f"{request.table}: {unreadable_message(table_id, reason)}")
    marked, loaded_days = lake.recompute_marks.tables(), cache(lake.load_marks.days)
    for handle in request.inputs:
        if handle.id in marked or (handle.id not in versions and (marked or loaded_days())):
            state = "to be recomputed" if handle.id in marked else "missing although days are loaded"
            raise StepError(f"{request.table}: {handle.id} is {state}: `olist run` recomputes it")
    if request.table in marked:
        days = [*loaded_days(), *_other_loaded_days(lake, request)]
        _require_whole_window(request, days, f"{request.table} is to be recomputed, and")
        return True
    for handle in (request.output, request.quarantine):
        if handle and handle.id not in versions:
            _require_whole_window(request, loaded_days(), f"{handle.id} is missing although")
    return False


def explain_failure(lake: Lake, request: StepRequest, error: Exception) -> StepError | None:
    """Why a step failed, as an error with the remedy, if its tables or its memory are the reason; None otherwise.

    Args:
        lake: the lake.
        request: the request of the failed step.
        error: its error. If it names a data file, the file is damaged in a way that an inspection does not find.
    """
    if is_shortage(error):
        return StepError(
            f"{request.table}: the queries need more memory than Sail may use: set {MEMORY_VARIABLE} to more than the "
            f"default of {MEMORY_BYTES} bytes"
        )
    for state in inspect_tables(lake, _table_ids(request)).values():
        if state.problem:
            return StepError(f"{request.table}: {state.problem}")
        if f"/{state.id}/" in str(error) and _DAMAGED_FILE.search(str(error)):
            return StepError(f"{request.table}: {state.id} has a damaged data file: {rebuild_remedy(state.id)}")
    return None


def _table_ids(request: StepRequest) -> list[str]:
    handles = (request.output, *([request.quarantine] if request.quarantine else []), *request.inputs)
    return [handle.id for handle in handles]


def _other_loaded_days(lake: Lake, request: StepRequest) -> Iterable[date]:
    """Loaded days that may have no load mark: those in the raw input of a trusted table, or in the archive of raw."""
    table = request.output.declaration
    if table.layer is Layer.TRUSTED:
        return [day for handle in request.inputs for day in delta.rows_by_day(replace(handle, window=None))]
    return lake.landzone.archived_files(table.name).values() if table.layer is Layer.RAW else []


def _require_whole_window(request: StepRequest, loaded: Iterable[date], state: str) -> None:
    """Check that a raw or trusted table which is to be written again gets the rows of all loaded days.

    A refined table is computed from whole inputs if it is empty, or has a recompute mark.

    Raises:
        StepError: a loaded day is not in the window; the message begins with the state of the table.
    """
    window, table = request.window, request.output.declaration
    if window is None or table.layer is Layer.REFINED:
        return
    if any(day not in window for day in loaded):
        raise StepError(f"{state} days other than {window} are loaded: `olist run` recomputes it from all of them")
