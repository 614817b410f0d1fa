-- How much longer does a delivery take, and cost, the farther the customer lives from the seller?
-- A row is a range of kilometers between seller and customer, the nearest first.
-- Delivered sales only. A delivery is an order and one of its sellers: an order from two sellers counts for each.
-- Distances are great circles between the centers of the two zip prefixes, not roads, from the seller's current address
-- to the customer's address at the purchase. Days count from the purchase; freight is in BRL. The distance is unknown
-- if geolocation has no point of a prefix.
WITH parcels AS (
  SELECT order_id, seller_location_key, location_key, count(*) AS items, sum(freight_value) AS freight
  FROM refined.fact_order_items
  WHERE coalesce(order_status, '') NOT IN ('canceled', 'unavailable')
  GROUP BY order_id, seller_key, seller_location_key, location_key
),
distances AS (
  SELECT
    parcels.order_id,
    parcels.items,
    parcels.freight,
    -- haversine formula; 6371 km is the Earth's mean radius
    2 * 6371 * asin(sqrt(
      pow(sin(radians(customers.latitude - sellers.latitude) / 2), 2)
      + cos(radians(sellers.latitude)) * cos(radians(customers.latitude))
      * pow(sin(radians(customers.longitude - sellers.longitude) / 2), 2)
    )) AS km
  FROM parcels
  INNER JOIN refined.dim_location AS sellers ON sellers.location_key = parcels.seller_location_key
  INNER JOIN refined.dim_location AS customers ON customers.location_key = parcels.location_key
),
deliveries AS (
  SELECT
    CASE
      WHEN distances.km IS NULL THEN 'not known'
      WHEN distances.km < 50 THEN 'below 50 km'
      WHEN distances.km < 250 THEN '50 to 250 km'
      WHEN distances.km < 500 THEN '250 to 500 km'
      WHEN distances.km < 1000 THEN '500 to 1000 km'
      WHEN distances.km < 2000 THEN '1000 to 2000 km'
      ELSE '2000 km or more'
    END AS distance,
    distances.km,
    distances.items,
    distances.freight,
    orders.delivery_days,
    orders.estimated_days,
    orders.is_late
  FROM distances
  INNER JOIN refined.fact_orders AS orders ON orders.order_id = distances.order_id
  WHERE orders.order_delivered_customer_date IS NOT NULL
)
SELECT
  distance,
  count(*) AS deliveries,
  round(avg(km)) AS average_km,
  round(avg(delivery_days), 1) AS average_delivery_days,
  round(median(delivery_days), 1) AS median_delivery_days,
  round(avg(estimated_days), 1) AS average_promised_days,
  round(count(*) FILTER (is_late) / count(*), 4) AS late_share,
  CAST(sum(freight) / sum(items) AS DECIMAL(12, 2)) AS freight_per_item
FROM deliveries
GROUP BY distance
ORDER BY min(km) NULLS LAST, distance
