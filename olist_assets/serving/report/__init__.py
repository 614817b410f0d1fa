"""The report: one HTML page for managers, self-contained, whose figures are those of SQL over the lake."""

from datetime import datetime
from typing import TYPE_CHECKING

from olist_assets.serving.report.queries import TABLES_READ

if TYPE_CHECKING:
    from collections.abc import Iterable

    from obstore.store import ObjectStore

    from olist_assets.lake.step_records import StepRecord
    from olist_assets.serving.report.page import Report

PATH = "report/index.html"
"""Where the report lies below the lake's root."""

__all__ = ["PATH", "TABLES_READ", "make", "put"]


def make(
    root: str,
    *,
    records: "Iterable[StepRecord]" = (),
    written_at: datetime | None = None,
    pictures: "Iterable[str]" = (),
) -> "Report":
    """Make the report of the lake under `root`, of one set of table versions; see `page.build` for the arguments.

    Raises:
        OlistError: the lake cannot be read.
    """
    # Altair and Vega take a second to import, and DuckDB a part of one: not where assets are only declared.
    from olist_assets.serving.report.page import build  # noqa: PLC0415
    from olist_assets.serving.sql.session import connect  # noqa: PLC0415

    with connect(root) as session:
        return build(session, records=records, written_at=written_at, pictures=pictures)


def put(store: "ObjectStore", report: "Report", *, on_s3: bool) -> int:
    """Write the report to its place in the lake, at once or not at all; returns its bytes."""
    content = report.html.encode()
    # A browser shows what a bucket says is HTML; folders keep no such attributes.
    store.put(PATH, content, attributes={"Content-Type": "text/html; charset=utf-8"} if on_s3 else None)
    return len(content)
