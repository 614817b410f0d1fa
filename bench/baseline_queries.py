"""The baseline's SQL of the refined tables, over tables named like the product's, in DuckDB's dialect."""

_SALES = """
  SELECT o.*, d.customer_unique_id, d.city, d.state
  FROM refined.fact_orders o JOIN refined.dim_customers d USING (customer_key)
  WHERE coalesce(order_status, '') NOT IN ('canceled', 'unavailable')
"""

_LATE_SHARE = "count_if(is_late) / nullif(count(order_delivered_customer_date), 0)::DOUBLE"

MACROS = (
    # the usual form in a tenth of the time; DuckDB ignores the offsets of other forms
    """CREATE MACRO utc_time(t) AS CASE
      WHEN length(t) = 19 AND t[17] = ':' THEN TRY_CAST(t AS TIMESTAMP)
      ELSE TRY_CAST(regexp_extract(t, '^\\s*([0-9-]{10}([ T][0-9:.]+)?)\\s*(UTC|Z|[+-][0-9:]+)?\\s*$', 1) AS TIMESTAMP)
        - to_minutes(coalesce(TRY_CAST(regexp_extract(t, ':.*([+-][0-9]{2})', 1) AS INTEGER) * 60, 0)
          + coalesce(TRY_CAST(regexp_replace(t, '^.*:.*([+-])[0-9]{2}:?([0-9]{2})\\s*$', '\\1\\2') AS INTEGER), 0))
      END""",
    "CREATE MACRO hash60(t) AS ('0x' || substr(sha256(t), 1, 15))::BIGINT",
    "CREATE MACRO hours(a, b) AS (epoch_us(b) - epoch_us(a)) / 1000000.0::DOUBLE / 3600.0::DOUBLE",
    "CREATE MACRO days(a, b) AS (epoch_us(b) - epoch_us(a)) / 1000000.0::DOUBLE / 86400.0::DOUBLE",
    "CREATE MACRO cents(money) AS (money * 100)::BIGINT",
    # total / n half up, in whole cents
    "CREATE MACRO average(total, n) AS ((2 * cents(total) + n) // (2 * n))::DECIMAL(18,0) * 0.01::DECIMAL(3,2)",
)

