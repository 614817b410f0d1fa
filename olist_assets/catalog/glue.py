"""Trusted and refined in the Glue Data Catalog, as native Delta tables that Athena, QuickSight and Spark find by name.

What a table holds stands in its Delta log, which they all read; the catalog tells where it lies and what it means.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from olist_assets.aws.clients import create_client, error_code, to_user_error
from olist_assets.aws.environment import is_s3
from olist_assets.aws.redaction import summarize_error
from olist_assets.errors import OlistError
from olist_assets.lake.storage import open_store
from spark_steps.declarations import Layer, TableSpec
from spark_steps.tables import tables_in

DEFAULT_NAME = "olist"
"""What the names of databases begin with unless OLIST_GLUE says otherwise."""

DATABASES = {Layer.TRUSTED: "Typed rows, the newest state of each key", Layer.REFINED: "The star schema"}
"""The layers that are databases, and what is said of each."""

OWNER = "olist:lakehouse"
"""The parameter that marks what is registered here, its value being the name. What lacks it is somebody else's."""

_LOOKS = 3
_CHANGED_MEANWHILE = {"AlreadyExistsException", "ConcurrentModificationException", "EntityNotFoundException"}
_DENIED = {"AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "ExpiredTokenException"}

# What Athena's own CREATE EXTERNAL TABLE leaves in Glue for a Delta table. Athena goes by table_type and the location,
# Spark by the provider and the path. The formats are read by nobody, but must be there.
_DELTA = {"EXTERNAL": "TRUE", "table_type": "delta", "spark.sql.sources.provider": "delta"}
_FORMATS = {
    "InputFormat": "org.apache.hadoop.mapred.SequenceFileInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
}
_SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"


class Outcome(StrEnum):
    """What became of a database or a table."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DROPPED = "dropped"
    VANISHED = "vanished"
    NOT_WRITTEN = "not written"


CHANGES = (Outcome.CREATED, Outcome.UPDATED, Outcome.DROPPED)
"""The outcomes for which Glue is written to."""


def database_name(layer: Layer, name: str) -> str:
    """The database of a layer, where OLIST_GLUE is this name."""
    return f"{name}_{layer}"


def published() -> tuple[TableSpec, ...]:
    """The tables that are registered: those of the layers that are databases."""
    return tuple(table for layer in DATABASES for table in tables_in(layer))


def register(
    lake: str, name: str, *, tables: Iterable[TableSpec] | None = None, drop: bool = False, dry_run: bool = False
) -> dict[str, Outcome]:
    """Have the catalog tell what the lake holds, by as few changes as that takes.

    It may run beside another that does the same. Databases and tables of others are left alone.

    Args:
        lake: the lake's root, an s3:// URI.
        name: what the names of the databases begin with, as in <name>_refined.
        tables: the declarations; those that are `published` by default.
        drop: take tables out of the catalog that are no longer declared or no longer in the lake; otherwise they are
            only told, as vanished. No data is deleted.
        dry_run: change nothing, and tell what would become of each.

    Returns:
        What became of each database, by its name, and of each table, by <database>.<table>.

    Raises:
        OlistError: the lake is not on S3 or cannot be read, a table's name is taken by another's, or Glue refuses.
    """
    if not is_s3(lake):
        raise OlistError("Glue and Athena know tables on S3 only, and this lake is a folder: set OLIST_LAKE=s3://…")
    declared = published() if tables is None else tuple(tables)
    store = open_store(lake, create=False)
    written = [table for table in declared if _is_written(store, table)]
    outcomes: dict[str, Outcome] = {}
    try:
        catalog = _Catalog(name, dry_run=dry_run)
        for layer, description in DATABASES.items():
            database = database_name(layer, name)
            wanted = {t.name: table_input(t, lake, name) for t in written if t.layer is layer}
            absent = [f"{database}.{t.name}" for t in declared if t.layer is layer and t not in written]
            outcomes |= dict.fromkeys(absent, Outcome.NOT_WRITTEN)
            if wanted:
                outcomes[database] = catalog.settle_database(_database_input(database, description, lake, layer, name))
            outcomes |= catalog.settle_tables(database, wanted, drop=drop)
    except (BotoCoreError, ClientError) as error:
        raise _with_cure(error) from error
    return outcomes


def table_input(table: TableSpec, lake: str, name: str) -> dict[str, Any]:
    """What Glue is told of a table, as its API takes it. Declared types have the same names in Hive as in Spark."""
    location = f"{lake}/{table.id}/"
    partitioned = f" Partitioned by {table.partition}." if table.partition else ""
    return {
        "Name": table.name,
        "Description": table.description + partitioned,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {**_DELTA, OWNER: name},
        "PartitionKeys": [],  # partitions stand in the Delta log; Glue has none to list
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
    """How many tables, databases aside, each outcome became of, noughts too."""
    tables = Counter(outcome for place, outcome in outcomes.items() if "." in place)
    return {outcome: tables[outcome] for outcome in Outcome}


def _database_input(database: str, description: str, lake: str, layer: Layer, name: str) -> dict[str, Any]:
    return {
        "Name": database,
        "Description": description,
        "LocationUri": f"{lake}/{layer}/",
        "Parameters": {OWNER: name},
    }


class _Catalog:
    """The Glue Data Catalog, as the lakehouse of a name may change it."""

    def __init__(self, name: str, *, dry_run: bool) -> None:
        self._glue = create_client("glue")
        self._name = name
        self._dry_run = dry_run

    def settle_database(self, wanted: dict[str, Any]) -> Outcome:
        """Have a database be as it is wanted; one that others made, such as the stack, is left as it is."""
        name = wanted["Name"]

        def look() -> dict[str, Any] | None:
            found = _if_there(lambda: self._glue.get_database(Name=name)["Database"])
            return wanted if found is not None and not self._is_own(found) else found

        return self._settle(
            name,
            wanted,
            look(),
            look=look,
            create=lambda: self._glue.create_database(DatabaseInput=wanted),
            update=lambda changed: self._glue.update_database(Name=name, DatabaseInput=changed),
        )

    def settle_tables(self, database: str, wanted: Mapping[str, dict[str, Any]], *, drop: bool) -> dict[str, Outcome]:
        """Have the tables of a database be as they are wanted."""
        held = self._tables(database)
        for name in wanted:  # before anything is written
            self._check_own(database, held.get(name))
        outcomes = {f"{database}.{name}": self._settle_table(database, wanted[name], held.get(name)) for name in wanted}
        for name, found in held.items():
            if name not in wanted and self._is_own(found):
                outcomes[f"{database}.{name}"] = self._drop(database, name) if drop else Outcome.VANISHED
        return outcomes

    def _tables(self, database: str) -> dict[str, dict[str, Any]]:
        pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=database)
        return _if_there(lambda: {table["Name"]: table for page in pages for table in page["TableList"]}) or {}

    def _settle_table(self, database: str, wanted: dict[str, Any], found: dict[str, Any] | None) -> Outcome:
        name = wanted["Name"]

        def look() -> dict[str, Any] | None:
            now = _if_there(lambda: self._glue.get_table(DatabaseName=database, Name=name)["Table"])
            return self._check_own(database, now)

        return self._settle(
            f"{database}.{name}",
            wanted,
            found,
            look=look,
            create=lambda: self._glue.create_table(DatabaseName=database, TableInput=wanted),
            update=lambda changed: self._glue.update_table(DatabaseName=database, TableInput=changed),
        )

    def _settle(
        self,
        place: str,
        wanted: dict[str, Any],
        found: dict[str, Any] | None,
        *,
        look: Callable[[], dict[str, Any] | None],
        create: Callable[[], Any],
        update: Callable[[dict[str, Any]], Any],
    ) -> Outcome:
        """Create or update one thing if it differs; if another was quicker, look at what it is now."""
        for _ in range(_LOOKS):
            if found is not None and _holds(found, wanted):
                return Outcome.UNCHANGED
            outcome = Outcome.CREATED if found is None else Outcome.UPDATED
            if self._dry_run:
                return outcome
            try:
                if found is None:
                    create()
                else:  # what others have noted beside ours stays
                    update({**wanted, "Parameters": {**found.get("Parameters", {}), **wanted["Parameters"]}})
            except ClientError as error:
                if error_code(error) not in _CHANGED_MEANWHILE:
                    raise
                found = look()
            else:
                return outcome
        raise OlistError(f"{place} in Glue is changed by somebody else again and again: run it once more")

    def _drop(self, database: str, name: str) -> Outcome:
        if not self._dry_run:
            _if_there(lambda: self._glue.delete_table(DatabaseName=database, Name=name))
        return Outcome.DROPPED

    def _is_own(self, found: Mapping[str, Any]) -> bool:
        return (found.get("Parameters") or {}).get(OWNER) == self._name

    def _check_own(self, database: str, found: dict[str, Any] | None) -> dict[str, Any] | None:
        if found is not None and not self._is_own(found):
            raise OlistError(
                f"{database}.{found['Name']} is in Glue already, and not by `olist register`: "
                "drop or rename it there, or choose other databases by OLIST_GLUE"
            )
        return found


def _is_written(store: ObjectStore, table: TableSpec) -> bool:
    try:
        return any(store.list(f"{table.id}/_delta_log", chunk_size=1))
    except BaseError as error:
        raise OlistError(f"{table.id} cannot be read: {summarize_error(error)}") from error


def _if_there(look: Callable[[], Any]) -> Any:
    """What Glue answers; None if there is no such thing."""
    try:
        return look()
    except ClientError as error:
        if error_code(error) != "EntityNotFoundException":
            raise
        return None


def _holds(found: Any, wanted: Any) -> bool:
    """Whether what Glue tells is what is wanted, whatever else it tells."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_holds(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return len(found or []) == len(wanted) and all(map(_holds, found or [], wanted))
    return found == wanted


def _with_cure(error: BotoCoreError | ClientError) -> OlistError:
    if isinstance(error, BotoCoreError):
        cure = "see AWS_REGION, AWS_PROFILE and the network's way to Glue"
    elif error_code(error) in _DENIED:
        cure = "docs/athena.md tells what `olist register` must be permitted"
    else:
        return to_user_error(error)
    return OlistError(f"{str(to_user_error(error)).rstrip('.')}; {cure}")
