"""Materialising assets on a lake of their own, with the real engine, IO manager and executor."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from olist_assets.assets import all_assets
from olist_assets.engines.base import Engine
from olist_assets.engines.sail import SailEngine
from olist_assets.io_managers import HandleIOManager
from olist_assets.lake import Lake
from olist_assets.sources.deliveries import Deliveries


@dataclass
class Lakehouse:
    """A lake, its source folder, and a Dagster instance in memory."""

    root: Path
    after_raw: str = "archive"
    engine: Engine = field(default_factory=SailEngine)
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    @property
    def lake(self) -> Lake:
        """The lake as assets see it."""
        return Lake(str(self.root / "lake"), self.after_raw)

    def deliver(self, day: str, name: str, content: str | bytes) -> None:
        """Put a file into a day's delivery."""
        path = self.root / "source" / day / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def materialise(self, first: str, last: str | None = None, *, only: str | None = None) -> Any:
        """Materialise all assets, or those whose keys are named, for a day or a range of days."""
        (self.root / "source").mkdir(parents=True, exist_ok=True)
        keys = [key.split("/") for key in only.split()] if only else None
        range_tags = {
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last or first,
        }
        return dg.materialize(
            all_assets,
            instance=self.instance,
            selection=dg.AssetSelection.assets(*keys) if keys else None,
            partition_key=None if last else first,
            tags=range_tags if last else None,
            resources={
                "lake": self.lake,
                "deliveries": Deliveries(str(self.root / "source")),
                "engine": self.engine,
                "io_manager": HandleIOManager(self.lake),
            },
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )

    def objects(self, prefix: str) -> list[str]:
        """Paths of the lake's objects below a prefix, without the random parts of file ids."""
        root = self.root / "lake"
        return sorted(p.relative_to(root).as_posix() for p in (root / prefix).rglob("*") if p.is_file())


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    return Lakehouse(tmp_path)
