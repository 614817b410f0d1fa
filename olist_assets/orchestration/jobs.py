"""Jobs: one for the whole lineage."""

import dagster as dg

lakehouse = dg.define_asset_job(  # pyright: ignore[reportUnknownMemberType] - a type in Dagster's signature is incomplete
    "lakehouse",
    selection=dg.AssetSelection.all(),
    description="The whole lineage, from a delivery to the aggregates, for a landing date or a range of them.",
)
