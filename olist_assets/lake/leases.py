"""One writer a table: the lease that a run holds on a table while it writes.

A lease is the greatest of numbered objects, `control/leases/<layer>.<table>/<number>.json`. They are created and never
changed: to take a lease, to renew it and to release it is to create the next number, which object storage grants to
one alone, on a disk as on S3. The greatest number is never removed, so who was slow and creates a number that had been
used and cleaned away finds a greater one beside it, and stands back.
"""

import json
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore

from olist_assets.errors import OlistError
from olist_assets.lake import process_identity

LIFETIME = timedelta(minutes=1)
"""How long a lease lasts that is not renewed; the clocks of hosts must differ by much less."""

_KEPT = 2  # the greatest, and the one before it for who lists while the next is made
_log = logging.getLogger(__name__)


class LeaseUnavailableError(OlistError):
    """Another holds the lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who may write a table: a run, in a process of a host, from `acquired` until `expires` (UTC) or its release.

    `id` tells this holding from all others. `machine` and `started` tell the process from others of the same pid.
    """

    id: str
    table: str
    run_id: str
    host: str
    pid: int
    machine: str
    started: str | None
    acquired: datetime
    expires: datetime
    released: bool = False

    def __str__(self) -> str:
        return f"run {self.run_id} (process {self.pid} on {self.host})"

    def is_free(self, now: datetime) -> bool:
        """Whether another may follow: it was released, has expired, or its holder is a dead process of this machine."""
        dead = self.machine == process_identity.boot_id() and process_identity.has_exited(self.pid, self.started)
        return self.released or self.expires <= now or dead

    def to_json(self) -> bytes:
        """The lease as JSON, times in ISO format."""
        return json.dumps(asdict(self), default=datetime.isoformat, indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The lease that `to_json` wrote."""
        fields = json.loads(text)
        return cls(**fields | {name: datetime.fromisoformat(fields[name]) for name in ("acquired", "expires")})


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def hold_lease(
    store: ObjectStore, table: str, run_id: str, *, lifetime: timedelta = LIFETIME, clock: Callable[[], datetime] = _now
) -> Iterator[None]:
    """Hold the lease on a table while the block runs, renewing it every third of its lifetime.

    Raises:
        LeaseHeldError: before the block, if another holds the lease.
        OlistError: after it, if another has taken it over, because this process stood still or did not reach the
            storage for longer than the lifetime. An error of the block itself comes first.
    """
    now, pid = clock(), os.getpid()
    lease = Lease(
        id=uuid.uuid4().hex,
        table=table,
        run_id=run_id,
        host=socket.gethostname(),
        pid=pid,
        machine=process_identity.boot_id(),
        started=process_identity.start_time(pid),
        acquired=now,
        expires=now + lifetime,
    )
    holding = _LeaseClaim(store, lease)
    holding.acquire(now)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(lifetime.total_seconds() / 3):
            with suppress(BaseError, OSError):  # the storage may be back before the lease ends
                if not holding.append(expires=clock() + lifetime):
                    _log.warning(holding.takeover_message())
                    return

    renewal = threading.Thread(target=renew, name=f"lease on {table}", daemon=True)
    renewal.start()
    try:
        yield
    finally:
        ended.set()
        renewal.join()
        kept = holding.release()
    if not kept:
        raise OlistError(holding.takeover_message())


class _LeaseClaim:
    """A holder's place in the row of numbered objects."""

    def __init__(self, store: ObjectStore, lease: Lease) -> None:
        self._store = store
        self._lease = lease
        self._folder = f"control/leases/{lease.table.replace('/', '.')}"
        self._number = 0

    def acquire(self, now: datetime) -> None:
        """Follow the newest lease, if it is free."""
        acquired = False
        while not acquired:
            self._number, newest = self._newest()
            if newest and not newest.is_free(now):
                raise LeaseUnavailableError(
                    f"{newest.table} is being written by {newest} since {_text(newest.acquired)}: wait for that run; "
                    f"should it have died, its lease ends at {_text(newest.expires)}"
                )
            acquired = self.append()

    def append(self, **changes: Any) -> bool:
        """Create the next number, with these changes to the lease; False if another has followed the last one."""
        self._lease = replace(self._lease, **changes)
        number = self._number + 1
        try:
            self._store.put(self._path(number), self._lease.to_json(), mode="create")
        except AlreadyExistsError:
            found = self._read(number)
            if found is None or found.id != self._lease.id:
                return False
            if found != self._lease:  # this holder's own, from an earlier request whose answer was lost: go on from it
                self._number = number
                return self.append()
        numbers = self._numbers()
        is_greatest = numbers[-1] == number
        self._remove(numbers[:-_KEPT] if is_greatest else [number])
        if is_greatest:
            self._number = number
        return is_greatest

    def release(self) -> bool:
        """Let others follow; False if one has done so before."""
        self._number, newest = self._newest()
        if newest is None or newest.id != self._lease.id:
            return False
        released = replace(self._lease, released=True)
        with suppress(AlreadyExistsError):  # the lease expired just now, and what it was for was done in time
            self._store.put(self._path(self._number + 1), released.to_json(), mode="create")
        self._remove([number for number in self._numbers() if number < self._number])
        return True

    def takeover_message(self) -> str:
        """What to say if another has taken the lease over."""
        _, newest = self._newest()
        return (
            f"{self._lease.table}: {newest} took the lease over from run {self._lease.run_id}, which did not renew it "
            f"in time; both may have written: run this asset again when no other run writes it"
        )

    def _newest(self) -> tuple[int, Lease | None]:
        """The greatest number with its lease; 0 if there is none."""
        while numbers := self._numbers():
            if lease := self._read(numbers[-1]):
                return numbers[-1], lease
        return 0, None

    def _numbers(self) -> list[int]:
        return sorted(int(Path(meta["path"]).stem) for page in self._store.list(self._folder) for meta in page)

    def _read(self, number: int) -> Lease | None:
        with suppress(FileNotFoundError):  # cleaned up meanwhile
            return Lease.from_json(bytes(self._store.get(self._path(number)).bytes()))
        return None

    def _remove(self, numbers: list[int]) -> None:
        for number in numbers:
            with suppress(FileNotFoundError):  # another cleans up as well
                self._store.delete(self._path(number))

    def _path(self, number: int) -> str:
        return f"{self._folder}/{number:08}.json"


def _text(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
