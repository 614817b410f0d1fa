"""Each person's address periods (SCD2), computed from trusted rows alone: the order of deliveries does not matter.

Every order is an observation of the address at its purchase. Consecutive observations of one address are one period,
from its first observation to the first observation of the next period, exclusive.
"""

from spark_steps.columns import BIGINT, BOOLEAN, TIMESTAMP, location_key
from spark_steps.declarations import Column, Increment, Layer, RefinedTable, TableSpec
from spark_steps.expressions import surrogate_key

TABLE = TableSpec(
    layer=Layer.REFINED,
    name="dim_customers",
    grain="a period of a person's address (SCD2)",
    key=("customer_key",),
    upstreams=("trusted/customers", "trusted/orders"),
    columns=(
        Column(
            "customer_key",
            BIGINT,
            "hash of customer_unique_id and valid_from; -1 is the unknown person",
            required=True,
        ),
        Column("customer_unique_id", comment="the person"),
        Column("zip_code_prefix", comment="first five digits of the zip code"),
        Column("city", comment="city as the customer wrote it"),
        Column("state", comment="two-letter code of the state"),
        location_key(of="the person"),
        Column("valid_from", TIMESTAMP, "first instant of the period (UTC)"),
        Column("valid_to", TIMESTAMP, "first instant after the period (UTC); null for the current one"),
        Column("is_current", BOOLEAN, "whether the period has no end yet"),
    ),
    dimension=True,
)

QUERY = f"""
WITH observations AS (
  SELECT
    c.customer_unique_id,
    c.customer_id,
    named_struct(
      'zip_code_prefix', c.customer_zip_code_prefix, 'city', c.customer_city, 'state', c.customer_state
    ) AS address,
    o.order_purchase_timestamp AS observed_at
  -- the customers first, because Sail hashes the first side: an increment or a part has few of them
  FROM customers c
  INNER JOIN orders o ON o.customer_id = c.customer_id
),
-- nearly all people have one order and therefore one period: they are left out of the costly sort
returning_people AS (
  SELECT customer_unique_id FROM observations GROUP BY customer_unique_id HAVING count(*) > 1
),
ordered_observations AS (
  SELECT
    o.customer_unique_id,
    o.address,
    o.observed_at,
    lead(o.observed_at) OVER (
      PARTITION BY o.customer_unique_id ORDER BY o.observed_at, o.customer_id
    ) AS next_observed_at
  FROM observations o
  LEFT SEMI JOIN returning_people r ON r.customer_unique_id = o.customer_unique_id
),
timelines AS (
  SELECT
    customer_unique_id,
    address,
    observed_at,
    lag(address) OVER (PARTITION BY customer_unique_id ORDER BY observed_at) AS address_before
  FROM ordered_observations
  -- of several observations at one instant, the one with the greatest customer_id wins
  WHERE next_observed_at IS NULL OR next_observed_at > observed_at
),
periods AS (
  SELECT
    customer_unique_id,
    address,
    observed_at AS valid_from,
    lead(observed_at) OVER (PARTITION BY customer_unique_id ORDER BY observed_at) AS valid_to
  FROM timelines
  WHERE NOT (address <=> address_before)
  UNION ALL
  SELECT o.customer_unique_id, o.address, o.observed_at, CAST(NULL AS TIMESTAMP)
  FROM observations o
  LEFT ANTI JOIN returning_people r ON r.customer_unique_id = o.customer_unique_id
)
SELECT
  {surrogate_key("customer_unique_id", "unix_micros(valid_from)")} AS customer_key,
  customer_unique_id,
  address.zip_code_prefix AS zip_code_prefix,
  address.city AS city,
  address.state AS state,
  {surrogate_key("address.zip_code_prefix")} AS location_key,
  valid_from,
  valid_to,
  valid_to IS NULL AS is_current
FROM periods
"""

_CUSTOMERS = """
  -- || '' drops the columns' comments, as in dim_location
  SELECT customer_id || '' AS customer_id FROM landed_customers
  UNION
  SELECT customer_id || '' FROM landed_orders
  -- customers that an order had before its correction
  UNION
  SELECT f.customer_id FROM former_orders f LEFT SEMI JOIN landed_orders o ON o.order_id = f.order_id
"""

INCREMENT = Increment(
    key="customer_unique_id",
    affected_keys=f"""
        SELECT p.customer_unique_id
        FROM (
          SELECT customer_id || '' AS customer_id, customer_unique_id || '' AS customer_unique_id FROM customers
          -- people that a customer had before its correction
          UNION ALL
          SELECT customer_id, customer_unique_id FROM former_customers
        ) p
        LEFT SEMI JOIN ({_CUSTOMERS}) t ON t.customer_id = p.customer_id
    """,
    filtered_inputs={"customers": "customer_unique_id"},
)

MODEL = RefinedTable(TABLE, QUERY, INCREMENT)
