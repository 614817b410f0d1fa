"""One writer per table: the lease that a run holds on a table while it writes.

A table's lease is the newest of its numbered objects, `control/leases/<layer>.<table>/<number>.json`. Every transition
creates the next number with put-if-absent, which local disks and S3 both grant to exactly one caller:

    no object   --acquire-->                  taken
    taken       --renew-->                    taken
    taken       --release-->                  released
    released    --acquire-->                  taken
    taken, but expired or its process on this host has exited
                --acquire by another run-->   taken

The highest number is never removed. A slow writer that creates a number which was used and removed before sees a higher
one and gives up. So does a holder that did not renew its lease in time.

A damaged object may belong to a live run. It counts as taken until a lease of its time of change has expired: a live
run has then created the next number.
"""

import logging
import os
import re
import socket
import threading
import uuid
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from olist_assets.errors import LeaseError, utc_text
from olist_assets.lake import process_identity
from olist_assets.lake.json_objects import ZonedTime, decode_or_none, encode
from olist_assets.lake.numbered_objects import NumberedObjects
from olist_assets.lake.storage import CONCURRENT_READS, list_objects, read_object

LIFETIME = timedelta(minutes=1)
"""How long a lease lasts without renewal. The clocks of hosts must differ by much less."""

_FOLDER = "control/leases"
_PATH = re.compile(rf"{_FOLDER}/\w+\.\w+/\d{{8}}\.json")
_log = logging.getLogger(__name__)


class LeaseUnavailableError(LeaseError):
    """Another run holds the lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who may write a table: a run, in a process of a host.

    Attributes:
        id: identifies this holder among all, also among those of one run.
        table: the table's id.
        run_id: the run that writes it.
        host: the name of the host.
        pid: the id of the process on that host.
        machine: the `process_identity.boot_id` within which `pid` is unique.
        started: the `process_identity.start_time` of the process; None if unknown.
        acquired: when the lease was taken (UTC).
        expires: when it ends without renewal (UTC).
        released: whether its holder has finished.
    """

    id: str
    table: str
    run_id: str
    host: str
    pid: int
    machine: str
    started: str | None
    acquired: ZonedTime
    expires: ZonedTime
    released: bool = False

    @classmethod
    def create(cls, table: str, run_id: str, acquired: datetime, expires: datetime) -> Self:
        """A new lease of this process."""
        pid = os.getpid()
        return cls(
            id=uuid.uuid4().hex,
            table=table,
            run_id=run_id,
            host=socket.gethostname(),
            pid=pid,
            machine=process_identity.boot_id(),
            started=process_identity.start_time(pid),
            acquired=acquired,
            expires=expires,
        )

    @classmethod
    def create_damaged(cls, table: str, changed: datetime) -> Self:
        """The lease of an unknown run, which has taken it at the time of change of a damaged object."""
        return cls(
            id="",
            table=table,
            run_id="",
            host="",
            pid=0,
            machine="",
            started=None,
            acquired=changed,
            expires=changed + LIFETIME,
        )

    @property
    def is_damaged(self) -> bool:
        """Whether its object cannot be read."""
        return not self.id

    def __str__(self) -> str:
        if self.is_damaged:
            return "an unknown run, because the lease is damaged,"
        return f"run {self.run_id} (process {self.pid} on {self.host})"

    def is_free(self, now: datetime) -> bool:
        """Whether another run may take the lease: it is released or expired, or its process on this host has exited."""
        exited = self.machine == process_identity.boot_id() and process_identity.has_exited(self.pid, self.started)
        return self.released or self.expires <= now or exited


