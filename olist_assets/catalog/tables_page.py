"""docs/tables.md: every table of the lakehouse, rendered from its declaration. `make docs` writes it."""

import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import jinja2

from spark_steps import rules
from spark_steps.declarations import Column, Layer, TableSpec
from spark_steps.tables import TABLES, tables_in

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"

_SECTION_LAYERS = (Layer.TRUSTED, Layer.REFINED)
"""The layers whose tables have a section each."""

_BLANK_LINES = re.compile(r"\n{3,}")


def render_page() -> str:
    """The page as Markdown, with diagrams in Mermaid: contents, lineage, and the tables by layer."""
    environment = jinja2.Environment(  # noqa: S701 - Markdown, not HTML
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(
        anchor=_anchor,
        code=_code,
        full_name=_full_name,
        lineage_columns=_lineage_columns,
        link=_link,
        load=_load,
        meaning=_meaning,
        nodes_by_layer=_nodes_by_layer,
        own_columns=_own_columns,
        reference=_reference,
        rejected_rows=_rejected_rows,
        warnings=rules.warnings,
    )
    dimensions, facts, aggregates = map(_refined, ("dim", "fact", "aggregate"))
    raw, trusted, refined = map(tables_in, (Layer.RAW, Layer.TRUSTED, Layer.REFINED))
    contents = {"Lineage": (), "Raw": (), "Trusted": trusted, "Quarantine": ()}
    contents |= {"Dimensions": dimensions, "Facts": facts, "Aggregates": aggregates}
    template = files("olist_assets.catalog").joinpath("tables.md.j2").read_text(encoding="utf-8")
    text = environment.from_string(template).render(
        contents=contents.items(),
        edges=_edges,
        raw=raw,
        trusted=trusted,
        quarantine=tables_in(Layer.QUARANTINE),
        refined=refined,
        dimensions=dimensions,
        facts=facts,
        aggregates=aggregates,
    )
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n"


def _refined(prefix: str) -> list[TableSpec]:
    """The refined tables whose names have a prefix."""
    return [table for table in tables_in(Layer.REFINED) if table.name.startswith(f"{prefix}_")]


# --- Lineage --------------------------------------------------------------------------------------------------------


def _edges(tables: Iterable[TableSpec], layers: Iterable[str]) -> list[tuple[str, str]]:
    """The upstreams of tables that are in some layers, as pairs of upstream and table id."""
    return [(up, table.id) for table in tables for up in table.upstreams if up.partition("/")[0] in layers]


def _nodes_by_layer(edges: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """The ids in some edges by their layer, in the order of their appearance."""
    layers: dict[str, list[str]] = {}
    for node in dict.fromkeys(node for edge in edges for node in edge):
        layers.setdefault(node.partition("/")[0], []).append(node)
    return list(layers.items())


# --- Tables and columns ---------------------------------------------------------------------------------------------


def _lineage_columns(table: TableSpec) -> list[Column]:
    return [column for column in table.columns if column.name.startswith("_")]


def _own_columns(table: TableSpec) -> list[Column]:
    """The columns that the section of a table lists: trusted tables share their lineage columns."""
    return [c for c in table.columns if not (table.layer is Layer.TRUSTED and c.name.startswith("_"))]


def _load(table: TableSpec) -> str:
    return "by landing date" if not table.full_refresh else "full refresh in each run"


def _rejected_rows(table: TableSpec) -> list[str]:
    """The rows that the columns' rules send to quarantine."""
    columns = table.value_columns
    names_by_fault = {
        "without": [c.name for c in columns if c.required],
        "with an unreadable": [c.name for c in columns if c.type != "string"],
        "with a malformed": [
            c.name for c in columns if f"{c.name}_malformed" in {r.name for r in rules.column_rules(c)}
        ],
        "with an unknown": [c.name for c in columns if c.accepted],
        "out of range in": [c.name for c in columns if c.minimum is not None or c.maximum is not None],
    }
    faults = [f"{fault} {_code(names, 'or')}" for fault, names in names_by_fault.items() if names]
    return ["that cannot be parsed", *faults]


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


def _full_name(table: TableSpec) -> str:
    return f"{table.layer}.{table.name}"


def _reference(table_id: str) -> str:
    """A table's name, as a link if it has a section."""
    table = TABLES.get(table_id)
    if table is None or table.layer not in _SECTION_LAYERS:
        return f"`{table_id.replace('/', '.')}`"
    return _link(table, _full_name(table))


def _link(table: TableSpec, text: str) -> str:
    return f"[{text}](#{_anchor(_full_name(table))})"


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _code(names: Iterable[str], conjunction: str = "") -> str:
    """Names in code type, separated by commas, the last by a conjunction if there is one."""
    *most, last = [f"`{name}`" for name in names]
    return f"{', '.join(most)} {conjunction} {last}" if conjunction and most else ", ".join([*most, last])


if __name__ == "__main__":
    PAGE.write_text(render_page())
