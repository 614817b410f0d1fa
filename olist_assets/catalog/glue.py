"""Trusted and refined in the Glue Data Catalog, as native Delta tables that Athena, QuickSight and Spark find by name.

They all read a table's rows from its Delta log. The catalog has its location and the meaning of its columns.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from olist_assets.aws.clients import create_client, describe_error, error_code
from olist_assets.aws.environment import is_s3
from olist_assets.aws.redaction import summarize_error
from olist_assets.errors import CatalogError, SettingsError
from olist_assets.lake.storage import open_store
from spark_steps.declarations import Layer, TableSpec
from spark_steps.tables import tables_in

DEFAULT_NAME = "olist"
"""The prefix of database names if OLIST_GLUE is not set."""

DATABASES = {Layer.TRUSTED: "Typed rows, the newest state of each key", Layer.REFINED: "The star schema"}
"""The layers that are databases, with their descriptions."""

OWNER = "olist:lakehouse"
"""The parameter that marks databases and tables of a lakehouse; its value is the name. Others are never changed."""

_ATTEMPTS = 3
_CONFLICTS = {"AlreadyExistsException", "ConcurrentModificationException", "EntityNotFoundException"}
_DENIED = {"AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "ExpiredTokenException"}

# The same entries as Athena's own CREATE EXTERNAL TABLE makes for a Delta table. Athena uses table_type and the
# location, Spark the provider and the path. Nothing uses the formats, but Glue requires them.
_DELTA = {"EXTERNAL": "TRUE", "table_type": "delta", "spark.sql.sources.provider": "delta"}
_FORMATS = {
    "InputFormat": "org.apache.hadoop.mapred.SequenceFileInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
}
_SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"


class Outcome(StrEnum):
    """The result for a database or a table."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DROPPED = "dropped"
    VANISHED = "vanished"
    NOT_WRITTEN = "not written"


CHANGES = (Outcome.CREATED, Outcome.UPDATED, Outcome.DROPPED)
"""The outcomes that change Glue."""


def database_name(layer: Layer, name: str) -> str:
    """The database of a layer in the lakehouse of a name, which OLIST_GLUE sets."""
    return f"{name}_{layer}"


def published() -> tuple[TableSpec, ...]:
    """The declarations of the tables to register: those of the layers in `DATABASES`."""
    return tuple(table for layer in DATABASES for table in tables_in(layer))


def register(
    lake: str, name: str, *, tables: Iterable[TableSpec] | None = None, drop: bool = False, dry_run: bool = False
) -> dict[str, Outcome]:
    """Update the catalog to the lake's tables, with as few changes as possible.

    It is safe to run concurrently. Databases and tables that others created are left alone.

    Args:
        lake: the lake's root, an s3:// URI.
        name: the prefix of the database names, as in <name>_refined.
        tables: the declarations; by default those that are `published`.
        drop: drop tables from the catalog that are no longer declared or no longer in the lake; otherwise they are
            only reported as vanished. No data are deleted.
        dry_run: change nothing, and return the outcomes that a real run would have.

    Returns:
        The outcome of each database, by its name, and of each table, by <database>.<table>.

    Raises:
        SettingsError: the lake is not on S3.
        LakeNotFoundError: the lake's bucket cannot be listed.
        CatalogError: a table's name is taken by a table of others, a table's log cannot be listed, or Glue refuses a
            request.
    """
    if not is_s3(lake):
        raise SettingsError("Glue and Athena know tables on S3 only, and this lake is a folder: set OLIST_LAKE=s3://…")
    declared = published() if tables is None else tuple(tables)
    store = open_store(lake, create=False)
    written = {table.id for table in declared if _is_written(store, table)}
    outcomes: dict[str, Outcome] = {}
    try:
        catalog = _Catalog(name, dry_run=dry_run)
        for layer, description in DATABASES.items():
            database = database_name(layer, name)
            of_layer = [table for table in declared if table.layer is layer]
            inputs = {table.name: table_input(table, lake, name) for table in of_layer if table.id in written}
            missing = [f"{database}.{table.name}" for table in of_layer if table.id not in written]
            outcomes |= dict.fromkeys(missing, Outcome.NOT_WRITTEN)
            if inputs:
                outcomes[database] = catalog.put_database(_database_input(database, description, lake, layer, name))
            outcomes |= catalog.put_tables(database, inputs, drop=drop)
    except (BotoCoreError, ClientError) as error:
        raise _to_catalog_error(error) from error
    return outcomes


