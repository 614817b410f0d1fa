"""SQL over the lake: DuckDB reads the Delta tables, offline and read-only. Layers are schemas.

    lake = connect("path or s3://bucket/prefix")
    lake.query("select * from refined.fact_orders where order_status = $status", {"status": "canceled"}).df()

A session reads one version of each table, whatever is written meanwhile.
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from difflib import SequenceMatcher
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb

from olist_assets.aws.environment import configure, is_s3
from olist_assets.aws.redaction import summarize_error
from olist_assets.errors import OlistError
from olist_assets.lake.storage import open_store, require_lake
from olist_assets.lake.table_versions import DeltaLog, resolve_versions
from olist_assets.serving.sql.statements import check_statement, sql_literal
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES

CONTROL_STEPS = "control.steps"
DEFAULT_LAYER = Layer.REFINED
"""Whose tables need no layer before their name."""

_LAYERS = (Layer.REFINED, Layer.TRUSTED, Layer.RAW, Layer.QUARANTINE)
NAMES = {
    f"{table.layer}.{table.name}": table
    for table in sorted(TABLES.values(), key=lambda table: _LAYERS.index(table.layer))
}
"""The declared tables by their names in SQL, those first that people ask for most."""

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_persistent_secrets": False,
    # Extensions are installed packages, as trusted as this one; to check their signatures takes a second. What a
    # session is then locked to keeps any other from being loaded.
    "allow_unsigned_extensions": True,
}
_CREDENTIALS = ("s3_access_key_id", "s3_secret_access_key", "s3_session_token")
_CANDIDATES = re.compile(r"\s*(?:Candidate (?:bindings|tables): |Did you mean).*", re.DOTALL)
_NO_COLUMN = re.compile(r'[Cc]olumn (?:named )?"([^"]+)"')
_LIKE, _HARDLY_LESS = 0.6, 0.1
_GONE = ("No such file", "HTTP 404", "NoSuchKey", "Object at location")


def connect(root: str, *, as_of: datetime | None = None) -> "Session":
    """A session over the lake at `root`, a folder or an s3:// URI, which others may go on writing.

    Args:
        root: where the lake lies. S3 is reached by the AWS variables or profile.
        as_of: read the tables as they were at this time, UTC if it names no zone; as they are now if it is left out.

    Raises:
        OlistError: there is no lake, or it cannot be reached.
    """
    return Session(root, as_of)


class Session:
    """One version of each table, and answers to questions about them. Use it in one thread at a time.

    Attributes:
        root: where the lake lies.
        as_of: the time that it is shown at; None if that is the time of the session's start.
        versions: the version that is read of each table that has one, such as `refined/fact_orders`.
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
        self.versions = resolve_versions(self._store, TABLES, as_of)
        self._connection = duckdb.connect(config=_CONFIG)
        try:
            self._prepare()
        except duckdb.Error as error:
            raise OlistError(summarize_error(error)) from error
        self._opened: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session. Results that have not been fetched are lost."""
        self._connection.close()

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> duckdb.DuckDBPyRelation:
        """The result of one reading statement over the lake's tables, such as `refined.fact_orders` or `control.steps`.

        Args:
            sql: one SELECT, or DESCRIBE, SUMMARIZE or EXPLAIN. A table without a layer is refined's.
            parameters: a value for each `$name` in it. Text is cast to what it is compared with.

        Raises:
            OlistError: it is not one reading statement, a table is not known or has no version here, a parameter is
                missing or not used, or DuckDB refuses it. Errors of the data itself come when the result is fetched.
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
            raise self._explained(error, names) from error

    def columns(self, name: str) -> list[str]:
        """The columns of a table, such as `refined.fact_orders`."""
        if name in NAMES:
            return list(NAMES[name].column_names)
        return self.query(f"SELECT * FROM {name} LIMIT 0").columns

    def _prepare(self) -> None:
        """Load what is needed, and then let the session read nothing but the lake, and change no setting."""
        connection = self._connection
        _load(connection, "delta")
        connection.execute("SET TimeZone = 'UTC'")
        if is_s3(self.root):
            _reach_s3(connection)
        for schema in (*_LAYERS, "control"):
            connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"SET schema = '{DEFAULT_LAYER}'")
        connection.execute(f"SET allowed_directories = [{sql_literal(self.root)}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET allow_unsigned_extensions = false")
        connection.execute("SET lock_configuration = true")

    def _open(self, name: str) -> None:
        """Have SQL find the table that is mentioned for the first time."""
        if name in self._opened:
            return
        if name == CONTROL_STEPS:
            self._open_steps()
        else:
            table_id = NAMES[name].id
            if table_id not in self.versions:
                raise OlistError(self._missing(name))
            path = sql_literal(f"{self.root}/{table_id}")
            scan = f"delta_scan({path}, version := {self.versions[table_id]})"
            try:
                self._connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {scan}")
            except duckdb.IOException as error:
                version = f"{name} cannot be read at version {self.versions[table_id]}"
                raise OlistError(
                    f"{version}: {summarize_error(error)}; its history may have been cleaned up"
                ) from error
        self._opened.add(name)

    def _open_steps(self) -> None:
        """Copy the control objects, so that later statements of the session find the same."""
        steps = f"read_json({sql_literal(f'{self.root}/control/steps/*/*/*.json')}, union_by_name = true)"
        until = sql_literal((self.as_of or self._start).isoformat())
        try:
            self._connection.execute(
                f"CREATE TABLE {CONTROL_STEPS} AS SELECT * FROM {steps} WHERE started_at::TIMESTAMPTZ <= {until}"
            )
        except duckdb.IOException as error:
            if "No files found" not in str(error):
                raise
            raise OlistError(f"{CONTROL_STEPS} is empty: nothing has run on this lake yet; run `olist run`") from error

    def _missing(self, name: str) -> str:
        """Why the session has no version of a declared table."""
        log = DeltaLog(self._store, NAMES[name].id)
        if self.as_of is None or not log.versions:
            return f"{name} has not been written yet; run `olist run`"
        first = log.versions[0]
        time, begins = (f"{t.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" for t in (self.as_of, log.committed_at(first)))
        if first:
            return f"{name} at {time} is not known any more: the oldest version left, {first}, is of {begins}"
        return f"{name} did not exist at {time}: it was created at {begins}"

    def _explained(self, error: duckdb.Error, names: list[str]) -> OlistError:
        """DuckDB's error in one line; if it misses a column, with the nearest of the tables that were asked."""
        match = _NO_COLUMN.search(str(error))
        if match is None or not isinstance(error, duckdb.BinderException):
            return to_query_error(error)
        columns = [column for name in names for column in self.columns(name)]
        near = _alike(match[1].lower(), dict.fromkeys(columns))
        if not near or match[1].lower() in columns:  # another error about a column
            return to_query_error(error)
        return OlistError(f"{_CANDIDATES.sub('', str(error)).rstrip('!')}{_did_you_mean(near)}")


