"""Zip prefixes (SCD1): one row per prefix of a point, a customer or a seller.

A prefix has several spellings of its city; the most frequent one is taken, of equally frequent ones the smallest.
"""

from spark_steps.columns import BIGINT, DOUBLE
from spark_steps.declarations import Column, Increment, Layer, RefinedTable, TableSpec
from spark_steps.expressions import surrogate_key

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="dim_location",
    grain="a zip prefix (SCD1)",
    key=("location_key",),
    upstreams=("trusted/geolocation", "trusted/customers", "trusted/sellers"),
    columns=(
        Column("location_key", BIGINT, "hash of the zip prefix; -1 is the unknown place", required=True),
        Column("zip_code_prefix", comment="first five digits of the zip code"),
        Column("city", comment="the prefix's most frequent spelling of a city"),
        Column("state", comment="two-letter code of that city's state"),
        Column("latitude", DOUBLE, "median latitude of the prefix's points, in degrees"),
        Column("longitude", DOUBLE, "median longitude of the prefix's points, in degrees"),
        Column("points", BIGINT, "number of the prefix's points"),
    ),
    dimension=True,
)

QUERY = f"""
WITH mentions AS (
  -- || '' drops the columns' comments: Sail refuses a union of columns with different comments if a branch is empty
  SELECT
    geolocation_zip_code_prefix || '' AS zip_code_prefix,
    geolocation_city || '' AS city,
    geolocation_state || '' AS state
  FROM geolocation
  UNION ALL
  SELECT customer_zip_code_prefix || '', customer_city || '', customer_state || '' FROM customers
  UNION ALL
  SELECT seller_zip_code_prefix || '', seller_city || '', seller_state || '' FROM sellers
),
spellings AS (
  SELECT zip_code_prefix, city, state, row_number() OVER (
    PARTITION BY zip_code_prefix
    ORDER BY city IS NULL, count(*) DESC, city, state IS NULL, state
  ) AS rank
  FROM mentions
  WHERE zip_code_prefix IS NOT NULL
  GROUP BY zip_code_prefix, city, state
),
points AS (
  SELECT
    geolocation_zip_code_prefix AS zip_code_prefix,
    median(geolocation_lat) AS latitude,
    median(geolocation_lng) AS longitude,
    count(*) AS points
  FROM geolocation
  GROUP BY geolocation_zip_code_prefix
)
SELECT
  {surrogate_key("s.zip_code_prefix")} AS location_key,
  s.zip_code_prefix,
  s.city,
  s.state,
  p.latitude,
  p.longitude,
  coalesce(p.points, 0) AS points
FROM spellings s
LEFT JOIN points p ON p.zip_code_prefix = s.zip_code_prefix
WHERE s.rank = 1
"""

INCREMENT = Increment(
    key="zip_code_prefix",
    affected_keys="""
        SELECT geolocation_zip_code_prefix AS zip_code_prefix FROM landed_geolocation
        UNION
        SELECT customer_zip_code_prefix FROM landed_customers
        UNION
        SELECT seller_zip_code_prefix FROM landed_sellers
        -- prefixes that a row had before its correction lose a mention
        UNION
        SELECT f.customer_zip_code_prefix
        FROM former_customers f LEFT SEMI JOIN landed_customers c ON c.customer_id = f.customer_id
        UNION
        SELECT f.seller_zip_code_prefix
        FROM former_sellers f LEFT SEMI JOIN landed_sellers s ON s.seller_id = f.seller_id
    """,
    filtered_inputs={
        "geolocation": "geolocation_zip_code_prefix",
        "customers": "customer_zip_code_prefix",
        "sellers": "seller_zip_code_prefix",
    },
)

MODEL = RefinedTable(TABLE, QUERY, INCREMENT)