def table_input(table: TableSpec, lake: str, name: str) -> dict[str, Any]:
    """A table as the TableInput of Glue's API. Declared types have the same names in Hive as in Spark."""
    location = f"{lake}/{table.id}/"
    partitioned = f" Partitioned by {table.partition}." if table.partition else ""
    return {
        "Name": table.name,
        "Description": table.description + partitioned,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {**_DELTA, OWNER: name},
        "PartitionKeys": [],  # the Delta log has the partitions
        "StorageDescriptor": {
            "Columns": [{"Name": c.name, "Type": c.type, "Comment": c.comment} for c in table.columns],
            "Location": location,
            **_FORMATS,
            "SerdeInfo": {
                "SerializationLibrary": _SERDE,
                "Parameters": {"path": location, "serialization.format": "1"},
            },
        },
    }


def table_counts(outcomes: Mapping[str, Outcome]) -> dict[Outcome, int]:
    """The number of tables, without databases, by outcome; zeros included."""
    tables = Counter(outcome for place, outcome in outcomes.items() if "." in place)
    return {outcome: tables[outcome] for outcome in Outcome}


def _database_input(database: str, description: str, lake: str, layer: Layer, name: str) -> dict[str, Any]:
    return {
        "Name": database,
        "Description": description,
        "LocationUri": f"{lake}/{layer}/",
        "Parameters": {OWNER: name},
    }


@dataclass(frozen=True, slots=True)
class _Database:
    """A database in Glue."""

    glue: Any
    name: str

    @property
    def place(self) -> str:
        return self.name

    def get(self) -> dict[str, Any] | None:
        return _find(lambda: self.glue.get_database(Name=self.name)["Database"])

    def create(self, database_input: dict[str, Any]) -> None:
        self.glue.create_database(DatabaseInput=database_input)

    def update(self, database_input: dict[str, Any]) -> None:
        self.glue.update_database(Name=self.name, DatabaseInput=database_input)

    def keep_foreign(self) -> Outcome:
        """Do not change a database of others, such as the stack's; tables can be registered in it."""
        return Outcome.UNCHANGED


@dataclass(frozen=True, slots=True)
class _Table:
    """A table in Glue."""

    glue: Any
    database: str
    name: str

    @property
    def place(self) -> str:
        return f"{self.database}.{self.name}"

    def get(self) -> dict[str, Any] | None:
        return _find(lambda: self.glue.get_table(DatabaseName=self.database, Name=self.name)["Table"])

    def create(self, table_input: dict[str, Any]) -> None:
        self.glue.create_table(DatabaseName=self.database, TableInput=table_input)

    def update(self, table_input: dict[str, Any]) -> None:
        self.glue.update_table(DatabaseName=self.database, TableInput=table_input)

    def drop(self) -> None:
        _find(lambda: self.glue.delete_table(DatabaseName=self.database, Name=self.name))

    def keep_foreign(self) -> NoReturn:
        """Refuse to replace a table of others."""
        raise CatalogError(
            f"{self.place} is in Glue already, and not by `olist register`: "
            "drop or rename it there, or choose other databases by OLIST_GLUE"
        )


