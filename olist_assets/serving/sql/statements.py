"""What a statement may do and what it reads, told by DuckDB's own parser before anything runs.

DuckDB can be kept from files outside the lake, but not from writing into it, nor from showing the credentials it holds.
So a statement has to be one SELECT, or the EXPLAIN of one, over the lake's tables and no functions but harmless ones.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import duckdb

from olist_assets.errors import OlistError

_TABLE_FUNCTIONS = {"generate_series", "json_each", "json_tree", "range", "unnest"}
"""All others read files, secrets, settings or other statements."""
_REFUSED_FUNCTIONS = {"current_setting", "getenv", "write_log"}
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_COMMENTS = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_EXPLAIN = re.compile(rf"{_COMMENTS}(explain(?:\s+analyze)?)\b(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that may run.

    Attributes:
        sql: its text.
        tables: the tables that it reads, as it names them, in lower case: `refined.fact_orders`, or `fact_orders`.
        parameters: the names that it wants values for.
    """

    sql: str
    tables: frozenset[str]
    parameters: frozenset[str]


def check_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> Statement:
    """The statement, if it does no more than read tables.

    Raises:
        OlistError: it does, or is not one statement.
        duckdb.Error: it is not SQL.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        pivot = re.search(r"\bpivot\b", sql, re.IGNORECASE)
        cure = "; name the values of a PIVOT: PIVOT … ON … IN ('…', '…')" if pivot else ""
        raise OlistError(f"one statement at a time, not {len(statements)}{cure}")
    [statement] = statements
    selecting = sql
    if statement.type == duckdb.StatementType.EXPLAIN and (match := _EXPLAIN.match(sql)):
        selecting = match[2]
        sql = f"{match[1]} {selecting}"  # as it is understood here, whatever stood before it
    elif statement.type != duckdb.StatementType.SELECT:
        raise OlistError(f"the lake is read-only here: {statement.type.name} is refused")
    return Statement(
        sql=sql,
        tables=frozenset(_tables(_tree(connection, selecting), frozenset())),
        parameters=frozenset(statement.named_parameters),
    )


def _tree(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    # A literal: to bind a parameter, DuckDB imports pandas, which takes longer than most answers.
    options = "skip_null := true, skip_empty := true, skip_default := true"
    [[text]] = connection.execute(f"SELECT json_serialize_sql({sql_literal(sql)}, {options})").fetchall()
    try:
        tree = json.loads(text)
    except RecursionError:
        raise OlistError("the statement is nested too deeply") from None
    if tree["error"] or len(tree["statements"]) != 1:
        raise OlistError("the lake is read-only here: SELECT, DESCRIBE and SUMMARIZE are answered, and EXPLAIN of them")
    return tree["statements"]


def sql_literal(text: str) -> str:
    """The text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _tables(node: Any, named: frozenset[str]) -> Iterator[str]:
    """The tables below a node of the parsed statement, where `named` are subqueries that go by a name (WITH)."""
    if isinstance(node, list):
        for child in node:
            yield from _tables(child, named)
    if not isinstance(node, dict):
        return
    _refuse_all_but_tables(node)
    for entry in node.get("cte_map", {}).get("map", ()):
        yield from _tables(entry["value"], named)  # sees those before it, not itself
        named |= {_folded(entry["key"])}
    if node.get("type") == "BASE_TABLE":
        path = [node[part] for part in ("catalog_name", "schema_name", "table_name") if node.get(part)]
        name = _folded(".".join(path))
        if len(path) > 1 or name not in named:
            yield name
    for key, child in node.items():
        if key != "cte_map":
            recursive = node.get("type") == "RECURSIVE_CTE_NODE" and key == "right"
            yield from _tables(child, named | {_folded(node["cte_name"])} if recursive else named)


def _folded(name: str) -> str:
    """A name as DuckDB compares it: it takes only ASCII letters for equal to their capitals."""
    return name.translate(_LOWER)


def _refuse_all_but_tables(node: dict[str, Any]) -> None:
    if node.get("type") == "SHOW_REF" and "query" not in node:
        raise OlistError("SHOW lists nothing here: see `olist status`, or `describe refined.fact_orders`")
    name = str(node.get("function_name", "")).lower()
    if node.get("type") == "TABLE_FUNCTION":
        name = node["function"]["function_name"].lower()
        refused = name not in _TABLE_FUNCTIONS
    else:
        refused = name in _REFUSED_FUNCTIONS
    if refused:
        raise OlistError(f"{name}() is refused: only the lake's tables are read here")
