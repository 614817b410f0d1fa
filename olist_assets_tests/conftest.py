"""What tests share: one Spark session a process, and a small lake to write rows into and run steps on."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from olist_assets.engines.sail import session
from spark_steps import delta
from spark_steps.contract import DeltaTable, LandedFile, StepRequest, StepResult, Window
from spark_steps.schema import Layer
from spark_steps.step import run_step
from spark_steps.tables import TABLES

DAY = date(2018, 5, 10)
"""The landing date of tests that need just one."""

_LINEAGE = {
    "_landing_date": "2018-05-10",
    "_file_id": "0000000000000001",
    "_file_name": "delivered.csv",
    "_row": 0,
    "_extracted_at": "2018-05-10 03:00:00",
    "_run_id": "test",
    "_hash": 0,
}


@dataclass(frozen=True)
class TestLake:
    """An empty lake in a folder: literal rows in, steps run, whole tables out.

    Values are written as text where that reads best: times as `2018-05-10 03:00:00` (UTC), amounts as `58.90`.
    """

    __test__ = False
    root: Path
    spark: SparkSession

    def table(self, table_id: str, window: Window | None = None) -> DeltaTable:
        """The handle of a table of this lake."""
        return DeltaTable(table_id, str(self.root / table_id), window)

    def write(self, table_id: str, *rows: dict[str, Any]) -> None:
        """Append rows to a table; columns left out are null, lineage columns have defaults."""
        columns = TABLES[table_id].columns
        full = [_LINEAGE | row for row in rows]
        texts = {c.name: pa.array([_to_text(row.get(c.name)) for row in full], pa.string()) for c in columns}
        delta.append(self.spark.createDataFrame(pa.table(texts)), self.table(table_id))

    def read(self, table_id: str, *columns: str) -> list[dict[str, Any]]:
        """All rows of a table in the order of its key, whole or only the columns named."""
        table = TABLES[table_id]
        rows = delta.read(self.spark, self.table(table_id)).orderBy(*table.key).toArrow().to_pylist()
        return [{c: _plain(row[c]) for c in columns or table.column_names} for row in rows]

    def run(
        self, table_id: str, *, day: date | None = DAY, files: Iterable[LandedFile] = (), window: Window | None = None
    ) -> StepResult:
        """Run the step of a table for a landing date or a window, its inputs being this lake's tables."""
        table = TABLES[table_id]
        window = window or (Window.of_day(day) if day and table.daily else None)
        quarantine = self.table(f"quarantine/{table.name}") if table.layer is Layer.TRUSTED else None
        request = StepRequest(
            output=self.table(table_id),
            window=window,
            inputs=tuple(self.table(i, window) for i in table.upstreams if i in TABLES),
            quarantine=quarantine,
            files=tuple(files),
            run_id="test",
            code_version="test",
        )
        return run_step(self.spark, request)

    def file(
        self, name: str, content: str | bytes, *, day: date = DAY, extracted_at: str = "2018-05-10 03:00:00"
    ) -> LandedFile:
        """A landed CSV file with this content."""
        data = content.encode() if isinstance(content, str) else content
        file_id = hashlib.sha256(data).hexdigest()[:16]
        path = self.root / "landzone" / f"{day}" / f"{Path(name).stem}.{file_id}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return LandedFile(str(path), name, file_id, day, datetime.fromisoformat(extracted_at).replace(tzinfo=UTC))

    def load(self, table: str, content: str | bytes, **more: Any) -> StepResult:
        """Take a CSV text through raw and trusted; returns what the trusted step did."""
        file = self.file(f"{TABLES[f'raw/{table}'].file_stem}.csv", content, **more)
        self.run(f"raw/{table}", day=file.landing_date, files=[file])
        return self.run(f"trusted/{table}", day=file.landing_date)


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    return session()


@pytest.fixture
def lake(tmp_path: Path, spark: SparkSession) -> TestLake:
    return TestLake(tmp_path / "lake", spark)


def _to_text(value: Any) -> str | None:
    return None if value is None else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(sep=" ")
        return text.removesuffix("+00:00")
    if isinstance(value, date | Decimal):
        return str(value)
    return value
