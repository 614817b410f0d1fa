"""SQL that casts raw text to typed values, and SQL that finds the rules a typed row violates."""

from spark_steps.declarations import Column, Rule, Severity, TableSpec

_PATTERNS = {
    "int": "^[+-]?[0-9]+([.]0+)?$",
    "double": "^[+-]?[0-9]+([.][0-9]*)?([eE][+-]?[0-9]+)?$",
    "decimal": "^[+-]?[0-9]+([.][0-9]*)?$",
    "timestamp": "^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?)?$",
}
"""Patterns that a text must match before it is cast: engines differ in the other texts that they accept."""

_EXPECTATIONS = {
    "int": "a whole number",
    "double": "a number",
    "decimal": "an amount",
    "timestamp": "a time like 2018-05-10 03:00:00 of the years 1900 to 2199",
}

_MAX_QUOTED_CHARACTERS = 100
_WHITE_SPACE = " \\t\\r\\n"


def raw_column_name(column: Column) -> str:
    """The name of a column's raw text, next to its typed value."""
    return f"text_{column.source_name}"


def cast_expression(column: Column) -> str:
    """SQL of the column's value from its raw text: null if the text is blank or unreadable."""
    text = f"`{raw_column_name(column)}`"
    if column.type == "string":
        value = f"CASE WHEN {_is_not_blank(text)} THEN {text} END"
        return column.clean.format(value=f"({value})") if column.clean else value
    stripped = f"btrim({text}, '{_WHITE_SPACE}')"
    digits = f"regexp_replace({stripped}, '[.]0+$', '')" if column.type == "int" else stripped
    # -0.0 becomes 0.0: engines differ in whether the two are equal
    zero = " + 0.0D" if column.type == "double" else ""
    return f"CASE WHEN {stripped} RLIKE '{_PATTERNS[_kind(column)]}' THEN try_cast({digits} AS {column.type}){zero} END"


def row_rules(table: TableSpec) -> tuple[Rule, ...]:
    """All row rules of a trusted table, errors before warnings, those of its columns before its own."""
    parsed = Rule(name="row_unparsed", violated_when="_reject IS NOT NULL", reason="_reject")
    implied = [rule for column in table.value_columns for rule in _column_rules(column)]
    return tuple(sorted((parsed, *implied, *table.rules), key=lambda rule: rule.severity is Severity.WARN))


def error_rules(table: TableSpec) -> tuple[Rule, ...]:
    """The rules whose violation sends a row to quarantine."""
    return tuple(rule for rule in row_rules(table) if rule.severity is Severity.ERROR)


def warnings(table: TableSpec) -> tuple[Rule, ...]:
    """The rules whose violations are counted."""
    return tuple(rule for rule in table.rules if rule.severity is Severity.WARN)


def first_violation(rules: tuple[Rule, ...]) -> tuple[str, str]:
    """SQL of the name and SQL of the reason of the first rule that a row violates; both null if there is none."""
    names = " ".join(f"WHEN {rule.violated_when} THEN '{rule.name}'" for rule in rules)
    reasons = " ".join(f"WHEN {rule.violated_when} THEN {rule.reason}" for rule in rules)
    return f"CASE {names} END", f"CASE {reasons} END"


def _column_rules(column: Column) -> list[Rule]:
    name, text = column.name, f"`{raw_column_name(column)}`"
    quote = f"substr({text}, 1, {_MAX_QUOTED_CHARACTERS})"
    rules: list[Rule] = []
    if column.type != "string":
        expected = _EXPECTATIONS[_kind(column)]
        unreadable = f"{name} IS NULL AND {_is_not_blank(text)}"
        rules.append(_rule(f"{name}_unreadable", unreadable, f"concat('{name} is not {expected}: ', {quote})"))
    if column.required:
        rules.append(_rule(f"{name}_missing", f"{name} IS NULL", f"'{name} is missing'"))
    if column.accepted:
        accepted = ", ".join(f"'{value}'" for value in column.accepted)
        rules.append(_rule(f"{name}_unknown", f"{name} NOT IN ({accepted})", f"concat('{name} is unknown: ', {quote})"))
    outside = [
        *([f"{name} < {column.minimum}"] if column.minimum is not None else []),
        *([f"{name} > {column.maximum}"] if column.maximum is not None else []),
    ]
    if outside:
        reason = f"concat('{name} is out of range: ', {quote})"
        rules.append(_rule(f"{name}_out_of_range", " OR ".join(outside), reason))
    return rules


def _is_not_blank(text: str) -> str:
    """SQL that is true for a text with other than white space."""
    return f"btrim({text}, '{_WHITE_SPACE}') <> ''"


def _rule(name: str, violated_when: str, reason: str) -> Rule:
    return Rule(name=name, violated_when=violated_when, reason=reason)


def _kind(column: Column) -> str:
    return column.type.partition("(")[0]
