"""A lake compared with the oracle, or with another lake, table by table."""

from collections import Counter
from collections.abc import Iterable, Sequence

import deltalake

from olist_assets_tests.lakes import TestLake
from olist_assets_tests.oracle.star import expected
from olist_assets_tests.scenarios.delivery_strategies import File, Range
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES


def compared_tables(table_ids: Iterable[str]) -> tuple[str, ...]:
    """The tables among these that are compared: all layers from trusted on."""
    return tuple(table_id for table_id in table_ids if TABLES[table_id].layer is not Layer.RAW)


COMPARED = compared_tables(TABLES)


def loaded_files(files: Iterable[File], runs: Iterable[Range]) -> list[File]:
    """The files of the days that these runs have loaded."""
    runs = tuple(runs)
    return [file for file in files if any(file in run for run in runs)]


def differences(lake: TestLake, files: Sequence[File], table_ids: Sequence[str] = COMPARED) -> dict[str, dict]:
    """For each table that differs from the oracle's: the missing rows and the unexpected rows."""
    expected_rows, found = expected(files), {}
    for table_id in table_ids:
        columns = _compared_columns(table_id)
        want = Counter(tuple(row.get(c) for c in columns) for row in expected_rows[table_id])
        have = Counter(tuple(row.values()) for row in lake.read(table_id, *columns))
        if want != have:
            found[table_id] = {
                name: [dict(zip(columns, row, strict=True)) for row in rows.elements()]
                for name, rows in (("missing", want - have), ("unexpected", have - want))
            }
    return found


def _compared_columns(table_id: str) -> tuple[str, ...]:
    table = TABLES[table_id]
    if table.layer is Layer.QUARANTINE:
        return ("_extracted_at", "_landing_date", "_file_id", "_row")
    if table.name == "dim_date":
        return ("date_key",)
    return tuple(name for name in table.column_names if name not in ("_hash", "_received_at"))


def table_content(lake: TestLake, table_id: str) -> tuple[str, list[str]]:
    """A table's schema as JSON, and its rows in an order that depends on their values only."""
    schema = deltalake.DeltaTable(lake.table(table_id).uri).schema().to_json()
    return schema, sorted(map(repr, lake.read(table_id)))
