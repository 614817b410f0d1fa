"""What one asset hands to the next: no data, but typed handles on where the data lies."""

import dagster as dg

from olist_assets.lake.layout import Lake
from olist_assets.orchestration.partitions import to_window
from spark_steps.protocol import LandedFile, TableHandle


class TableHandleIOManager(dg.IOManager):
    """Gives an asset handles on its inputs: a DeltaTable for each table, the waiting files for a landzone.

    Handles are made from the asset's key and partition window alone; steps write the tables themselves.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def load_input(self, context: dg.InputContext) -> TableHandle | tuple[LandedFile, ...]:
        """The handle on an upstream asset, for the landing dates that the downstream asset asks for."""
        layer, name = context.asset_key.path
        window = to_window(context.asset_partitions_time_window) if context.has_asset_partitions else None
        if layer == "landzone" and window is not None:
            return self._lake.landzone.files(name, window)
        return self._lake.table(f"{layer}/{name}", window)

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Refuse data: an asset returns what it did, and its step has written the table."""
        raise dg.DagsterInvariantViolationError(f"{context.asset_key.to_user_string()} returned {type(obj).__name__}")
