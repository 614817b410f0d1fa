"""SQL that casts raw text to typed values, and SQL that finds the rules a typed row violates."""

from spark_steps.declarations import Column, Layer, Rule, Severity, TableSpec, Text
from spark_steps.expressions import stripped

_DAY = "(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}"
_TIME_OF_DAY = "[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
_OFFSET = "[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?"
_PATTERNS = {
    "int": "^[+-]?[0-9]+([.]0+)?$",
    "double": "^[+-]?[0-9]+([.][0-9]*)?([eE][+-]?[0-9]+)?$",
    "decimal": "^[+-]?[0-9]+([.][0-9]*)?$",
    "timestamp": f"^{_DAY}([ T][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}([.][0-9]{{1,6}})?)?$",
}
"""Patterns that a text must match before it is cast: engines differ in the other texts that they accept."""

_OTHER_TIMES = f"^{_DAY}{_TIME_OF_DAY}( ?(Z|UTC|{_OFFSET}))?$"
_CANONICAL_TIME = (
    ("^(.{16})([^:]|$)", "$1:00$2"),  # seconds
    (" ?(Z|UTC)$", ""),
    (" ?([+-][0-9]{2})$", "$1:00"),  # minutes of the offset
    (" ?([+-][0-9]{2}):?([0-9]{2})$", "$1:$2"),
)
"""Replacements that make one of the other times a text that all engines cast."""

_EXPECTATIONS = {
    "int": "a whole number",
    "double": "a number",
    "decimal": "an amount",
    "timestamp": "a time like 2018-05-10 03:00:00 of the years 1900 to 2199",
}

_MAX_QUOTED_CHARACTERS = 100
_CONTROL_CHARACTER = r"\\p{Cc}"
_MORE_THAN_CENTS = "[.][0-9]{2}[0-9]*[1-9]"


def raw_column_name(column: Column) -> str:
    """The name of a column's raw text, next to its typed value."""
    return f"text_{column.source_name}"


def cast_expression(column: Column) -> str:
    """SQL of the column's value from its raw text: null if the text is blank or unreadable."""
    text = f"`{raw_column_name(column)}`"
    if column.type == "string":
        value = f"CASE WHEN {_is_not_blank(text)} THEN {stripped(text) if column.text is Text.ID else text} END"
        return column.clean.format(value=value) if column.clean else value
    kind, number = _kind(column), stripped(text)
    cases = f"WHEN {number} RLIKE '{_PATTERNS[kind]}' THEN {_cast(number, column.type)}"
    if kind == "timestamp":
        cases += f" WHEN {_is_other_time(number)} THEN {_cast(_canonical_time(number), column.type)}"
    return f"CASE {cases} END"


def row_rules(table: TableSpec) -> tuple[Rule, ...]:
    """All row rules of a table, errors before warnings. In a trusted table, those of its columns before its own."""
    implied: list[Rule] = []
    if table.layer is Layer.TRUSTED:
        implied.append(Rule(name="row_unparsed", violated_when="_reject IS NOT NULL", reason="_reject"))
        implied += [rule for column in table.value_columns for rule in column_rules(column)]
    return tuple(sorted((*implied, *table.rules), key=lambda rule: rule.severity is Severity.WARN))


def column_rules(column: Column) -> list[Rule]:
    """The rules that follow from a delivered column."""
    name, text = column.name, f"`{raw_column_name(column)}`"
    quote = f"substr({text}, 1, {_MAX_QUOTED_CHARACTERS})"
    rules: list[Rule] = []
    if column.type != "string":
        expected = _EXPECTATIONS[_kind(column)]
        unreadable = f"{name} IS NULL AND {_is_not_blank(text)}"
        rules.append(_rule(f"{name}_unreadable", unreadable, f"concat('{name} is not {expected}: ', {quote})"))
    if column.required:
        rules.append(_rule(f"{name}_missing", f"{name} IS NULL", f"'{name} is missing'"))
    if column.pattern:
        reason = f"concat('{name} is malformed: ', {quote})"
        rules.append(_rule(f"{name}_malformed", f"NOT {name} RLIKE '{column.pattern}'", reason))
    elif column.text is Text.ID and column.type == "string" and not column.accepted:
        reason = f"concat('{name} has control characters: ', {quote})"
        rules.append(_rule(f"{name}_malformed", f"{name} RLIKE '{_CONTROL_CHARACTER}'", reason))
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
    if _kind(column) == "decimal":
        message = f"{name} has more than two decimals and is rounded half up"
        rules.append(Rule.warning(f"{name}_rounded", f"{text} RLIKE '{_MORE_THAN_CENTS}'", message))
    return rules


def error_rules(table: TableSpec) -> tuple[Rule, ...]:
    """The rules whose violation sends a row to quarantine."""
    return tuple(rule for rule in row_rules(table) if rule.severity is Severity.ERROR)


def warnings(table: TableSpec) -> tuple[Rule, ...]:
    """The rules whose violations are counted."""
    return tuple(rule for rule in row_rules(table) if rule.severity is Severity.WARN)


def first_violation(rules: tuple[Rule, ...]) -> tuple[str, str]:
    """SQL of the name and SQL of the reason of the first rule that a row violates; both null if there is none."""
    names = " ".join(f"WHEN {rule.violated_when} THEN '{rule.name}'" for rule in rules)
    reasons = " ".join(f"WHEN {rule.violated_when} THEN {rule.reason}" for rule in rules)
    return f"CASE {names} END", f"CASE {reasons} END"


def _is_not_blank(text: str) -> str:
    """SQL that is true for a text with other than white space."""
    return f"{stripped(text)} <> ''"


def _cast(text: str, column_type: str) -> str:
    if column_type == "int":
        text = f"regexp_replace({text}, '[.]0+$', '')"
    # -0.0 becomes 0.0: engines differ in whether the two are equal
    return f"try_cast({text} AS {column_type})" + (" + 0.0D" if column_type == "double" else "")


def _is_other_time(text: str) -> str:
    """SQL that is true for a time in another form that in UTC, too, is of the accepted years."""
    keeps_year = f"({text} >= '1900-01-02' AND {text} < '2199-12-31' OR NOT {text} RLIKE '{_OFFSET}$')"
    return f"{text} RLIKE '{_OTHER_TIMES}' AND {keeps_year}"


def _canonical_time(text: str) -> str:
    for pattern, replacement in _CANONICAL_TIME:
        text = f"regexp_replace({text}, '{pattern}', '{replacement}')"
    return text


def _rule(name: str, violated_when: str, reason: str) -> Rule:
    return Rule(name=name, violated_when=violated_when, reason=reason)


def _kind(column: Column) -> str:
    return column.type.partition("(")[0]
