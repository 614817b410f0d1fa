"""Dumps to replay, and what their replays delivered."""

import csv
from pathlib import Path

from olist_assets.lake.files import FILE_STEMS, extraction_time, table_for_file
from olist_assets.sources.replay import replay
from olist_assets_tests.dumps import SOURCES
from spark_steps.tables import TABLES

COLUMNS = {table: [c.name for c in TABLES[f"raw/{table}"].value_columns] for table in FILE_STEMS}
ESTIMATED = "2018-06-01 00:00:00"


def write_dump(folder, **rows):
    """Write a dump: by table, the lines below its header. Returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, lines in rows.items():
        text = "".join(f"{line}\n" for line in [",".join(COLUMNS[table]), *lines])
        (folder / f"{FILE_STEMS[table]}.csv").write_text(text, newline="")
    return folder


def read_lines(path):
    """The rows of a file as lines, without the header and without optional quotes."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return [",".join(record) for record in csv.reader(lines) if record][1:]


def read_deliveries(source):
    """The lines of all deliveries, by day and table."""
    days = {}
    for path in sorted(Path(source).rglob("*.csv")):
        days.setdefault(path.parent.name, {})[table_for_file(path.name)] = read_lines(path)
    return days


def replay_orders(folder, *orders):
    """Replay these orders; returns the lines of orders by day."""
    replay(write_dump(folder / "dump", orders=orders), str(folder / "source"))
    return {day: tables["orders"] for day, tables in read_deliveries(folder / "source").items()}


def read_newest_states(source):
    """The newest row of each key, by table: by extraction time, landing date and position."""
    states = {table: {} for table in FILE_STEMS}
    for path in sorted(Path(source).rglob("*.csv"), key=lambda path: (extraction_time(path.name), path.parent.name)):
        states[table_for_file(path.name)] |= read_last_rows(path)
    return states


def read_last_rows(path):
    """The last row of each key in a file: texts by column."""
    key = SOURCES[table_for_file(path.name)][1]
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return {tuple(row[column] for column in key): row for row in csv.DictReader(lines)}
