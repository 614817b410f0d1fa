"""The state of the lake: its tables, what ran last on them, and what needs attention."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import deltalake
import deltalake.exceptions

from olist_assets.lake.layout import Lake
from spark_steps import delta
from spark_steps.declarations import Layer
from spark_steps.protocol import Window
from spark_steps.tables import TABLES


@dataclass(frozen=True, slots=True)
class TableStatus:
    """A table as it stands; version and rows are None while it has not been written."""

    layer: str
    name: str
    rows: int | None
    version: int | None
    last: dict[str, Any] | None

    @property
    def last_window(self) -> str:
        """The landing dates of the last step run; empty if none is known."""
        window = (self.last or {}).get("window")
        return str(Window(date.fromisoformat(window["from"]), date.fromisoformat(window["to"]))) if window else ""


def tables(lake: Lake) -> list[TableStatus]:
    """Every Delta table, in the order of the lineage."""
    last = {record["table"]: record for record in lake.newest_records()}
    return [_status(lake, table_id, last.get(table_id)) for table_id in TABLES]


def problems(lake: Lake, statuses: list[TableStatus]) -> list[str]:
    """What needs attention, a line each."""
    found = [
        f"{s.rows} rows of {s.name} are quarantined: see why with "
        f"`olist sql 'select rule, reason, count(*) from quarantine.{s.name} group by all'`"
        for s in statuses
        if s.layer == Layer.QUARANTINE and s.rows
    ]
    landzones = {f"landzone/{s.name}" for s in statuses if s.layer == Layer.RAW}
    records = [*lake.last_records(landzones).values(), *(s.last for s in statuses if s.last)]
    found += [f"{r['table']} failed in its last run: {r['error']}" for r in records if r["status"] != "succeeded"]
    if waiting := len(lake.pending_days()):
        found.append(f"{waiting} files wait in the landzone: load them with `olist run`")
    return found


def _status(lake: Lake, table_id: str, last: dict[str, Any] | None) -> TableStatus:
    handle = lake.table(table_id)
    table = TABLES[table_id]
    try:
        version = deltalake.DeltaTable(handle.uri).version()
    except deltalake.exceptions.TableNotFoundError:
        return TableStatus(table.layer, table.name, None, None, last)
    return TableStatus(table.layer, table.name, delta.row_count(handle), version, last)
