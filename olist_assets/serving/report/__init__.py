"""The report: one self-contained HTML page for managers, computed by SQL over the lake."""

from datetime import datetime
from typing import TYPE_CHECKING

from olist_assets.errors import QueryError
from olist_assets.lake.layout import Lake
from olist_assets.serving.report.queries import TABLES_READ

if TYPE_CHECKING:
    from collections.abc import Iterable

    from obstore.store import ObjectStore

    from olist_assets.lake.step_records import StepRecord
    from olist_assets.serving.report.page import Report

PATH = "report/index.html"
"""The report's path under the lake's root."""

__all__ = ["PATH", "TABLES_READ", "make", "preload", "put"]


def preload() -> None:
    """Import what `make` needs. Altair and Vega take half a second, which declaring the asset must not cost."""
    import olist_assets.serving.report.page  # noqa: PLC0415
    import olist_assets.serving.sql.session  # noqa: F401, PLC0415


def make(
    root: str,
    *,
    records: "Iterable[StepRecord]" = (),
    left_out: "Iterable[str]" = (),
    written_at: datetime | None = None,
) -> "Report":
    """Build the report of the lake under `root` from one set of table versions; see `page.build` for the arguments.

    Raises:
        LakeNotFoundError: there is no lake.
        QueryError: a table cannot be read, or is missing although days are loaded.
    """
    from olist_assets.serving.report.page import build  # noqa: PLC0415
    from olist_assets.serving.sql.session import connect  # noqa: PLC0415

    with connect(root) as session:
        lost = [name for name in TABLES_READ if name not in session.versions and name not in session.unreadable]
        if lost and Lake(session.root).load_marks.days():
            raise QueryError(f"{', '.join(lost)}: missing although days are loaded; run `olist run`")
        return build(session, records=records, left_out=left_out, written_at=written_at)


def put(store: "ObjectStore", report: "Report", *, on_s3: bool) -> int:
    """Write the report to its path in the lake, atomically; returns its size in bytes."""
    content = report.html.encode()
    # A browser renders an object as HTML only if its content type says so; folders keep no such attributes.
    store.put(PATH, content, attributes={"Content-Type": "text/html; charset=utf-8"} if on_s3 else None)
    return len(content)