DIMENSIONS = {
    "dim_date": """
        SELECT
          year(date) * 10000 + month(date) * 100 + day(date) AS date_key,
          date,
          year(date) AS year,
          quarter(date) AS quarter,
          month(date) AS month,
          monthname(date) AS month_name,
          strftime(date, '%Y-%m') AS year_month,
          day(date) AS day,
          isodow(date) AS day_of_week,
          dayname(date) AS day_name,
          isodow(date) >= 6 AS is_weekend
        FROM (
          SELECT unnest(generate_series(
            least(DATE '2016-01-01', date_trunc('year', min(order_purchase_timestamp))),
            make_date(coalesce(year(max(order_purchase_timestamp)), 2016) + 1, 12, 31),
            INTERVAL 1 DAY
          ))::DATE AS date
          FROM trusted.orders
        )
        UNION ALL BY NAME SELECT -1 AS date_key
    """,
    "dim_products": """
        SELECT
          hash60(product_id) AS product_key,
          product_id,
          product_category_name AS category,
          product_category_name_english AS category_english,
          product_name_length AS name_length,
          product_description_length AS description_length,
          product_photos_qty AS photos_qty,
          product_weight_g AS weight_g,
          product_length_cm AS length_cm,
          product_height_cm AS height_cm,
          product_width_cm AS width_cm
        FROM trusted.products LEFT JOIN trusted.product_category_translation USING (product_category_name)
        UNION ALL BY NAME SELECT -1 AS product_key
    """,
    "dim_sellers": """
        SELECT
          hash60(seller_id) AS seller_key,
          seller_id,
          seller_zip_code_prefix AS zip_code_prefix,
          seller_city AS city,
          seller_state AS state,
          coalesce(hash60(seller_zip_code_prefix), -1) AS location_key
        FROM trusted.sellers
        UNION ALL BY NAME SELECT -1 AS seller_key, -1 AS location_key
    """,
    "dim_location": """
        WITH mentions AS (
          SELECT geolocation_zip_code_prefix AS zip_code_prefix, geolocation_city AS city, geolocation_state AS state
          FROM trusted.geolocation
          UNION ALL SELECT customer_zip_code_prefix, customer_city, customer_state FROM trusted.customers
          UNION ALL SELECT seller_zip_code_prefix, seller_city, seller_state FROM trusted.sellers
        ),
        spellings AS (
          SELECT zip_code_prefix, city, state
          FROM mentions WHERE zip_code_prefix IS NOT NULL GROUP BY zip_code_prefix, city, state
          QUALIFY row_number() OVER (
            PARTITION BY zip_code_prefix ORDER BY city IS NULL, count(*) DESC, city, state NULLS LAST
          ) = 1
        ),
        points AS (
          SELECT
            geolocation_zip_code_prefix AS zip_code_prefix,
            median(geolocation_lat) AS latitude,
            median(geolocation_lng) AS longitude,
            count(*) AS points
          FROM trusted.geolocation GROUP BY ALL
        )
        SELECT
          hash60(zip_code_prefix) AS location_key, zip_code_prefix, city, state, latitude, longitude,
          coalesce(points, 0) AS points
        FROM spellings LEFT JOIN points USING (zip_code_prefix)
        UNION ALL BY NAME SELECT -1 AS location_key
    """,
    "dim_customers": """
        WITH observations AS (
          SELECT
            customer_unique_id,
            {'zip': customer_zip_code_prefix, 'city': customer_city, 'state': customer_state} AS address,
            order_purchase_timestamp AS observed_at,
            lead(order_purchase_timestamp) OVER (
              PARTITION BY customer_unique_id ORDER BY order_purchase_timestamp, customer_id
            ) AS next_observed_at
          FROM trusted.orders JOIN trusted.customers USING (customer_id)
        ),
        changes AS (
          SELECT * FROM observations
          WHERE next_observed_at IS NULL OR next_observed_at > observed_at
          QUALIFY address IS DISTINCT FROM
            lag(address) OVER (PARTITION BY customer_unique_id ORDER BY observed_at)
        ),
        periods AS (
          SELECT
            customer_unique_id,
            address.zip AS zip_code_prefix,
            address.city AS city,
            address.state AS state,
            observed_at AS valid_from,
            lead(observed_at) OVER (PARTITION BY customer_unique_id ORDER BY observed_at) AS valid_to
          FROM changes
        )
        SELECT
          hash60(customer_unique_id || '|' || epoch_us(valid_from)) AS customer_key,
          customer_unique_id,
          zip_code_prefix,
          p.city,
          p.state,
          coalesce(location_key, -1) AS location_key,
          valid_from,
          valid_to,
          valid_to IS NULL AS is_current
        FROM periods p LEFT JOIN refined.dim_location USING (zip_code_prefix)
        UNION ALL BY NAME SELECT -1 AS customer_key, -1 AS location_key
    """,
}

