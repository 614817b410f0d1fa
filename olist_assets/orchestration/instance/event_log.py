"""Dagster's event log in one SQLite file, fast enough for runs over hundreds of landing dates.

The class depends on internals of Dagster, which pyproject.toml pins to one minor release:

- the parent's constructor sets `_base_dir`, `_conn_string`, `_watchers` and `_obs`, and calls `_init_db` if there is no
  file; its other methods reach the database through `_connect` and ask `has_table`;
- the parent's `store_event` calls `_event_to_row`, `_store_asset_event_tags`, `_store_asset_event` and
  `store_asset_check_event` for one event; `store_event_batch` calls them here for many;
- `store_asset_check_event` calls `_store_asset_check_evaluation_planned`;
- `stamp_alembic_rev` writes the revision of the schema.

olist_assets_tests/orchestration compares the answers with those of Dagster's own event log.
"""

import inspect
import os
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
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
from watchdog.observers.api import BaseObserver

_Watcher = Callable[[EventLogEntry, str], Any]


class BatchingSqliteEventLogStorage(ConsolidatedSqliteEventLogStorage):
    """Dagster's consolidated SQLite event log, with open connections and one transaction per batch of events.

    The file is the parent's, `<base_dir>/event_log.db`, so either class reads what the other wrote. It is in WAL mode:
    any number of processes read while one writes. After a crash of the machine (not of a process) the last events may
    be missing (`synchronous=NORMAL`), but the file is consistent.
    """

    _obs: BaseObserver | None
    _watchers: defaultdict[str, dict[_Watcher, str | None]]

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._thread = threading.local()
        self._tables: set[str] = set()
        self._watch_lock = threading.RLock()
        super().__init__(base_dir, inst_data)  # pyright: ignore[reportUnknownMemberType] - Dagster's is not annotated

    def _init_db(self) -> None:
        """Create the file under another name first, so that concurrent processes never see an incomplete one."""
        Path(self._base_dir).mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".event_log-", dir=self._base_dir) as folder:
            new = ConsolidatedSqliteEventLogStorage(folder)
            with new.index_connection() as connection:  # the parent stamps the revision, but does not commit it
                stamp_alembic_rev(get_alembic_config(inspect.getfile(type(new))), connection)
            with suppress(FileExistsError):  # another process was faster
                os.link(new.get_db_path(), self.get_db_path())

    # --- Connections and transactions ---------------------------------------------------------------------------

    @cached_property
    def _engine(self) -> sa.Engine:
        engine = sa.create_engine(
            self._conn_string,
            poolclass=sa.QueuePool,
            max_overflow=-1,  # threads of the webserver must not wait for each other's connection
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        sqlalchemy.event.listen(engine, "connect", _relax_synchronous)
        return engine

    @contextmanager
    def _connect(self) -> Generator[sa.Connection]:
        """A connection within a transaction: the one in which this thread stores events, else a new one."""
        current = getattr(self._thread, "connection", None)
        if current is not None:
            yield current
        else:
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def _transaction(self) -> Generator[sa.Connection]:
        """Run this thread's reads and writes in one transaction, which an error rolls back."""
        with self._connect() as connection:
            self._thread.connection = connection
            try:
                yield connection
            finally:
                del self._thread.connection
        # Watchers woke when the commit was written, perhaps before it was visible. Now it is: wake them again.
        os.utime(self.get_db_path())

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, and update the indexes of assets and checks."""
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store all events, or none after an error. The result is that of the parent's `store_event` for each event.

        The parent uses several statements and transactions per event; this is one transaction, and one INSERT.
        """
        if not events:
            return
        insert = SqlEventLogStorageTable.insert().returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
        with self._transaction() as connection:
            ids = connection.scalars(insert, [self._event_to_row(event) for event in events]).all()
            stored = [(e, event_id) for e, event_id in zip(events, ids, strict=True) if e.is_dagster_event]
            asset_events = [(e, i) for e, i in stored if e.dagster_event_type in ASSET_EVENTS and _asset_key(e)]
            if asset_events:
                self._store_asset_event_tags(connection, *zip(*asset_events, strict=True))
            # The index of assets keeps only the newest event of each kind, so only those are written to it, in order.
            newest = {(_asset_key(e), e.dagster_event_type): i for e, i in asset_events}
            for event, event_id in asset_events:
                if newest[_asset_key(event), event.dagster_event_type] == event_id:
                    self._store_asset_event(connection, event, event_id)
            for event, event_id in stored:
                if event.dagster_event_type in ASSET_CHECK_EVENTS:
                    self.store_asset_check_event(event, event_id)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """Record one planned evaluation per range.

        The run reports only one, so the parent's one-per-partition plans would stay open forever.
        """
        dagster_event = event.get_dagster_event()
        planned = cast("AssetCheckEvaluationPlanned", dagster_event.event_specific_data)
        if planned.partitions_subset and len(planned.partitions_subset) > 1:
            unpartitioned = AssetCheckEvaluationPlanned(asset_key=planned.asset_key, check_name=planned.check_name)
            event = event._replace(dagster_event=dagster_event._replace(event_specific_data=unpartitioned))
        super()._store_asset_check_evaluation_planned(event, event_id)

    def has_table(self, table_name: str) -> bool:
        """Whether the database has a table. A positive answer is cached, because tables are never dropped."""
        if table_name not in self._tables:
            with self._connect() as connection:
                if sa.inspect(connection).has_table(table_name):
                    self._tables.add(table_name)
        return table_name in self._tables

    def dispose(self) -> None:
        """Stop watching, and close all connections."""
        super().dispose()
        self._engine.dispose()

    # --- Watching, for the UI's live view of a run ---------------------------------------------------------------

    def watch(self, run_id: str, cursor: str | None, callback: _Watcher) -> None:
        """Call back with each event of a run after the cursor, from any process."""
        with self._watch_lock:
            if self._obs is None:
                self._obs = Observer()
                self._obs.schedule(_CommitHandler(self), self._base_dir)
                self._obs.start()
            self._watchers[run_id][callback] = cursor

    def end_watch(self, run_id: str, handler: _Watcher) -> None:
        """Stop calling back."""
        with self._watch_lock:
            super().end_watch(run_id, handler)

    def on_modified(self) -> None:
        """Call back with new events."""
        with self._watch_lock:
            super().on_modified()


def _relax_synchronous(connection: sqlite3.Connection, _record: object) -> None:
    """Let a new connection commit without waiting for the disk."""
    connection.execute("PRAGMA synchronous=NORMAL")


def _asset_key(event: EventLogEntry) -> AssetKey | None:
    return event.get_dagster_event().asset_key


class _CommitHandler(FileSystemEventHandler):
    """Reports commits. While a connection is open, they go to the write-ahead log, not to the database file."""

    def __init__(self, storage: BatchingSqliteEventLogStorage) -> None:
        self._storage = storage
        self._paths = {storage.get_db_path(), f"{storage.get_db_path()}-wal"}

    def on_modified(self, event: FileSystemEvent) -> None:
        if event.src_path in self._paths:
            self._storage.on_modified()
