"""The last step of a table, kept beside its log: a step with the same inputs and code would change nothing.

A step is a function of its request and of the versions of its tables. A table keeps both as its last step left them.
If the next request finds the same, the step is done without a query.
"""

from dataclasses import dataclass, replace
from typing import Self

import msgspec

from spark_steps.filesystems import resolve
from spark_steps.protocol import RowCounts, StepRequest, StepResult, Window
from spark_steps.steps.tables import StepTables, TableState

NAME = "_last_step.json"
"""An object in the table's folder. Delta ignores names that begin with an underscore."""


@dataclass(frozen=True, slots=True)
class _Basis:
    """What the result of a step depends on.

    Attributes:
        code_version: the version of the code.
        window: the landing dates of the request.
        tables: the state of the step's tables, those it writes included.
    """

    code_version: str
    window: Window | None
    tables: dict[str, TableState]

    @classmethod
    def of(cls, request: StepRequest, tables: StepTables) -> Self:
        return cls(request.code_version, request.window, tables.states())


@dataclass(frozen=True, slots=True)
class LastStep:
    """A step, and its basis after its commits."""

    basis: _Basis
    result: StepResult

    def repeat(self, request: StepRequest, tables: StepTables) -> StepResult | None:
        """The result of a step that would repeat this one: its rows are unchanged. None if anything differs."""
        if self.basis != _Basis.of(request, tables):
            return None
        return StepResult(
            table=request.table,
            version_before=tables.output.version,
            version_after=tables.output.version,
            rows=_unchanged(self.result.rows),
            checks=self.result.checks,
            days=tuple(replace(day, rows=_unchanged(day.rows)) for day in self.result.days),
        )


def read(request: StepRequest) -> LastStep | None:
    """The last step of the request's table; None if there is none, for example in a table of an earlier release.

    Raises:
        OSError: the storage cannot be read.
    """
    filesystem, path = resolve(f"{request.output.uri}/{NAME}")
    try:
        with filesystem.open_input_stream(path) as stream:
            return msgspec.json.decode(stream.read(), type=LastStep)
    except (FileNotFoundError, msgspec.DecodeError):  # or incomplete
        return None


def keep(request: StepRequest, tables: StepTables, result: StepResult) -> None:
    """Keep a step as the last one of its table, after all its commits.

    Raises:
        OSError: the storage cannot be written.
    """
    filesystem, path = resolve(f"{request.output.uri}/{NAME}")
    with filesystem.open_output_stream(path) as stream:
        stream.write(msgspec.json.encode(LastStep(_Basis.of(request, tables), result)))


def _unchanged(rows: RowCounts) -> RowCounts:
    """The counts of the same rows in a second run."""
    return RowCounts(
        read=rows.read,
        unchanged=rows.inserted + rows.updated + rows.unchanged,
        superseded=rows.superseded,
        quarantined=rows.quarantined,
    )
