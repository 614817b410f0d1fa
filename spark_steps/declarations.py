"""What a declaration of a table is made of: columns, row rules, the table itself, and its increment."""

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
    """What a broken row rule does: an error sends the row to quarantine, a warning counts it."""

    ERROR = "error"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row rule: a row breaks it where the SQL condition `broken` holds; `reason` is SQL text that says why."""

    name: str
    violated_when: str
    reason: str
    severity: Severity = Severity.ERROR

    @classmethod
    def warning(cls, name: str, violated_when: str, message: str) -> Self:
        """A rule whose violation is counted, and shown as this message."""
        return cls(name=name, violated_when=violated_when, reason=f"'{message}'", severity=Severity.WARN)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a Delta table.

    Attributes:
        name: its name in the table.
        type: its type in Spark SQL: string, int, bigint, double, boolean, date, timestamp or decimal(p,s).
        comment: its meaning, and its unit where it has one.
        required: null is not accepted.
        source: its name in the delivered files, where that differs.
        clean: SQL that puts a readable text into its canonical form, over `{value}`.
        derived: SQL over the typed columns, for a column that no file holds.
        accepted: the values that are accepted, if they are a closed list.
        minimum: the smallest value accepted.
        maximum: the greatest value accepted.
    """

    name: str
    type: str = "string"
    comment: str = ""
    required: bool = False
    source: str | None = None
    clean: str | None = None
    derived: str | None = None
    accepted: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None

    @property
    def source_name(self) -> str:
        """The column's name in the delivered files and in raw."""
        return self.source or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """A Delta table: what one row is (grain), what identifies it (key), what it holds and what it is made from.

    Attributes:
        layer: the layer it belongs to.
        name: its name within the layer.
        grain: what one row stands for.
        key: the columns that identify a row.
        columns: all columns, in order.
        upstreams: keys of the tables it is computed from.
        partition: the column it is partitioned by on storage.
        full_refresh: every run computes the whole table; otherwise it is partitioned by landing date.
        dimension: it holds one row for the unknown member, under surrogate key -1.
        rules: row rules beyond those that follow from its columns.
        file_stem: the name of the delivered files without suffix and ending (raw only).
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

    @property
    def id(self) -> str:
        """Layer and name, as in `refined/fact_orders`: the table's place in the lake and its asset key."""
        return f"{self.layer}/{self.name}"

    @property
    def description(self) -> str:
        """What one row stands for, and what identifies it: two sentences."""
        key = " and ".join([", ".join(self.key[:-1]), self.key[-1]] if len(self.key) > 1 else self.key)
        return f"One row: {self.grain}. Key: {key}."

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def value_columns(self) -> tuple[Column, ...]:
        """The columns that deliveries bring: all but lineage and derived ones."""
        return tuple(c for c in self.columns if not c.name.startswith("_") and c.derived is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Increment:
    """How a table is cut, and what a window touches of it.

    Attributes:
        key: the column along which the table is cut.
        touched: SQL of the values of `key` that the window touches, over the table's inputs by their names, the rows
            of trusted inputs that landed in the window as `landed_<name>`, raw inputs as `raw_<name>`, and the rows
            that the table holds as `held`. More values than need be cost time only.
        slices: the inputs that are cut, each with its column that holds these values; the others are read whole.
    """

    key: str
    affected_keys: str
    filtered_inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RefinedTable:
    """A refined table: its declaration, the query that computes it, and its increment.

    Attributes:
        table: the declaration.
        query: SQL of all rows, over views named like the inputs.
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
