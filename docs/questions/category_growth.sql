-- Which product categories grow?
-- A row is a category and a quarter of purchase; a quarter without a sale of the category has a row, with 0.
-- Sales only: without items of orders that were canceled or unavailable. Revenue is the items' prices in BRL. Growth
-- compares with the same quarter a year before, and is null if that had no sales; the first and the newest quarter
-- are rarely complete. Products without a category, or not known yet, are in 'none'.
WITH sales AS (
  SELECT
    coalesce(products.category_english, products.category, 'none') AS category,
    calendar.year,
    calendar.quarter,
    items.price
  FROM refined.fact_order_items AS items
  INNER JOIN refined.dim_products AS products ON products.product_key = items.product_key
  INNER JOIN refined.dim_date AS calendar ON calendar.date_key = items.purchase_date_key
  WHERE coalesce(items.order_status, '') NOT IN ('canceled', 'unavailable')
),
categories AS (SELECT DISTINCT category FROM sales),
quarters AS (SELECT DISTINCT year, quarter FROM sales),
category_quarters AS (
  SELECT categories.category, quarters.year, quarters.quarter, count(sales.price) AS items,
    coalesce(sum(sales.price), 0) AS revenue
  FROM categories
  CROSS JOIN quarters
  LEFT JOIN sales
    ON sales.category = categories.category AND sales.year = quarters.year AND sales.quarter = quarters.quarter
  GROUP BY ALL
)
SELECT
  this.category,
  this.year,
  this.quarter,
  this.items,
  this.revenue,
  year_before.revenue AS revenue_a_year_before,
  round(this.revenue / nullif(year_before.revenue, 0) - 1, 4) AS revenue_growth
FROM category_quarters AS this
LEFT JOIN category_quarters AS year_before
  ON year_before.category = this.category
  AND year_before.quarter = this.quarter
  AND year_before.year = this.year - 1
ORDER BY category, year, quarter
