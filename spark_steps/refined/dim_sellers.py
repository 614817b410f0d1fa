"""Sellers with their newest values (SCD1)."""

from spark_steps.columns import BIGINT, location_key
from spark_steps.declarations import Column, Increment, Layer, RefinedTable, TableSpec
from spark_steps.expressions import surrogate_key

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="dim_sellers",
    grain="a seller with its newest values (SCD1)",
    key=("seller_key",),
    upstreams=("trusted/sellers",),
    columns=(
        Column("seller_key", BIGINT, "hash of seller_id; -1 is the unknown seller", required=True),
        Column("seller_id", comment="the seller"),
        Column("zip_code_prefix", comment="first five digits of the zip code"),
        Column("city", comment="city as the seller wrote it"),
        Column("state", comment="two-letter code of the state"),
        location_key(of="the seller"),
    ),
    dimension=True,
)

QUERY = f"""
SELECT
  {surrogate_key("seller_id")} AS seller_key,
  seller_id,
  seller_zip_code_prefix AS zip_code_prefix,
  seller_city AS city,
  seller_state AS state,
  {surrogate_key("seller_zip_code_prefix")} AS location_key
FROM sellers
"""

INCREMENT = Increment(
    key="seller_id",
    affected_keys="SELECT seller_id FROM landed_sellers",
    filtered_inputs={"sellers": "seller_id"},
)

MODEL = RefinedTable(TABLE, QUERY, INCREMENT)
