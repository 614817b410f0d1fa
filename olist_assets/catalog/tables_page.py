"""docs/tables.md: every table of the lakehouse, told from its declaration. `make docs` writes it."""

import re
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from spark_steps import rules
from spark_steps.declarations import Column, Layer, TableSpec
from spark_steps.tables import TABLES, tables_in

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"

_INTRODUCTION = """\
# Tables

<!-- Written by `make docs` from spark_steps/tables.py: change it there. -->

Every table of the lake, under its name in `olist sql`. Times and days are UTC; periods hold their first instant and not
their last. Amounts are in Brazilian reais (BRL), exact to the cent. *Sales* are orders whose status is neither
`canceled` nor `unavailable`. Shares lie between 0 and 1.
"""

_RAW = """\
## Raw

Every row of every file, as text, under the names that the files use; what columns mean is told under
[Trusted](#trusted). Rows are only ever appended, and a file that a landing date already holds is not appended again.
"""

_QUARANTINE = """\
## Quarantine

The rows that a trusted table does not accept, with the reason. Each source has such a table, written by the step of its
trusted table from the same raw rows. When a day is run again, its rows are replaced.
"""

_TRUSTED = """\
## Trusted

One typed row a key, in the newest state: that of the greatest `_extracted_at`, `_landing_date`, `_file_id` and `_row`.
A row is quarantined if it cannot be parsed, or breaks a rule that follows from the columns: what is required is there,
numbers and times can be read, values are accepted ones and in range. The quarantine's `rule` is `row_unparsed`, or the
column's name with `_missing`, `_unreadable`, `_unknown` or `_out_of_range`. A warning is counted, and the row kept.
"""

_DIMENSIONS = """\
## Dimensions

Dimensions, facts and aggregates are the star, the layer `refined`. Surrogate keys are hashes of the natural keys, equal
on every rebuild. Each dimension has one row for the unknown member, with key -1: what refers to a row that is not there
yet has that key, and no key is null.
"""

_FACTS = "## Facts\n"
_AGGREGATES = "## Aggregates\n"


def page() -> str:
    """The page as Markdown, its diagrams as Mermaid: contents, lineage, and the tables layer by layer."""
    parts = [
        _INTRODUCTION,
        _contents(),
        _lineage(),
        _RAW,
        _told_once(Layer.RAW, _lineage_columns(Layer.RAW), also="its source's columns"),
        _raw_tables(),
        _TRUSTED,
        "Besides its own columns, each table has these, of the row that holds:\n",
        _columns(_lineage_columns(Layer.TRUSTED)),
        *map(_section, tables_in(Layer.TRUSTED)),
        _QUARANTINE,
        _told_once(Layer.QUARANTINE, tables_in(Layer.QUARANTINE)[0].columns),
        _DIMENSIONS,
        *map(_section, _refined("dim")),
        _FACTS,
        *map(_section, _refined("fact")),
        _AGGREGATES,
        *map(_section, _refined("aggregate")),
    ]
    return "\n".join(parts)


def _refined(prefix: str) -> list[TableSpec]:
    """The refined tables whose names begin so."""
    return [table for table in tables_in(Layer.REFINED) if table.name.startswith(f"{prefix}_")]


def _contents() -> str:
    tables = {
        "Lineage": (),
        "Raw": (),
        "Trusted": tables_in(Layer.TRUSTED),
        "Quarantine": (),
        "Dimensions": _refined("dim"),
        "Facts": _refined("fact"),
        "Aggregates": _refined("aggregate"),
    }
    links = {title: ", ".join(_link(table, table.name) for table in of_title) for title, of_title in tables.items()}
    return _block(f"- [{title}](#{_anchor(title)})" + (f": {of}" if of else "") for title, of in links.items())


# --- Lineage --------------------------------------------------------------------------------------------------------


def _lineage() -> str:
    sources = [*tables_in(Layer.RAW), *tables_in(Layer.TRUSTED)]
    diagrams = {
        "From landed files to trusted. A source's quarantine is made of the same rows as its trusted table.": _diagram(
            sources, {"landzone", Layer.RAW}
        ),
        "From trusted to dimensions. Some look into raw too, for states that a correction has replaced.": _diagram(
            _refined("dim"), {Layer.RAW, Layer.TRUSTED}
        ),
        "From trusted to facts.": _diagram(_refined("fact"), {Layer.TRUSTED}),
        "From dimensions to facts and aggregates.": _diagram(tables_in(Layer.REFINED), {Layer.REFINED}),
    }
    return "\n".join(["## Lineage\n", *(f"{title}\n\n{diagram}" for title, diagram in diagrams.items())])


