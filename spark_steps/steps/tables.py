"""The open tables of a step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Self

from spark_steps.delta_log import OpenTable, open_table, row_count
from spark_steps.protocol import StepRequest, TableHandle, Window

LARGE_TABLE = 2_500_000
"""Rows of a large table. The joins of a fact of 10 million orders at once would need 9 GB on Sail."""

one_large_step = Lock()
"""Locked during a step with many rows: at the same time, two of them would need twice the memory."""


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
    def open(cls, request: StepRequest) -> Self:
        """Open the tables of a request; those that do not exist are created.

        Raises:
            StepError: as `open_table` does.
        """
        return cls(
            output=_open(request.output),
            inputs={handle.id: _open(handle) for handle in request.inputs},
            quarantine=_open(request.quarantine) if request.quarantine else None,
        )

    def are_large(self, window: Window | None) -> bool:
        """Whether an input has so many rows that the step may need much of the memory.

        Args:
            window: the landing dates that a trusted step reads; None for a refined step, which reads all.
        """
        return any(row_count(table.within(window)) > LARGE_TABLE for table in self.inputs.values())

    def versions(self) -> dict[str, tuple[str, int]]:
        """Delta's id and the newest known version of each table, by the table's id."""
        tables = [self.output, *self.inputs.values(), *([self.quarantine] if self.quarantine else [])]
        return {table.handle.id: (str(table.log.metadata().id), table.version) for table in tables}


def _open(handle: TableHandle) -> OpenTable:
    return open_table(replace(handle, window=None))
