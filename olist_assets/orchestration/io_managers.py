"""What one asset passes to the next: typed handles on the location of its data, not the data."""

import dagster as dg
from obstore.exceptions import BaseError

from olist_assets.aws.redaction import summarize_error
from olist_assets.lake.layout import Lake
from olist_assets.orchestration.partitions import to_window
from spark_steps.protocol import LandedFile, TableHandle


class TableHandleIOManager(dg.IOManager):
    """Passes handles on inputs: a TableHandle for a table, the pending files for a landing zone.

    Handles are made from the asset's key and partition window alone. Steps write the tables themselves.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def load_input(self, context: dg.InputContext) -> TableHandle | tuple[LandedFile, ...]:
        """The handle on an upstream asset, limited to the landing dates of the downstream asset's partitions."""
        layer, name = context.asset_key.path
        window = to_window(context.asset_partitions_time_window) if context.has_asset_partitions else None
        if layer == "landzone" and window is not None:
            try:
                return self._lake.landzone.files(name, window)
            except (BaseError, OSError) as error:  # Dagster stores the texts of all causes, which name the bucket
                message = f"the landing zone cannot be listed: {summarize_error(error, self._lake.root)}"
                raise dg.Failure(description=message, allow_retries=False) from None
        return self._lake.table(f"{layer}/{name}", window)

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Refuse data. An asset returns metadata only, because its step has written the table.

        Raises:
            DagsterInvariantViolationError: always.
        """
        raise dg.DagsterInvariantViolationError(f"{context.asset_key.to_user_string()} returned {type(obj).__name__}")
