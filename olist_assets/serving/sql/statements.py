"""Which tables a statement reads, and whether it may run, according to DuckDB's own parser.

DuckDB can be locked to the lake's files, but not against writes into the lake or against showing its credentials. So
a statement must be one SELECT, or the EXPLAIN of one, that reads only tables and calls only functions that are allowed.
functions.txt lists them: those of DuckDB without extensions, except functions with side effects and functions that
read files, settings, variables, the environment, the session or SQL text. A function that an extension or a later
DuckDB adds is refused until it is listed.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import duckdb

from olist_assets.errors import QueryError, close_matches, did_you_mean

_ALLOWED_TABLE_FUNCTIONS = {"generate_series", "json_each", "json_tree", "range", "unnest"}
"""All others read files, secrets, settings or other statements."""
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_COMMENTS = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_EXPLAIN = re.compile(rf"{_COMMENTS}(explain(?:\s+analyze)?)\b(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that may run.

    Attributes:
        sql: its text.
        tables: the tables that it reads, as it names them, in lower case: `refined.fact_orders`, or `fact_orders`.
        parameters: the names of its parameters.
    """

    sql: str
    tables: frozenset[str]
    parameters: frozenset[str]


def check_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> Statement:
    """Parse a statement and refuse it unless it only reads tables.

    Raises:
        QueryError: it does more, or is not one statement.
        duckdb.Error: it is not SQL.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        pivot = re.search(r"\bpivot\b", sql, re.IGNORECASE)
        cure = "; name the values of a PIVOT: PIVOT … ON … IN ('…', '…')" if pivot else ""
        raise QueryError(f"one statement at a time, not {len(statements)}{cure}")
    [statement] = statements
    select = sql
    if statement.type == duckdb.StatementType.EXPLAIN and (match := _EXPLAIN.match(sql)):
        select = match[2]
        sql = f"{match[1]} {select}"  # the checked text, without the comments before it
    elif statement.type != duckdb.StatementType.SELECT:
        raise QueryError(f"the lake is read-only here: {statement.type.name} is refused")
    return Statement(
        sql=sql,
        tables=frozenset(_find_tables(_parse(connection, select), frozenset())),
        parameters=frozenset(statement.named_parameters),
    )


def _parse(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """The syntax tree of a SELECT."""
    # A literal: to bind a parameter, DuckDB imports pandas, which takes longer than most answers.
    options = "skip_null := true, skip_empty := true, skip_default := true"
    [[text]] = connection.execute(f"SELECT json_serialize_sql({sql_literal(sql)}, {options})").fetchall()
    try:
        tree = json.loads(text)
    except RecursionError:
        raise QueryError("the statement is nested too deeply") from None
    if tree["error"] or len(tree["statements"]) != 1:
        raise QueryError("the lake is read-only here: use SELECT, DESCRIBE or SUMMARIZE, or EXPLAIN of one of them")
    return tree["statements"]


def sql_literal(text: str) -> str:
    """The text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _find_tables(node: Any, ctes: frozenset[str]) -> Iterator[str]:
    """The tables below a node of the syntax tree; `ctes` are the names of the WITH queries that are visible there."""
    if isinstance(node, list):
        for child in node:
            yield from _find_tables(child, ctes)
    if not isinstance(node, dict):
        return
    _check_functions(node)
    for entry in node.get("cte_map", {}).get("map", ()):
        yield from _find_tables(entry["value"], ctes)  # a WITH query sees those before it, not itself
        ctes |= {_fold_case(entry["key"])}
    if node.get("type") == "BASE_TABLE":
        path = [node[part] for part in ("catalog_name", "schema_name", "table_name") if node.get(part)]
        name = _fold_case(".".join(path))
        if len(path) > 1 or name not in ctes:
            yield name
    for key, child in node.items():
        if key != "cte_map":
            recursive = node.get("type") == "RECURSIVE_CTE_NODE" and key == "right"
            yield from _find_tables(child, ctes | {_fold_case(node["cte_name"])} if recursive else ctes)


def _fold_case(name: str) -> str:
    """A name as DuckDB compares it: only the case of ASCII letters is ignored."""
    return name.translate(_LOWER)


def _check_functions(node: dict[str, Any]) -> None:
    if node.get("type") == "SHOW_REF" and "query" not in node:
        raise QueryError("SHOW lists nothing here: see `olist status`, or `describe refined.fact_orders`")
    if node.get("type") == "TABLE_FUNCTION":
        name, allowed = node["function"]["function_name"].lower(), _ALLOWED_TABLE_FUNCTIONS
    else:
        name, allowed = str(node.get("function_name", "")).lower(), _allowed_functions()
    if name and name not in allowed:
        similar = did_you_mean(close_matches(name, allowed))
        raise QueryError(f"{name}() is refused: only the lake's tables can be read here{similar}")


@cache
def _allowed_functions() -> frozenset[str]:
    """The names of scalar, aggregate and window functions, and of operators, that a statement may use."""
    return frozenset(files(__package__ or "").joinpath("functions.txt").read_text().splitlines())