def _diagram(tables: Iterable[TableSpec], layers: Iterable[str]) -> str:
    """What the tables are made from, as far as it is of these layers."""
    edges = [(upstream, table.id) for table in tables for upstream in table.upstreams if _layer_of(upstream) in layers]
    nodes = list(dict.fromkeys(node for edge in edges for node in edge))
    lines = ["```mermaid", "flowchart LR"]
    for layer in dict.fromkeys(map(_layer_of, nodes)):
        members = [node for node in nodes if _layer_of(node) == layer]
        lines += [f"  subgraph {layer}", *(f"    {_node(m)}[{m.partition('/')[2]}]" for m in members), "  end"]
    lines += [f"  {_node(upstream)} --> {_node(table)}" for upstream, table in edges]
    return _block([*lines, "```"])


def _layer_of(table_id: str) -> str:
    return table_id.partition("/")[0]


def _node(table_id: str) -> str:
    return table_id.replace("/", "_")


# --- Layers whose tables are alike ----------------------------------------------------------------------------------


def _told_once(layer: Layer, columns: Iterable[Column], also: str = "") -> str:
    """Key, partition and columns that all tables of a layer have in common."""
    [(key, partition)] = {(table.key, table.partition) for table in tables_in(layer)}
    common = f"Key: {_code(key)}. Partition: `{partition}`."
    which = f"Besides {also}, each table has these:" if also else "Each table has these columns:"
    return "\n".join([f"{common} {which}\n", _columns(columns)])


def _lineage_columns(layer: Layer) -> list[Column]:
    return [column for column in tables_in(layer)[0].columns if column.name.startswith("_")]


def _raw_tables() -> str:
    lines = ["| table | file | columns, all `string` |", "|---|---|---|"]
    for table in tables_in(Layer.RAW):
        names = [column.name for column in takewhile(lambda c: not c.name.startswith("_"), table.columns)]
        lines.append(f"| `raw.{table.name}` | `{table.file_stem}.csv` | {_code(names)} |")
    return _block(lines)


# --- A table --------------------------------------------------------------------------------------------------------


def _section(table: TableSpec) -> str:
    trusted = table.layer is Layer.TRUSTED
    facts = [
        f"- a row: {table.grain}",
        f"- key: {_code(table.key)}",
        *([f"- partition: `{table.partition}`"] if table.partition else []),
        f"- made from: {', '.join(_reference(upstream) for upstream in table.upstreams)}"
        + (", whole in each run" if table.full_refresh else ", by landing date"),
        *([f"- quarantined: rows {'; '.join(_refused(table))}"] if trusted else []),
        *(f"- warned of: {rule.reason.strip(chr(39))} (`{rule.name}`)" for rule in rules.warnings(table)),
    ]
    columns = [column for column in table.columns if not (trusted and column.name.startswith("_"))]
    return "\n".join([f"### {_name(table)}\n", _block(facts), _columns(columns)])


def _refused(table: TableSpec) -> list[str]:
    """Which rows go to quarantine, by the columns' rules."""
    columns = table.value_columns
    broken = {
        "that cannot be parsed": None,
        "without": [c.name for c in columns if c.required],
        "with an unreadable": [c.name for c in columns if c.type != "string"],
        "with an unknown": [c.name for c in columns if c.accepted],
        "out of range in": [c.name for c in columns if c.minimum is not None or c.maximum is not None],
    }
    return [how if names is None else f"{how} {_code(names, 'or')}" for how, names in broken.items() if names != []]


def _columns(columns: Iterable[Column]) -> str:
    rows = [f"| `{c.name}` | {c.type} | {'yes' if c.required else ''} | {_meaning(c)} |" for c in columns]
    return _block(["| column | type | required | meaning |", "|---|---|---|---|", *rows])


def _meaning(column: Column) -> str:
    parts = [column.comment]
    if column.accepted:
        parts.append(f"accepted: {', '.join(column.accepted)}")
    if column.minimum is not None and column.maximum is not None:
        parts.append(f"accepted: {column.minimum} to {column.maximum}")
    elif column.minimum is not None:
        parts.append(f"accepted: {column.minimum} or more")
    if column.source:
        parts.append(f"`{column.source}` in the files")
    return "; ".join(parts)


# --- Markdown -------------------------------------------------------------------------------------------------------


def _name(table: TableSpec) -> str:
    return f"{table.layer}.{table.name}"


def _reference(table_id: str) -> str:
    """A table's name, as a link where it has a section of its own."""
    table = TABLES.get(table_id)
    own_section = table is not None and table.layer in (Layer.TRUSTED, Layer.REFINED)
    return _link(table, _name(table)) if table and own_section else f"`{table_id.replace('/', '.')}`"


def _link(table: TableSpec, text: str) -> str:
    return f"[{text}](#{_anchor(_name(table))})"


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _code(names: Iterable[str], last: str = "") -> str:
    """Names in code type, enumerated; the last one after a word, if there is one."""
    *most, end = [f"`{name}`" for name in names]
    return f"{', '.join(most)} {last} {end}" if last and most else ", ".join([*most, end])


def _block(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
