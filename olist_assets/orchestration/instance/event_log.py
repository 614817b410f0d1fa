"""Dagster's event log in one SQLite file, quick enough for runs over hundreds of landing dates."""

import inspect
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import sqlalchemy as sa
import sqlalchemy.event
from dagster import AssetKey, EventLogEntry
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage, SqlEventLogStorageTable
from dagster._core.storage.sql import get_alembic_config, stamp_alembic_rev
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer


class BatchingSqliteEventLogStorage(ConsolidatedSqliteEventLogStorage):
    """Dagster's consolidated SQLite event log, with connections that stay open and a transaction a batch of events.

    The file is that of its parent, `<base_dir>/event_log.db`, so either class reads what the other wrote. It is in WAL
    mode: any number of processes read while one writes. After a crash of the machine, not of the process, the last
    events may be missing (`synchronous=NORMAL`); the file is whole.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._thread = threading.local()
        self._tables: set[str] = set()
        self._watch_lock = threading.RLock()
        super().__init__(base_dir, inst_data)

    def _init_db(self) -> None:
        """Make the file under another name first: processes that start together never see half of it."""
        Path(self._base_dir).mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".event_log-", dir=self._base_dir) as folder:
            made = ConsolidatedSqliteEventLogStorage(folder)
            with made.index_connection() as connection:  # the parent stamps the schema's revision, but commits it not
                stamp_alembic_rev(get_alembic_config(inspect.getfile(type(made))), connection)
            with suppress(FileExistsError):  # another process was quicker
                os.link(made.get_db_path(), self.get_db_path())

    # --- Connections and transactions ---------------------------------------------------------------------------

    @cached_property
    def _engine(self) -> sa.Engine:
        engine = sa.create_engine(
            self._conn_string,
            poolclass=sa.QueuePool,
            max_overflow=-1,  # the webserver has many threads, and none shall wait for another's connection
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        sqlalchemy.event.listen(
            engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=NORMAL")
        )
        return engine

    @contextmanager
    def _connect(self) -> Iterator[sa.Connection]:
        """A connection within a transaction: this thread's, if it is storing events, else one of its own."""
        joined = getattr(self._thread, "connection", None)
        if joined is not None:
            yield joined
        else:
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def _one_transaction(self) -> Iterator[sa.Connection]:
        """All that this thread reads and writes within is one transaction; an error undoes it."""
        with self._connect() as connection:
            self._thread.connection = connection
            try:
                yield connection
            finally:
                del self._thread.connection
        # Now the commit can be read. Those who watch were woken when it was written, perhaps too early to see it.
        os.utime(self.get_db_path())

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, with all that the indexes over assets and checks keep of it."""
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events, all or, after an error, none: as the parent stores each, but with one statement for all."""
        if not events:
            return
        insert = SqlEventLogStorageTable.insert().returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
        with self._one_transaction() as connection:
            ids = connection.scalars(insert, [self._event_to_row(event) for event in events]).all()
            stored = [(e, event_id) for e, event_id in zip(events, ids, strict=True) if e.is_dagster_event]
            of_assets = [(e, i) for e, i in stored if e.dagster_event_type in ASSET_EVENTS and _asset_key(e)]
            if of_assets:
                self._store_asset_event_tags(connection, *zip(*of_assets, strict=True))
            # The index over assets keeps but the newest event of each kind; kinds stay in the order of these.
            newest = {(_asset_key(e), e.dagster_event_type): i for e, i in of_assets}
            for event, event_id in of_assets:
                if newest[_asset_key(event), event.dagster_event_type] == event_id:
                    self._store_asset_event(connection, event, event_id)
            for event, event_id in stored:
                if event.dagster_event_type in ASSET_CHECK_EVENTS:
                    self.store_asset_check_event(event, event_id)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """Plan one evaluation of a check for a range, as one comes; the parent plans one a day, and none ever ends."""
        dagster_event = event.get_dagster_event()
        planned = cast("AssetCheckEvaluationPlanned", dagster_event.event_specific_data)
        if planned.partitions_subset and len(planned.partitions_subset) > 1:
            whole = AssetCheckEvaluationPlanned(asset_key=planned.asset_key, check_name=planned.check_name)
            event = event._replace(dagster_event=dagster_event._replace(event_specific_data=whole))
        super()._store_asset_check_evaluation_planned(event, event_id)

    def has_table(self, table_name: str) -> bool:
        """Whether the database has a table; asked only until it has it."""
        if table_name not in self._tables:
            with self._connect() as connection:
                if sa.inspect(connection).has_table(table_name):
                    self._tables.add(table_name)
        return table_name in self._tables

    def dispose(self) -> None:
        """Stop watching and close the connections."""
        super().dispose()
        self._engine.dispose()

    # --- Watching, for Dagit's live view of a run ----------------------------------------------------------------

    def watch(self, run_id: str, cursor: str | None, callback: Callable[[EventLogEntry, str], Any]) -> None:
        """Call back with each event of a run behind the cursor, from whatever process it comes."""
        with self._watch_lock:
            if self._obs is None:
                self._obs = Observer()
                self._obs.schedule(_Changes(self), self._base_dir)
                self._obs.start()
            self._watchers[run_id][callback] = cursor

    def end_watch(self, run_id: str, handler: Callable[[EventLogEntry, str], Any]) -> None:
        """Call back no more."""
        with self._watch_lock:
            super().end_watch(run_id, handler)

    def on_modified(self) -> None:
        """Hand on what is new."""
        with self._watch_lock:
            super().on_modified()


def _asset_key(event: EventLogEntry) -> AssetKey | None:
    return event.get_dagster_event().asset_key


class _Changes(FileSystemEventHandler):
    """Sees each commit: as long as a connection is open, it goes to the log beside the database, not to the file."""

    def __init__(self, storage: BatchingSqliteEventLogStorage) -> None:
        self._storage = storage
        self._paths = {storage.get_db_path(), f"{storage.get_db_path()}-wal"}

    def on_modified(self, event: FileSystemEvent) -> None:
        if event.src_path in self._paths:
            self._storage.on_modified()
