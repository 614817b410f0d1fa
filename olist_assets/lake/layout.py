"""The layout of a lake: where its Delta tables are, and where the objects beside them."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from obstore.store import ObjectStore

from olist_assets.aws.environment import is_s3
from olist_assets.aws.redaction import summarize_error
from olist_assets.lake.history import remove_history
from olist_assets.lake.landzone import Landzone
from olist_assets.lake.load_state import LoadMarks
from olist_assets.lake.recompute_marks import RecomputeMarks
from olist_assets.lake.step_records import StepRecords
from olist_assets.lake.storage import open_store
from spark_steps.protocol import TableHandle, Window

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lake:
    """A lake: Delta tables, and the objects of the landing zone and of `control/`, each kind with a class of its own.

    Attributes:
        root: an absolute path or an s3:// URI.
        after_raw: what happens to landed files once raw contains them: `archive` or `delete`.
        history_days: for how many days the earlier versions of tables are kept.
    """

    root: str
    after_raw: str = "archive"
    history_days: int = 30

    @cached_property
    def store(self) -> ObjectStore:
        """The lake's objects, by their path below the root.

        Raises:
            LakeNotFoundError: the root is a file, or a bucket that cannot be listed.
        """
        return open_store(self.root, create=True)

    @property
    def landzone(self) -> Landzone:
        """The landed files."""
        return Landzone(self.store, self.root, self.after_raw)

    @property
    def step_records(self) -> StepRecords:
        """The records of step runs."""
        return StepRecords(self.store)

    @property
    def load_marks(self) -> LoadMarks:
        """The days whose delivery is loaded."""
        return LoadMarks(self.store)

    @property
    def recompute_marks(self) -> RecomputeMarks:
        """The tables that are to be recomputed."""
        return RecomputeMarks(self.store)

    @property
    def on_s3(self) -> bool:
        """Whether the lake is on S3."""
        return is_s3(self.root)

    def bundle_step_records(self) -> None:
        """Move the step records of all runs into bundles. A failure is only logged: the next run repeats this."""
        try:
            self.step_records.bundle()
        except Exception as error:  # noqa: BLE001 - the outcome of a run does not depend on it
            _log.warning("step records remain single objects: %s", summarize_error(error, self.root))

    def remove_history(self, table_id: str) -> None:
        """Remove the old versions of a table. A failure is only logged: a later run of the table repeats this."""
        try:
            remove_history(self.store, table_id, datetime.now(UTC) - timedelta(days=self.history_days))
        except Exception as error:  # noqa: BLE001 - the outcome of the run does not depend on it
            _log.warning("old versions of %s remain: %s", table_id, summarize_error(error, self.root))

    def table(self, table_id: str, window: Window | None = None) -> TableHandle:
        """The handle of a Delta table. Only this method decides where a table is."""
        return TableHandle(table_id, f"{self.root}/{table_id}", window)

    def display_uri(self, uri: str) -> str:
        """A URI of this lake for events and messages: without the name of a bucket."""
        return uri.replace(self.root, "$OLIST_LAKE", 1) if self.on_s3 else uri
