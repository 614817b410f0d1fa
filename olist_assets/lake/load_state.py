"""Load marks: which deliveries the whole lineage has been materialized for."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from obstore.store import ObjectStore

from olist_assets.lake import json_objects
from olist_assets.lake.storage import list_objects

_FOLDER = "control/days"


@dataclass(frozen=True)
class LoadMarks:
    """The objects `control/days/<landing date>.json`.

    Each is a list of texts, one per delivered file: its name, size and time of change when it was loaded. A day is
    loaded as long as its delivery has exactly these files.
    """

    store: ObjectStore

    def write(self, day: date, files: list[str]) -> None:
        """Mark a day as loaded with these files."""
        self.store.put(f"{_FOLDER}/{day}.json", json_objects.encode(files))

    def clear(self, day: date) -> None:
        """Remove the mark of a day, if there is one."""
        with suppress(FileNotFoundError):
            self.store.delete(f"{_FOLDER}/{day}.json")

    def read(self) -> dict[date, list[str]]:
        """The files of each loaded day."""
        paths = [meta["path"] for meta in list_objects(self.store, _FOLDER)]
        return {
            date.fromisoformat(PurePosixPath(path).stem): json_objects.read(self.store, path, list[str])
            for path in paths
        }
