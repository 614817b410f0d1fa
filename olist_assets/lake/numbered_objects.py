"""Objects with ascending numbers: each writer creates the next number, and storage lets only one writer succeed."""

import re
from contextlib import suppress
from dataclasses import dataclass

from obstore.exceptions import AlreadyExistsError
from obstore.store import ObjectStore

from olist_assets.lake.storage import list_objects, read_object

_NAME = re.compile(r"(\d{8,})\.json")
_KEPT = 2
"""The newest object, and its predecessor for readers that listed the folder before the newest was created."""


@dataclass(frozen=True)
class NumberedObjects:
    """The objects `<folder>/<number>.json`. They are created and removed, but never changed. Others are ignored.

    The greatest number is never removed. A slow writer may create a number that others have used and removed. It then
    sees a greater number, removes its own object and gives up.
    """

    store: ObjectStore
    folder: str

    def path(self, number: int) -> str:
        """The path of an object."""
        return f"{self.folder}/{number:08}.json"

    def newest(self) -> tuple[int, bytes | None]:
        """The greatest number and the content of its object; 0 and None if there is no object."""
        while numbers := self._numbers():
            content = self._read(numbers[-1])
            if content is not None:
                return numbers[-1], content
        return 0, None

    def create(self, number: int, content: bytes) -> bytes | None:
        """Create an object with put-if-absent, and remove objects that are no longer needed.

        Returns:
            The content of the number: `content` if this call created it, or an earlier call whose answer was lost;
            another writer's content if that writer was first; None if the number has been used and removed before.
        """
        try:
            self.store.put(self.path(number), content, mode="create")
        except AlreadyExistsError:
            existing = self._read(number)
            if existing != content:
                return existing
        numbers = self._numbers()
        if numbers[-1] != number:
            self._remove([number])
            return None
        self._remove(numbers[:-_KEPT])
        return content

    def _numbers(self) -> list[int]:
        names = (meta["path"].removeprefix(f"{self.folder}/") for meta in list_objects(self.store, self.folder))
        return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))

    def _read(self, number: int) -> bytes | None:
        with suppress(FileNotFoundError):  # removed since it was listed
            return read_object(self.store, self.path(number))
        return None

    def _remove(self, numbers: list[int]) -> None:
        for number in numbers:
            with suppress(FileNotFoundError):  # another writer removes it too
                self.store.delete(self.path(number))