FACTS = {
    "fact_orders": """
        WITH item_sums AS (
          SELECT
            order_id,
            count(*) AS items,
            count(DISTINCT product_id) AS products,
            count(DISTINCT seller_id) AS sellers,
            sum(price) AS items_value,
            sum(freight_value) AS freight_value
          FROM trusted.order_items GROUP BY order_id
        ),
        payment_sums AS (
          SELECT order_id, count(*) AS payments, sum(payment_value) AS payment_value
          FROM trusted.order_payments GROUP BY order_id
        ),
        reviews AS (
          SELECT order_id, review_score FROM trusted.order_reviews
          QUALIFY row_number() OVER (
            PARTITION BY order_id ORDER BY review_answer_timestamp DESC NULLS LAST, review_id DESC
          ) = 1
        ),
        placed AS (
          SELECT o.*, customer_unique_id
          FROM trusted.orders o LEFT JOIN trusted.customers USING (customer_id)
        )
        SELECT
          o.order_id,
          coalesce(d.customer_key, -1) AS customer_key,
          coalesce(d.location_key, -1) AS location_key,
          year(order_purchase_timestamp) * 10000 + month(order_purchase_timestamp) * 100
            + day(order_purchase_timestamp) AS purchase_date_key,
          order_status,
          order_purchase_timestamp,
          order_approved_at,
          order_delivered_carrier_date,
          order_delivered_customer_date,
          order_estimated_delivery_date,
          hours(order_purchase_timestamp, order_approved_at) AS approval_hours,
          days(order_purchase_timestamp, order_delivered_customer_date) AS delivery_days,
          days(order_purchase_timestamp, order_estimated_delivery_date) AS estimated_days,
          days(order_estimated_delivery_date, order_delivered_customer_date) AS delay_days,
          order_delivered_customer_date > order_estimated_delivery_date AS is_late,
          coalesce(items, 0) AS items,
          coalesce(products, 0) AS products,
          coalesce(sellers, 0) AS sellers,
          coalesce(items_value, 0)::DECIMAL(18,2) AS items_value,
          coalesce(freight_value, 0)::DECIMAL(18,2) AS freight_value,
          (coalesce(items_value, 0) + coalesce(freight_value, 0))::DECIMAL(18,2) AS order_value,
          coalesce(payments, 0) AS payments,
          coalesce(payment_value, 0)::DECIMAL(18,2) AS payment_value,
          review_score,
          order_month
        FROM placed o
        ASOF LEFT JOIN refined.dim_customers d
          ON d.customer_unique_id = o.customer_unique_id AND o.order_purchase_timestamp >= d.valid_from
        LEFT JOIN item_sums i ON i.order_id = o.order_id
        LEFT JOIN payment_sums p ON p.order_id = o.order_id
        LEFT JOIN reviews r ON r.order_id = o.order_id
    """,
    "fact_order_items": """
        SELECT
          i.order_id, order_item_id,
          coalesce(product_key, -1) AS product_key,
          coalesce(seller_key, -1) AS seller_key,
          coalesce(s.location_key, -1) AS seller_location_key,
          customer_key, o.location_key, purchase_date_key, order_status, order_purchase_timestamp,
          price, i.freight_value, order_month
        FROM trusted.order_items i
        JOIN refined.fact_orders o USING (order_id)
        LEFT JOIN refined.dim_products USING (product_id)
        LEFT JOIN refined.dim_sellers s USING (seller_id)
    """,
    "fact_payments": """
        SELECT
          p.order_id, payment_sequential, customer_key, purchase_date_key, payment_type, payment_installments,
          p.payment_value, order_month
        FROM trusted.order_payments p JOIN refined.fact_orders USING (order_id)
    """,
    "fact_reviews": """
        SELECT
          review_id, order_id, customer_key, purchase_date_key, r.review_score,
          review_comment_message IS NOT NULL AS has_comment,
          review_creation_date, review_answer_timestamp,
          hours(review_creation_date, review_answer_timestamp) AS answer_hours,
          order_month
        FROM trusted.order_reviews r JOIN refined.fact_orders USING (order_id)
    """,
}

AGGREGATES = {
    "aggregate_sales_performance_by_city": f"""
        SELECT
          state, city,
          count(*) AS orders,
          count(DISTINCT customer_unique_id) AS customers,
          sum(items) AS items,
          sum(items_value) AS revenue,
          sum(freight_value) AS freight,
          average(sum(items_value), count(*)) AS average_ticket,
          average(sum(freight_value), count(*)) AS average_freight,
          avg(review_score) AS average_review_score,
          {_LATE_SHARE} AS late_share
        FROM ({_SALES}) GROUP BY state, city
    """,
    "aggregate_sales_per_month": f"""
        WITH sales AS ({_SALES}),
        newcomers AS (
          SELECT order_month, count(*) AS new_customers
          FROM (
            SELECT min(order_month) AS order_month FROM sales
            WHERE customer_unique_id IS NOT NULL GROUP BY customer_unique_id
          )
          GROUP BY order_month
        )
        SELECT
          order_month,
          count(*) AS orders,
          count(DISTINCT customer_unique_id) AS customers,
          coalesce(any_value(new_customers), 0) AS new_customers,
          sum(items) AS items,
          sum(items_value) AS revenue,
          sum(freight_value) AS freight,
          sum(payment_value) AS payment_value,
          average(sum(items_value), count(*)) AS average_ticket,
          count(order_delivered_customer_date) AS delivered,
          {_LATE_SHARE} AS late_share
        FROM sales LEFT JOIN newcomers USING (order_month) GROUP BY order_month
    """,
    "aggregate_payments_per_month": """
        SELECT
          order_month, payment_type,
          count(*) AS payments,
          count(DISTINCT order_id) AS orders,
          sum(payment_value) AS payment_value,
          avg(payment_installments) AS average_installments
        FROM refined.fact_payments GROUP BY order_month, payment_type
    """,
    "aggregate_orders_per_day": f"""
        SELECT
          order_purchase_timestamp::DATE AS purchase_date,
          state AS customer_state,
          count(*) AS orders,
          sum(items_value) AS revenue,
          sum(freight_value) AS freight
        FROM ({_SALES}) GROUP BY ALL
    """,
}
