"""What the benchmark compares: things that load a delivery into tables, and the figures of a load."""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import deltalake
import pyarrow as pa

LAYERS = ("landzone", "raw", "trusted", "refined")
REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Time, memory and storage of one load.

    Attributes:
        layers: seconds of work by layer: what the steps themselves took; empty if layers overlap in time.
        parts: the load's seconds from start to end, part by part; `work` is all layers.
        wall: seconds from start to end, the sum of the parts.
        cpu: CPU seconds of all its processes.
        peak_process: the peak memory of its largest process in bytes.
        peak_tree: the peak memory of all its processes together in bytes.
        files: data files that it added to tables.
        bytes: bytes of these files.
        steps: seconds of work by table; empty for the baseline, which works on several at a time.
    """

    layers: dict[str, float]
    parts: dict[str, float]
    wall: float
    cpu: float
    peak_process: int
    peak_tree: int
    files: int
    bytes: int
    steps: dict[str, float] = field(default_factory=dict)


class Contender(ABC):
    """Something that loads a delivery, in a folder of its own, which the `with` block creates and removes.

    Attributes:
        root: the folder.
    """

    root: Path

    def __enter__(self) -> Self:
        self.root.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.root)

    @property
    def lake(self) -> Path:
        """The root of its lake: after a load it has the refined tables, as Delta tables."""
        return self.root / "lake"

    def prepare(self) -> None:
        """Install or find what a load needs, so that this is not measured. By default nothing.

        Raises:
            BenchError, EngineError: something is missing; the message says what.
        """
        return

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the tools that only it uses; by default none."""
        return {}

    @abstractmethod
    def load(self) -> Figures:
        """Load the delivery for the first time.

        Raises:
            BenchError: a command failed.
        """

    def load_again(self) -> Figures | None:
        """Load the same delivery for the second time. None: that would only repeat the first load.

        Raises:
            BenchError: a command failed.
        """
        return None


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without its own settings of the product, and with these."""
    others = {k: v for k, v in os.environ.items() if not k.startswith("OLIST_") and k != "DAGSTER_HOME"}
    return {**others, **settings}


def data_files(table: Path) -> list[int]:
    """The sizes of a Delta table's data files in bytes."""
    return pa.table(deltalake.DeltaTable(table).get_add_actions(flatten=True)).column("size_bytes").to_pylist()
