"""Jobs: the whole lineage as one."""

import dagster as dg

lakehouse = dg.define_asset_job(
    "lakehouse",
    selection=dg.AssetSelection.all(),
    description="The whole lineage, from a delivery to the aggregates, for a landing date or a range of them.",
)