def to_query_error(error: duckdb.Error) -> OlistError:
    """DuckDB's own error in one line, with a cure where a file is gone that the session's version needs."""
    cure = "; files of this version are gone: start anew, or ask as of a later time"
    return OlistError(summarize_error(error) + (cure if any(sign in str(error) for sign in _GONE) else ""))


def _check_parameters(wanted: frozenset[str], given: Collection[str]) -> None:
    if unnamed := [name for name in wanted if name.isdigit()]:
        raise OlistError(f"write parameters as $name, not ? or ${unnamed[0]}")
    if missing := sorted(wanted - set(given)):
        raise OlistError(f"the statement wants a value for {', '.join(f'${name}' for name in missing)}")
    if unused := sorted(set(given) - wanted):
        raise OlistError(f"the statement has no {', '.join(f'${name}' for name in unused)}")


def _load(connection: duckdb.DuckDBPyConnection, extension: str) -> None:
    folder = files(f"duckdb_extension_{extension}") / "extensions" / f"v{duckdb.__version__}"
    connection.load_extension(str(folder / f"{extension}.duckdb_extension"))


def _reach_s3(connection: duckdb.DuckDBPyConnection) -> None:
    """Read S3 with the credentials, region and endpoint of the AWS variables or profile."""
    _load(connection, "httpfs")
    _load(connection, "aws")
    for setting in _CREDENTIALS:  # taken from the variables as it was loaded, for all to see
        connection.execute(f"SET {setting} = ''")
    options = {"TYPE": "s3", "PROVIDER": "credential_chain"}
    if region := os.environ.get("AWS_REGION"):
        options["REGION"] = sql_literal(region)
    if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3"):
        scheme, _, address = endpoint.partition("://")
        options |= {"ENDPOINT": sql_literal(address), "URL_STYLE": "'path'", "USE_SSL": str(scheme == "https").lower()}
    connection.execute(f"CREATE SECRET ({', '.join(' '.join(option) for option in options.items())})")


def full_name(name: str) -> str:
    """A table's name with its layer, where it may be written without.

    Raises:
        OlistError: there is no such table; the message names the nearest.
    """
    full = name if "." in name else f"{DEFAULT_LAYER}.{name}"
    if full in NAMES or full == CONTROL_STEPS:
        return full
    near = nearest(name)
    raise OlistError(f"no table {name}{_did_you_mean(near) or '; see `olist status`'}")


def nearest(name: str) -> list[str]:
    """Up to three tables whose name, with or without the layer, is most like this one."""
    known = {full: full.partition(".")[2] for full in (*NAMES, CONTROL_STEPS)}
    if "." in name and (whole := _alike(name, known)):
        return whole
    bare = _alike(name.rpartition(".")[2], dict.fromkeys(known.values()))
    return [full for match in bare for full in known if known[full] == match][:3]


def _alike(word: str, words: Iterable[str]) -> list[str]:
    """Up to three words that are like this one, and hardly less so than the first of them."""
    likeness = {other: SequenceMatcher(None, other, word).ratio() for other in words}
    least = max(_LIKE, max(likeness.values(), default=0) - _HARDLY_LESS)
    return sorted((w for w in likeness if likeness[w] >= least), key=likeness.__getitem__, reverse=True)[:3]


def _did_you_mean(near: list[str]) -> str:
    return f"; did you mean {' or '.join(near)}?" if near else ""
