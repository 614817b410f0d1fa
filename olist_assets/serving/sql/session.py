"""SQL over the lake: DuckDB reads the Delta tables, offline and read-only. Layers are schemas.

    lake = connect("path or s3://bucket/prefix")
    lake.query("select * from refined.fact_orders where order_status = $status", {"status": "canceled"}).df()

A session reads one version of each table, even while others write.
"""

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb

from olist_assets.aws.environment import configure, is_s3
from olist_assets.aws.redaction import summarize_error
from olist_assets.errors import QueryError, close_matches, did_you_mean, rebuild_remedy, utc_text
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import StepRecords
from olist_assets.lake.storage import open_store, require_lake
from olist_assets.lake.table_versions import DeltaLog, resolve_versions, unreadable_message
from olist_assets.serving import duckdb_extensions
from olist_assets.serving.sql.statements import check_statement, sql_literal
from olist_assets.serving.sql.step_table import create_step_table
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES

CONTROL_STEPS = "control.steps"
DEFAULT_LAYER = Layer.REFINED
"""The layer of names without a layer."""

_LAYERS = (Layer.REFINED, Layer.TRUSTED, Layer.RAW, Layer.QUARANTINE)
NAMES = {
    f"{table.layer}.{table.name}": table
    for table in sorted(TABLES.values(), key=lambda table: _LAYERS.index(table.layer))
}
"""The declared tables by their names in SQL, the most used layer first."""

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_persistent_secrets": False,
    # `duckdb_extensions` checks what it loads. The session is locked afterwards, so that nothing else can be loaded.
    "allow_unsigned_extensions": True,
}
_CREDENTIALS = ("s3_access_key_id", "s3_secret_access_key", "s3_session_token")
_SUGGESTIONS = re.compile(r"\s*(?:Candidate (?:bindings|tables): |Did you mean).*", re.DOTALL)
_UNKNOWN_COLUMN = re.compile(r'[Cc]olumn (?:named )?"([^"]+)"')
_MISSING_FILE = ("No such file", "HTTP 404", "NoSuchKey", "Object at location")
_DATA_FILE = re.compile(rf"\b({'|'.join(Layer)})/(\w+)/\S*\.parquet")


def connect(root: str, *, as_of: datetime | None = None) -> "Session":
    """Start a session over the lake at `root`; others may write the lake meanwhile.

    Args:
        root: a folder or an s3:// URI. S3 uses the AWS variables or profile.
        as_of: read the tables as of this time, UTC if it has no zone; by default their newest versions.

    Raises:
        LakeNotFoundError: there is no lake.
        OlistError: the lake cannot be read, or DuckDB cannot be prepared.
    """
    session = Session(root, as_of)
    _ = session.versions
    return session