def damaged_leases(store: ObjectStore) -> list[str]:
    """The paths of newest lease objects that cannot be read."""
    paths = [match[0] for meta in list_objects(store, _FOLDER) if (match := _PATH.fullmatch(meta["path"]))]
    newest = {path.rpartition("/")[0]: path for path in sorted(paths)}

    def is_damaged(path: str) -> bool:
        with suppress(FileNotFoundError):  # followed and removed since
            return decode_or_none(read_object(store, path), Lease) is None
        return False

    with ThreadPoolExecutor(CONCURRENT_READS) as pool:
        damaged = pool.map(is_damaged, newest.values())
        return [path for path, bad in zip(newest.values(), damaged, strict=True) if bad]


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def hold_lease(
    store: ObjectStore, table: str, run_id: str, *, lifetime: timedelta = LIFETIME, clock: Callable[[], datetime] = _now
) -> Generator[None, None, None]:
    """Hold the lease on a table while the block runs. A thread renews it every third of its lifetime.

    Args:
        store: the lake's objects.
        table: the table's id.
        run_id: the run that writes it.
        lifetime: how long the lease lasts without renewal.
        clock: returns the current time (UTC).

    Raises:
        LeaseUnavailableError: before the block, if another run holds the lease.
        LeaseError: after the block, if another run has taken the lease over, because this process was suspended or
            did not reach the storage for longer than the lifetime. An error of the block itself takes precedence.
    """
    now = clock()
    claim = _LeaseClaim(store, Lease.create(table, run_id, now, now + lifetime))
    claim.acquire(now)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(lifetime.total_seconds() / 3):
            with suppress(BaseError, OSError):  # the storage may answer again before the lease ends
                if not claim.append(expires=clock() + lifetime):
                    _log.warning(claim.takeover_message())
                    return

    renewal = threading.Thread(target=renew, name=f"lease on {table}", daemon=True)
    renewal.start()
    try:
        yield
    except BaseException:
        with suppress(BaseError, OSError):  # the block's own error takes precedence; an unreleased lease expires
            _release(claim, renewal, ended)
        raise
    if not _release(claim, renewal, ended):
        raise LeaseError(claim.takeover_message())


def _release(claim: "_LeaseClaim", renewal: threading.Thread, ended: threading.Event) -> bool:
    """End the renewal of a lease and release it; whether it was kept until then."""
    ended.set()
    renewal.join()
    return claim.release()


class _LeaseClaim:
    """A run's claim to a lease: its own lease, and the number of the last object that it created or followed."""

    def __init__(self, store: ObjectStore, lease: Lease) -> None:
        self._objects = NumberedObjects(store, f"{_FOLDER}/{lease.table.replace('/', '.')}")
        self._lease = lease
        self._number = 0

    def acquire(self, now: datetime) -> None:
        """Take the lease if it is free.

        Raises:
            LeaseUnavailableError: another run holds it.
        """
        acquired = False
        while not acquired:
            self._number, newest = self._newest()
            if newest and not newest.is_free(now):
                raise LeaseUnavailableError(
                    f"{newest.table} is being written by {newest} since {utc_text(newest.acquired)}: wait for that "
                    f"run; if it has died, its lease ends at {utc_text(newest.expires)}"
                )
            acquired = self.append()

    def append(self, **changes: Any) -> bool:
        """Create the next number, with these changes to the lease; False if another run has followed the last one."""
        self._lease = replace(self._lease, **changes)
        content = encode(self._lease)
        while (existing := self._objects.create(self._number + 1, content)) != content:
            lease = decode_or_none(existing, Lease) if existing is not None else None
            if lease is None or lease.id != self._lease.id:
                return False
            self._number += 1  # this holder's own, from an earlier request whose answer was lost
        self._number += 1
        return True

    def release(self) -> bool:
        """Let other runs take the lease; False if one has taken it over before."""
        number, newest = self._newest()
        is_own = newest is not None and (newest.id == self._lease.id or (newest.is_damaged and number == self._number))
        if not is_own:
            return False
        self._number = number
        # If the lease has just expired, another run may be first. The block ended in time all the same.
        self._objects.create(self._number + 1, encode(replace(self._lease, released=True)))
        return True

    def takeover_message(self) -> str:
        """Who has taken the lease over, and what to do."""
        _, newest = self._newest()
        return (
            f"{self._lease.table}: {newest} took the lease over from run {self._lease.run_id}, which did not renew it "
            f"in time; both may have written: run this asset again when no other run writes it"
        )

    def _newest(self) -> tuple[int, Lease | None]:
        number, content = self._objects.newest()
        if content is None:
            return number, None
        if (lease := decode_or_none(content, Lease)) is not None:
            return number, lease
        try:
            changed = self._objects.store.head(self._objects.path(number))["last_modified"]
        except FileNotFoundError:  # followed and removed since
            return self._newest()
        return number, Lease.create_damaged(self._lease.table, changed)
