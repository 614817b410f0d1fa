"""The parts of a table's declaration: columns, row rules, the table itself, its increment."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Layer(StrEnum):
    """A layer of the lakehouse; its name is the first part of a table's key and of its path."""

    RAW = "raw"
    TRUSTED = "trusted"
    REFINED = "refined"
    QUARANTINE = "quarantine"


class Severity(StrEnum):
    """The effect of a violated row rule: an error sends the row to quarantine, a warning counts it."""

    ERROR = "error"
    WARN = "warn"


WAITING_FOR_ORDER = "waiting_for_order"
"""The check that counts the rows of a table's `rows_from` whose order has not arrived."""


class Text(StrEnum):
    """What delivered texts are: ids, which are stripped and have no control characters, values, or text of people."""

    ID = "id"
    VALUE = "value"
    FREE = "free"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row rule.

    Attributes:
        name: its name, which is also that of its asset check if it is a warning.
        violated_when: SQL condition that is true for rows that violate the rule.
        reason: SQL expression of the reason, as text.
        severity: the effect of a violation.
    """

    name: str
    violated_when: str
    reason: str
    severity: Severity = Severity.ERROR

    @classmethod
    def warning(cls, name: str, violated_when: str, message: str) -> Self:
        """A rule whose violations are counted; `message` is plain text without quotes."""
        return cls(name=name, violated_when=violated_when, reason=f"'{message}'", severity=Severity.WARN)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a Delta table.

    Attributes:
        name: its name in the table.
        type: its type in Spark SQL: string, int, bigint, double, boolean, date, timestamp or decimal(p,s).
        comment: its meaning, and its unit where it has one.
        text: what its delivered texts are.
        required: null is not accepted.
        source: its name in the delivered files, if that differs.
        clean: SQL that brings a text into its canonical form, over `{value}`.
        derived: SQL over the typed columns, for a column that is not delivered.
        accepted: the accepted values; empty if all are.
        pattern: the regular expression that an accepted value matches.
        minimum: the smallest accepted value.
        maximum: the greatest accepted value.
        tracked: a refined table assigns the row to a key by this value, so values that a correction replaces are kept.
    """

    name: str
    type: str = "string"
    comment: str = ""
    required: bool = False
    text: Text = Text.VALUE
    source: str | None = None
    clean: str | None = None
    derived: str | None = None
    accepted: tuple[str, ...] = ()
    pattern: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    tracked: bool = False

    @property
    def source_name(self) -> str:
        """The column's name in the delivered files and in raw."""
        return self.source or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """A Delta table: one row's meaning (grain) and identity (key), the columns, and the tables it is computed from.

    Attributes:
        layer: the layer it belongs to.
        name: its name within the layer.
        grain: what one row is.
        key: the columns that identify a row.
        columns: all columns, in order.
        upstreams: ids of the tables that it is computed from.
        partition: the column that storage is partitioned by.
        full_refresh: every run computes the whole table; otherwise it is partitioned by landing date.
        dimension: it has one row for the unknown member, with surrogate key -1.
        rules: row rules beyond those that follow from its columns.
        file_stem: the name of the delivered files without time suffix and extension (raw only).
        rows_from: the trusted table each of whose rows becomes one row here as soon as its order has arrived.
    """

    layer: Layer
    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    upstreams: tuple[str, ...] = ()
    partition: str | None = None
    full_refresh: bool = False
    dimension: bool = False
    rules: tuple[Rule, ...] = ()
    file_stem: str | None = None
    rows_from: str | None = None

    @property
    def id(self) -> str:
        """Layer and name, as in `refined/fact_orders`: the table's place in the lake and its asset key."""
        return f"{self.layer}/{self.name}"

    @property
    def description(self) -> str:
        """Grain and key, in two sentences."""
        key = " and ".join([", ".join(self.key[:-1]), self.key[-1]] if len(self.key) > 1 else self.key)
        return f"One row: {self.grain}. Key: {key}."

    @property
    def waiting_rows(self) -> str:
        """What `WAITING_FOR_ORDER` counts; empty for a table without `rows_from`."""
        return f"rows of {self.rows_from.partition('/')[2]} wait for their order" if self.rows_from else ""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def value_columns(self) -> tuple[Column, ...]:
        """The delivered columns: all but lineage and derived ones."""
        return tuple(c for c in self.columns if not c.name.startswith("_") and c.derived is None)

    @property
    def tracked(self) -> tuple[str, ...]:
        """The names of tracked columns that a correction can change."""
        return tuple(c.name for c in self.columns if c.tracked and c.name not in self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Increment:
    """How a window of landing dates updates a table: by recomputing the rows of the affected keys.

    Attributes:
        key: the column whose values are the keys; all rows of one key are recomputed together.
        affected_keys: SQL of the keys that the window affects, in one column. It refers to each input by its name, the
            rows of trusted inputs that landed in the window as `landed_<name>`, raw inputs as `raw_<name>`, and the
            table's current rows as `current_rows`. Additional keys only cost time.
        filtered_inputs: inputs to filter by these keys, each with its column of the keys; others are read whole.
    """

    key: str
    affected_keys: str
    filtered_inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RefinedTable:
    """A refined table: its declaration, the query that computes it, and its increment.

    Attributes:
        table: the declaration.
        query: SQL of all rows; it refers to the inputs by their names.
        increment: how a window updates the table; None for a table that every run computes from scratch.

    Raises:
        ValueError: `full_refresh` and an increment are both declared, or neither.
    """

    table: TableSpec
    query: str
    increment: Increment | None = None

    def __post_init__(self) -> None:
        if self.table.full_refresh is (self.increment is not None):
            raise ValueError(f"{self.table.id}: a table has either an increment or a full refresh")
