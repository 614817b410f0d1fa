"""A small lake for tests: write literal rows, run steps or materialize assets, read whole tables."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import deltalake
import pyarrow as pa
from pyspark.sql import SparkSession

from olist_assets.assets import build_assets
from olist_assets.engines.base import LocalEngine
from olist_assets.lake.layout import Lake
from olist_assets.orchestration.io_managers import TableHandleIOManager
from olist_assets.settings.general import Settings
from olist_assets.sources.deliveries import Deliveries
from spark_steps import delta
from spark_steps.declarations import Layer
from spark_steps.delta_log import accept_commit
from spark_steps.protocol import LandedFile, StepRequest, StepResult, TableHandle, Window
from spark_steps.steps import run_step
from spark_steps.tables import TABLES

DAY = date(2018, 5, 10)
"""The landing date of tests that need only one."""

ASSETS = build_assets(Settings.from_environment({}))
"""The whole lineage under default settings."""

_LINEAGE = {
    "_landing_date": "2018-05-10",
    "_file_id": "0000000000000001",
    "_file_name": "delivered.csv",
    "_row": 0,
    "_extracted_at": "2018-05-10 03:00:00",
    "_run_id": "test",
    "_received_at": "2018-05-10 04:00:00",
    "_hash": 0,
}
_ARROW_TYPES = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "decimal(12,2)": pa.decimal128(12, 2),
    "decimal(18,2)": pa.decimal128(18, 2),
}


@dataclass
class TestLake:
    """A lake in the folder `root`, the deliveries beside it in `source`, a Dagster instance in memory, an engine.

    Values may be written as text: times as `2018-05-10 03:00:00` (UTC), amounts as `58.90`. Rows are written and read
    by delta-rs, so only steps use the engine.
    """

    __test__ = False
    root: Path
    engine: LocalEngine
    after_raw: str = "archive"
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    @property
    def lake(self) -> Lake:
        """The lake as assets see it."""
        return Lake(str(self.root), self.after_raw)

    @property
    def source(self) -> Path:
        """The folder of the deliveries."""
        return self.root.parent / "source"

    @property
    def deliveries(self) -> Deliveries:
        """The deliveries as assets see them."""
        return Deliveries(str(self.source))

    @property
    def spark(self) -> SparkSession:
        """The engine's session."""
        return self.engine.session()

    def table(self, table_id: str, window: Window | None = None) -> TableHandle:
        """The handle of a table."""
        return self.lake.table(table_id, window)

    # --- Rows -------------------------------------------------------------------------------------------------

    def rows(self, table_id: str, *rows: dict[str, Any]) -> None:
        """Append literal rows to a table; missing columns are null, lineage columns have defaults."""
        handle = self.table(table_id)
        delta.create_if_missing(handle)
        full = [_LINEAGE | row for row in rows]
        arrays = {c.name: _array([row.get(c.name) for row in full], c.type) for c in TABLES[table_id].columns}
        deltalake.write_deltalake(handle.uri, pa.table(arrays), mode="append")

    def read(self, table_id: str, *columns: str) -> list[dict[str, Any]]:
        """All rows of a table in the order of its key, with all columns or the named ones."""
        table = TABLES[table_id]
        delta.create_if_missing(self.table(table_id))
        rows = deltalake.DeltaTable(str(self.root / table_id)).to_pyarrow_table().to_pylist()
        rows.sort(key=lambda row: [(row[name] is not None, row[name]) for name in table.key])
        return [{c: _plain(row[c]) for c in columns or table.column_names} for row in rows]

    # --- Deliveries -------------------------------------------------------------------------------------------

    def deliver(self, day: str, name: str, content: str | bytes) -> None:
        """Write a file into a day's delivery."""
        path = self.source / day / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def file(
        self,
        name: str,
        content: str | bytes,
        *,
        day: date = DAY,
        extracted_at: str = "2018-05-10 03:00:00",
        received_at: str = "2018-05-10 04:00:00",
    ) -> LandedFile:
        """A landed CSV file with this content."""
        data = content.encode() if isinstance(content, str) else content
        file_id = hashlib.sha256(data).hexdigest()[:16]
        path = self.root / "landzone" / f"{day}" / f"{Path(name).stem}.{file_id}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        times = (datetime.fromisoformat(time).replace(tzinfo=UTC) for time in (extracted_at, received_at))
        return LandedFile(str(path), name, file_id, day, *times, size=len(data))

    # --- Steps and assets -------------------------------------------------------------------------------------

    def run(
        self,
        table_id: str,
        *,
        day: date | None = DAY,
        files: Iterable[LandedFile] = (),
        window: Window | None = None,
        code_version: str = "test",
        recompute: bool = True,
        before_commit: Callable[[], None] = accept_commit,
    ) -> StepResult:
        """Run the step of a table on this lake's tables, for a landing date or a window.

        It is computed even if its inputs have not changed, so that a second run shows that the computation is
        repeatable.
        """
        table = TABLES[table_id]
        if table.full_refresh:
            window = None  # it is computed whole
        elif window is None and day:
            window = Window.from_day(day)
        quarantine = self.table(f"quarantine/{table.name}") if table.layer is Layer.TRUSTED else None
        request = StepRequest(
            output=self.table(table_id),
            window=window,
            inputs=tuple(self.table(i, window) for i in table.upstreams if i in TABLES),
            quarantine=quarantine,
            files=tuple(files),
            run_id="test",
            code_version=code_version,
            limits_memory=self.engine.limits_memory,
            recompute=recompute,
        )
        return run_step(self.spark, request, before_commit=before_commit)

    def load(self, table: str, content: str | bytes, **more: Any) -> StepResult:
        """Load a CSV text into raw and trusted; returns the result of the trusted step."""
        file = self.file(f"{TABLES[f'raw/{table}'].file_stem}.csv", content, **more)
        self.run(f"raw/{table}", day=file.landing_date, files=[file])
        return self.run(f"trusted/{table}", day=file.landing_date)

    def materialize(
        self, *assets: str, day: str | None = None, to: str | None = None, raise_on_error: bool = True
    ) -> dg.ExecuteInProcessResult:
        """Materialize assets through Dagster, as a run does: resources, IO manager, metadata and checks.

        Args:
            assets: keys such as `refined/dim_products`; the whole lineage if none is named.
            day: the landing date; not needed if all assets are computed whole.
            to: the last landing date of a range that begins on `day`.
            raise_on_error: let a failed step fail the test; otherwise the result has the failure.
        """
        self.source.mkdir(parents=True, exist_ok=True)
        tags = {"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": to}
        return dg.materialize(
            ASSETS,
            instance=self.instance,
            selection=dg.AssetSelection.assets(*(key.split("/") for key in assets)) if assets else None,
            partition_key=None if to else day,
            tags=tags if to else None,
            resources={
                "lake": self.lake,
                "deliveries": self.deliveries,
                "engine": self.engine,
                "io_manager": TableHandleIOManager(self.lake),
            },
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=raise_on_error,
        )

    def partition_metadata(self, asset: str, *days: str) -> dict[str, dict[str, Any]]:
        """The metadata of the newest materialization per day, as the Dagster UI shows it on the day's partition."""
        metadata: dict[str, dict[str, Any]] = {}
        for day in days:
            records = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset.split("/")), asset_partitions=[day])
            [record] = self.instance.fetch_materializations(records, limit=1).records
            assert record.asset_materialization is not None
            metadata[day] = {name: value.value for name, value in record.asset_materialization.metadata.items()}
        return metadata

    def objects(self, prefix: str) -> list[str]:
        """Paths of the lake's objects below a prefix."""
        return sorted(p.relative_to(self.root).as_posix() for p in (self.root / prefix).rglob("*") if p.is_file())


def _array(values: list[Any], spark_type: str) -> pa.Array:
    """The values, given as values or texts, as a column of a Spark SQL type."""
    texts = pa.array([None if value is None else str(value) for value in values], pa.string())
    if spark_type == "timestamp":
        return texts.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    return texts.cast(_ARROW_TYPES.get(spark_type, pa.string()))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(sep=" ")
        return text.removesuffix("+00:00")
    if isinstance(value, date | Decimal):
        return str(value)
    return value
