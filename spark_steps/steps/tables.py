"""The open tables of a step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Self

from spark_steps.delta_log import OpenTable, accept_commit, open_table, row_count
from spark_steps.protocol import StepRequest, TableHandle, Window

LARGE_TABLE = 2_000_000
"""Rows of a large table. The joins of a fact of 10 million orders at once would need 9 GB on Sail."""


@dataclass(frozen=True, slots=True)
class TableState:
    """What identifies the content of a table, also if a restored table gets the same version again.

    Attributes:
        delta_id: the id that the table got from Delta when it was created.
        version: its newest known version.
        files: a digest of the names of its data files, which no two writes share.
    """

    delta_id: str
    version: int
    files: str

    @classmethod
    def of(cls, table: OpenTable) -> Self:
        """The state of a table at its newest known version."""
        names = "\n".join(sorted(table.log.file_uris()))
        return cls(str(table.log.metadata().id), table.version, sha256(names.encode()).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTables:
    """The tables of a request, each opened once and without a window.

    Attributes:
        output: the table to write.
        inputs: the tables to read, by id.
        quarantine: the table for rejected rows, if the request has one.
    """

    output: OpenTable
    inputs: Mapping[str, OpenTable]
    quarantine: OpenTable | None = None

    @classmethod
    def open(cls, request: StepRequest, before_commit: Callable[[], None] = accept_commit) -> Self:
        """Open the tables of a request; those that do not exist are created.

        Args:
            request: the request.
            before_commit: called before each commit to one of them.

        Raises:
            StepError: as `open_table` does.
        """

        def open_whole(handle: TableHandle) -> OpenTable:
            return replace(open_table(replace(handle, window=None)), before_commit=before_commit)

        return cls(
            output=open_whole(request.output),
            inputs={handle.id: open_whole(handle) for handle in request.inputs},
            quarantine=open_whole(request.quarantine) if request.quarantine else None,
        )

    def are_large(self, window: Window | None) -> bool:
        """Whether an input has so many rows that the step may need most of the memory.

        Args:
            window: the landing dates that a trusted step reads; None for a refined step, which reads all.
        """
        return any(row_count(table.within(window)) > LARGE_TABLE for table in self.inputs.values())

    def states(self) -> dict[str, TableState]:
        """The state of each table, by the table's id."""
        tables = [self.output, *self.inputs.values(), *([self.quarantine] if self.quarantine else [])]
        return {table.handle.id: TableState.of(table) for table in tables}