class Session:
    """Queries over one version of each table. Use it in one thread at a time.

    The versions are resolved on first use, because that lists the logs of all tables.

    Attributes:
        root: the lake's absolute path or s3:// URI.
        as_of: the time whose table versions are read; None for the newest.
    """

    def __init__(self, root: str, as_of: datetime | None = None) -> None:
        if is_s3(root):
            configure()
            self.root = root.rstrip("/")
        else:
            self.root = str(Path(root).expanduser().resolve())
        require_lake(self.root)
        self.as_of = as_of = as_of.replace(tzinfo=UTC) if as_of and as_of.tzinfo is None else as_of
        self._start = datetime.now(UTC)
        self._store = open_store(self.root, create=False)
        self._connection = duckdb.connect(config=_CONFIG)
        self._opened: set[str] = set()
        self._folder = Path(tempfile.gettempdir(), f"olist-sql-{uuid.uuid4().hex}")  # exists while steps are copied
        try:
            self._prepare()
        except BaseException as error:
            self._connection.close()
            raise (QueryError(summarize_error(error)) if isinstance(error, duckdb.Error) else error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def versions(self) -> Mapping[str, int]:
        """The version of each table that has one, by table id, such as `refined/fact_orders`."""
        return self._resolved[0]

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Why each table whose log is damaged cannot be read, by table id. Other tables can be queried."""
        return self._resolved[1]

    @cached_property
    def _resolved(self) -> tuple[dict[str, int], dict[str, str]]:
        return resolve_versions(self._store, TABLES, self.as_of)

    def close(self) -> None:
        """Close the session. Results that have not been fetched are lost."""
        self.interrupt()  # a query that Ctrl-C has left behind would continue
        self._connection.close()

    def interrupt(self) -> None:
        """End the query that runs in another thread, if there is one, with an error there."""
        self._connection.interrupt()

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> duckdb.DuckDBPyRelation:
        """The result of one read-only statement over the lake's tables and `control.steps`.

        Args:
            sql: one SELECT, DESCRIBE, SUMMARIZE or EXPLAIN. A table name without a layer is refined's.
            parameters: a value for each `$name` in it. Text is cast to the type that it is compared with.

        Raises:
            QueryError: it is not one read-only statement, a table is unknown, cannot be read or has no version in this
                session, a parameter is missing or unused, or DuckDB refuses it. Errors in the data are raised by the
                fetch.
        """
        parameters = dict(parameters or {})
        names: list[str] = []
        try:
            statement = check_statement(self._connection, sql)
            _check_parameters(statement.parameters, parameters.keys())
            names = [full_name(name) for name in sorted(statement.tables)]
            for name in names:
                self._open(name)
            return self._connection.sql(statement.sql, params=parameters or None)
        except duckdb.Error as error:
            raise self._to_query_error(error, names) from error

    def columns(self, name: str) -> list[str]:
        """The columns of a table, such as `refined.fact_orders`."""
        if name in NAMES:
            return list(NAMES[name].column_names)
        return self.query(f"SELECT * FROM {name} LIMIT 0").columns

    def _prepare(self) -> None:
        """Load extensions, create schemas, and lock the connection: it reads only the lake and changes no setting."""
        connection = self._connection
        duckdb_extensions.load(connection, "delta")
        connection.execute("SET TimeZone = 'UTC'")
        if is_s3(self.root):
            _create_s3_secret(connection)
        for schema in (*_LAYERS, "control"):
            connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"SET schema = '{DEFAULT_LAYER}'")
        folders = ", ".join(map(sql_literal, (self.root, str(self._folder))))
        connection.execute(f"SET allowed_directories = [{folders}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET allow_unsigned_extensions = false")
        connection.execute("SET lock_configuration = true")

    def _open(self, name: str) -> None:
        """Create the view of a table when a statement first reads it."""
        if name in self._opened:
            return
        if name == CONTROL_STEPS:
            self._open_steps()
        else:
            table_id = NAMES[name].id
            if reason := self.unreadable.get(table_id):
                raise QueryError(unreadable_message(table_id, reason))
            if table_id not in self.versions:
                raise QueryError(self._explain_missing_version(name))
            path, version = sql_literal(f"{self.root}/{table_id}"), self.versions[table_id]
            try:
                # `delta_scan` would read the table's log again for each query.
                self._connection.execute(f'ATTACH {path} AS "{table_id}" (TYPE delta, PIN_SNAPSHOT, VERSION {version})')
                self._connection.execute(f'CREATE VIEW {name} AS SELECT * FROM "{table_id}"')
            except duckdb.Error as error:
                raise QueryError(self._explain_unreadable(name, error)) from error
        self._opened.add(name)

    def _open_steps(self) -> None:
        """Copy the step records, so that all statements of the session read the same ones."""
        lines = StepRecords(self._store).read_lines()
        if not lines:
            raise QueryError(f"{CONTROL_STEPS} is empty: nothing has run on this lake yet; run `olist run`")
        self._folder.mkdir(mode=0o700)
        try:
            create_step_table(self._connection, CONTROL_STEPS, lines, self._folder, self.as_of or self._start)
        finally:
            shutil.rmtree(self._folder)

    def _explain_unreadable(self, name: str, error: duckdb.Error) -> str:
        """Why DuckDB cannot open a declared table."""
        if problem := self._inspect(name):
            return problem
        table_id, version = NAMES[name].id, self.versions[NAMES[name].id]
        remedy = "its history may have been cleaned up" if self.as_of else rebuild_remedy(table_id)
        return f"{name} cannot be read at version {version}: {summarize_error(error)}; {remedy}"

    def _inspect(self, name: str) -> str:
        """Why a declared table cannot be read, if the session reads its newest version; empty if nothing is found."""
        # Imported late: delta-rs is needed for errors only.
        from olist_assets.lake.inspection import inspect_tables  # noqa: PLC0415

        table_id = NAMES[name].id
        newest = inspect_tables(Lake(self.root), [table_id])[table_id]
        return newest.problem if newest.version == self.versions.get(table_id) else ""

    def _explain_missing_version(self, name: str) -> str:
        """Why the session has no version of a declared table."""
        log = DeltaLog(self._store, NAMES[name].id)
        if self.as_of is None or not log.versions:
            return f"{name} has not been written yet; run `olist run`"
        oldest = log.versions[0]
        time, oldest_time = utc_text(self.as_of), utc_text(log.committed_at(oldest))
        if oldest:
            return f"{name} at {time} is no longer available: its oldest version, {oldest}, is of {oldest_time}"
        return f"{name} did not exist at {time}: it was created at {oldest_time}"

    def _to_query_error(self, error: duckdb.Error, names: list[str]) -> QueryError:
        """DuckDB's error in one line; for an unknown column with the most similar columns of the tables read."""
        if isinstance(error, duckdb.IOException):
            for name in names:
                if name in NAMES and (problem := self._inspect(name)):
                    return QueryError(problem)
        match = _UNKNOWN_COLUMN.search(str(error))
        if match is None or not isinstance(error, duckdb.BinderException):
            return to_query_error(error)
        columns = dict.fromkeys(column for name in names if name in self._opened for column in self.columns(name))
        matches = close_matches(match[1].lower(), columns)
        if not matches or match[1].lower() in columns:  # another error about a column
            return to_query_error(error)
        return QueryError(f"{_SUGGESTIONS.sub('', str(error)).rstrip('!')}{did_you_mean(matches)}")


def to_query_error(error: duckdb.Error) -> QueryError:
    """DuckDB's error in one line, with a cure if a data file of the session's version is missing or damaged."""
    text = str(error)
    cures: list[str] = []
    if any(sign in text for sign in _MISSING_FILE):
        cures.append("files of this version have been deleted: start a new session, or query a later time")
    if file := _DATA_FILE.search(text):
        cures.append(f"if the file is lost or damaged, {rebuild_remedy(f'{file[1]}/{file[2]}')}")
    return QueryError("; ".join([summarize_error(error), *cures]))


def _check_parameters(names: frozenset[str], values: Collection[str]) -> None:
    if positions := [name for name in names if name.isdigit()]:
        raise QueryError(f"write parameters as $name, not ? or ${positions[0]}")
    if missing := sorted(names - set(values)):
        raise QueryError(f"the statement needs a value for {', '.join(f'${name}' for name in missing)}")
    if unused := sorted(set(values) - names):
        raise QueryError(f"the statement has no {', '.join(f'${name}' for name in unused)}")


def _create_s3_secret(connection: duckdb.DuckDBPyConnection) -> None:
    """Let DuckDB read S3 with the credentials, region and endpoint of the AWS variables or profile."""
    duckdb_extensions.load(connection, "httpfs")
    duckdb_extensions.load(connection, "aws")
    for setting in _CREDENTIALS:  # the extension copied them from the variables, where queries could show them
        connection.execute(f"SET {setting} = ''")
    options = {"TYPE": "s3", "PROVIDER": "credential_chain"}
    if region := os.environ.get("AWS_REGION"):
        options["REGION"] = sql_literal(region)
    if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3"):
        scheme, _, address = endpoint.partition("://")
        options |= {"ENDPOINT": sql_literal(address), "URL_STYLE": "'path'", "USE_SSL": str(scheme == "https").lower()}
    connection.execute(f"CREATE SECRET ({', '.join(' '.join(option) for option in options.items())})")


def full_name(name: str) -> str:
    """A table's name with its layer, which may be left out for refined.

    Raises:
        QueryError: there is no such table; the message has the most similar names.
    """
    full = name if "." in name else f"{DEFAULT_LAYER}.{name}"
    if full in NAMES or full == CONTROL_STEPS:
        return full
    raise QueryError(f"no table {name}{did_you_mean(nearest(name), '; see `olist status`')}")


def nearest(name: str) -> list[str]:
    """Up to three tables whose name, with or without the layer, is most similar to this one."""
    known = {full: full.partition(".")[2] for full in (*NAMES, CONTROL_STEPS)}
    if "." in name and (matches := close_matches(name, known)):
        return matches
    bare_names = close_matches(name.rpartition(".")[2], dict.fromkeys(known.values()))
    return [full for bare_name in bare_names for full in known if known[full] == bare_name][:3]
