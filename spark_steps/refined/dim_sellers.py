"""Sellers as they are now (SCD1)."""

from spark_steps.declarations import Increment
from spark_steps.expressions import surrogate_key

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