class _Catalog:
    """The part of the Glue Data Catalog that belongs to the lakehouse of a name."""

    def __init__(self, name: str, *, dry_run: bool) -> None:
        self._glue = create_client("glue")
        self._name = name
        self._dry_run = dry_run

    def put_database(self, database_input: dict[str, Any]) -> Outcome:
        """Create a database, or update it if it differs."""
        database = _Database(self._glue, database_input["Name"])
        return self._put(database, database_input, database.get())

    def put_tables(self, database: str, inputs: Mapping[str, dict[str, Any]], *, drop: bool) -> dict[str, Outcome]:
        """Create or update tables by name; drop or report own tables of the database without an input."""
        pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=database)
        current = _find(lambda: {table["Name"]: table for page in pages for table in page["TableList"]}) or {}
        tables = {name: _Table(self._glue, database, name) for name in (*inputs, *current)}
        for name in inputs:
            if name in current and not self._is_own(current[name]):
                tables[name].keep_foreign()  # before anything is written
        outcomes = {tables[name].place: self._put(tables[name], inputs[name], current.get(name)) for name in inputs}
        for name in [name for name in current if name not in inputs and self._is_own(current[name])]:
            outcomes[tables[name].place] = self._drop(tables[name]) if drop else Outcome.VANISHED
        return outcomes

    def _put(
        self, resource: _Database | _Table, resource_input: dict[str, Any], current: dict[str, Any] | None
    ) -> Outcome:
        """Create or update a resource if it differs from its input; after a concurrent change, get it and retry."""
        for _ in range(_ATTEMPTS):
            if current is not None and not self._is_own(current):
                return resource.keep_foreign()
            if current is not None and _includes(current, resource_input):
                return Outcome.UNCHANGED
            outcome = Outcome.CREATED if current is None else Outcome.UPDATED
            if self._dry_run:
                return outcome
            try:
                if current is None:
                    resource.create(resource_input)
                else:
                    resource.update(_with_added_parameters(resource_input, current))
            except ClientError as error:
                if error_code(error) not in _CONFLICTS:
                    raise
                current = resource.get()
            else:
                return outcome
        raise CatalogError(f"{resource.place} in Glue is being changed by others: run `olist register` again")

    def _drop(self, table: _Table) -> Outcome:
        if not self._dry_run:
            table.drop()
        return Outcome.DROPPED

    def _is_own(self, current: Mapping[str, Any]) -> bool:
        return (current.get("Parameters") or {}).get(OWNER) == self._name


def _is_written(store: ObjectStore, table: TableSpec) -> bool:
    try:
        return any(store.list(f"{table.id}/_delta_log", chunk_size=1))
    except BaseError as error:
        raise CatalogError(f"{table.id} cannot be read: {summarize_error(error)}") from error


def _find(request: Callable[[], Any]) -> Any:
    """Glue's answer; None if the resource does not exist."""
    try:
        return request()
    except ClientError as error:
        if error_code(error) != "EntityNotFoundException":
            raise
        return None


def _with_added_parameters(resource_input: dict[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """The input with the parameters that others have added to the resource."""
    return {**resource_input, "Parameters": {**current.get("Parameters", {}), **resource_input["Parameters"]}}


def _includes(current: Any, expected: Any) -> bool:
    """Whether Glue's answer has all expected keys with their values; other keys are ignored."""
    if isinstance(expected, dict):
        return isinstance(current, dict) and all(_includes(current.get(key), value) for key, value in expected.items())
    if isinstance(expected, list):
        return len(current or []) == len(expected) and all(map(_includes, current or [], expected))
    return current == expected


def _to_catalog_error(error: BotoCoreError | ClientError) -> CatalogError:
    text = describe_error(error)
    if isinstance(error, BotoCoreError):
        cure = "check AWS_REGION, AWS_PROFILE and the network connection to Glue"
    elif error_code(error) in _DENIED:
        cure = "see docs/athena.md for the permissions that `olist register` needs"
    else:
        return CatalogError(text)
    return CatalogError(f"{text.rstrip('.')}; {cure}")
