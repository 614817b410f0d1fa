"""The status of a lake: its tables, their last runs, and problems that need attention."""

from dataclasses import dataclass

import deltalake
import deltalake.exceptions

from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import StepRecord
from spark_steps import delta
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES


@dataclass(frozen=True, slots=True)
class TableStatus:
    """The status of a Delta table.

    Attributes:
        layer: its layer.
        name: its name within the layer.
        rows: its number of rows; None if the table has not been written.
        version: its newest Delta version; None if the table has not been written.
        last: the record of its last step run; None if no run is known.
    """

    layer: str
    name: str
    rows: int | None
    version: int | None
    last: StepRecord | None

    @property
    def last_window(self) -> str:
        """The landing dates of the last step run; empty if no run is known or it had no window."""
        return str(self.last.window) if self.last and self.last.window else ""


def tables(lake: Lake) -> list[TableStatus]:
    """The status of every declared Delta table, upstream first."""
    last = {record.table: record for record in lake.step_records.newest_of_lineage()}
    return [_table_status(lake, table_id, last.get(table_id)) for table_id in TABLES]


def problems(lake: Lake, statuses: list[TableStatus]) -> list[str]:
    """Problems that need attention, one line each: quarantined rows, failed steps, pending files."""
    lines = [
        f"{s.rows} rows of {s.name} are quarantined: see why with "
        f"`olist sql 'select rule, reason, count(*) from quarantine.{s.name} group by all'`"
        for s in statuses
        if s.layer == Layer.QUARANTINE and s.rows
    ]
    landing_steps = {f"landzone/{s.name}" for s in statuses if s.layer == Layer.RAW}
    records = [*lake.step_records.newest(landing_steps).values(), *(s.last for s in statuses if s.last)]
    lines += [f"{record.table} failed in its last run: {record.error}" for record in records if not record.succeeded]
    if pending := len(lake.landzone.pending_days()):
        lines.append(f"{pending} files wait in the landzone: load them with `olist run`")
    return lines


def _table_status(lake: Lake, table_id: str, last: StepRecord | None) -> TableStatus:
    handle, table = lake.table(table_id), TABLES[table_id]
    try:
        version = deltalake.DeltaTable(handle.uri).version()
    except deltalake.exceptions.TableNotFoundError:
        return TableStatus(table.layer, table.name, None, None, last)
    return TableStatus(table.layer, table.name, delta.row_count(handle), version, last)
