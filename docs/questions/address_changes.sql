-- Which customers have moved, and where to?
-- A row is a person's change of address: the first order whose zip prefix, city or state differs from the order before.
-- All orders, canceled ones too. The date of a move is not known, only the orders before and after it: the change
-- counts from the first order at the new address. Cities are spelled as customers wrote them, so the result separates
-- a change of only the spelling from a move. A person who moves back has two rows.
WITH addresses AS (
  SELECT
    customer_unique_id,
    valid_from,
    zip_code_prefix,
    city,
    state,
    lag(valid_from) OVER person AS valid_from_before,
    lag(zip_code_prefix) OVER person AS zip_code_prefix_before,
    lag(city) OVER person AS city_before,
    lag(state) OVER person AS state_before
  FROM refined.dim_customers
  WHERE customer_unique_id IS NOT NULL
  WINDOW person AS (PARTITION BY customer_unique_id ORDER BY valid_from)
)
SELECT
  customer_unique_id,
  valid_from_before AS from_address_since,
  valid_from AS changed_at,
  CASE
    WHEN state IS DISTINCT FROM state_before THEN 'another state'
    WHEN zip_code_prefix IS NOT DISTINCT FROM zip_code_prefix_before THEN 'another spelling'
    WHEN city IS DISTINCT FROM city_before THEN 'another city'
    ELSE 'another zip prefix'
  END AS change,
  zip_code_prefix_before AS from_zip_code_prefix,
  city_before AS from_city,
  state_before AS from_state,
  zip_code_prefix AS to_zip_code_prefix,
  city AS to_city,
  state AS to_state
FROM addresses
WHERE valid_from_before IS NOT NULL
ORDER BY changed_at, customer_unique_id
