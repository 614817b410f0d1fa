"""The engine's side of the folder that it shares with a worker; `spark_steps.worker` describes the folder."""

import uuid
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from obstore.store import ObjectStore

from olist_assets.lake.storage import read_object
from spark_steps.protocol import StepRequest
from spark_steps.worker import CLOSED, HEARTBEAT, LOG, REQUEST, RESULT, Heartbeat


@dataclass(frozen=True, slots=True)
class _Last:
    """The last request on a table.

    Attributes:
        folder: the folder of its worker.
        name: its name.
        engine: the engine of the worker.
        job: the worker's job.
    """

    folder: str
    name: str
    engine: str
    job: str


def _pointer(table: str) -> str:
    return f"control/requests/{table.replace('/', '.')}.json"


class Exchange:
    """Requests and answers of one worker.

    Attributes:
        folder: the folder's path in the lake.
        engine: the engine of the worker.
        job: the worker's job.
    """

    def __init__(self, store: ObjectStore, folder: str, engine: str, job: str) -> None:
        self.folder = folder
        self.engine = engine
        self.job = job
        self._store = store

    @classmethod
    def find_last(cls, store: ObjectStore, table: str) -> "tuple[Exchange, str] | None":
        """The exchange and the name of the last request on a table; None if it is known to be over."""
        with suppress(FileNotFoundError):
            last = msgspec.json.decode(read_object(store, _pointer(table)), type=_Last)
            return cls(store, last.folder, last.engine, last.job), last.name
        return None

    def forget(self, table: str) -> None:
        """Note that the last request on a table is over, although it has no answer."""
        with suppress(FileNotFoundError):
            self._store.delete(_pointer(table))

    @staticmethod
    def new_name(request: StepRequest) -> str:
        """A name for a request. A repeated request has another name."""
        return f"{request.table.replace('/', '.')}.{uuid.uuid4().hex[:8]}"

    def post(self, name: str, request: StepRequest) -> None:
        """Post a request, as the last one on its table."""
        self._store.put(_pointer(request.table), msgspec.json.encode(_Last(self.folder, name, self.engine, self.job)))
        self._put(f"{name}/{REQUEST}", request.to_json())

    def withdraw(self, name: str) -> None:
        """Withdraw a request. Its step may commit until it is answered, if it has asked before."""
        with suppress(FileNotFoundError):
            self._store.delete(f"{self.folder}/{name}/{REQUEST}")

    def read_answer(self, name: str) -> str | None:
        """The JSON of the answer to a request; None if there is none yet."""
        return self._read(f"{name}/{RESULT}")

    def read_log(self, name: str) -> list[str]:
        """The log of a step so far, line by line."""
        return (self._read(f"{name}/{LOG}") or "").splitlines()

    def read_heartbeat(self) -> Heartbeat | None:
        """The worker's newest heartbeat; None before the first."""
        text = self._read(HEARTBEAT)
        return msgspec.json.decode(text, type=Heartbeat) if text else None

    def close(self) -> None:
        """Let the worker end: there will be no more requests."""
        self._put(CLOSED, "{}")

    def is_closed(self) -> bool:
        """Whether there will be no more requests."""
        return self._read(CLOSED) is not None

    def _put(self, name: str, text: str) -> None:
        self._store.put(f"{self.folder}/{name}", text.encode())

    def _read(self, name: str) -> str | None:
        with suppress(FileNotFoundError):
            return read_object(self._store, f"{self.folder}/{name}").decode()
        return None
