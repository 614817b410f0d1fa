-- Does a late delivery cost us good reviews?
-- A row is a range of days between the promised date and the delivery, the earliest deliveries first.
-- All orders, canceled ones too. The score is that of an order's newest answer, 1 (worst) to 5 (best); scores are
-- averaged, and shares taken, over the orders that have one.
WITH orders AS (
  SELECT
    review_score,
    delay_days,
    CASE
      WHEN order_delivered_customer_date IS NULL THEN 'not delivered'
      WHEN delay_days IS NULL THEN 'nothing was promised'
      WHEN delay_days <= -14 THEN '14 days early or more'
      WHEN delay_days <= -7 THEN '7 to 14 days early'
      WHEN delay_days <= 0 THEN 'up to 7 days early'
      WHEN delay_days <= 3 THEN 'up to 3 days late'
      WHEN delay_days <= 7 THEN '3 to 7 days late'
      ELSE 'more than 7 days late'
    END AS delivery
  FROM refined.fact_orders
)
SELECT
  delivery,
  count(*) AS orders,
  count(review_score) AS reviewed,
  round(avg(review_score), 2) AS average_score,
  round(count(*) FILTER (review_score <= 2) / nullif(count(review_score), 0), 4) AS share_of_scores_1_and_2,
  round(count(*) FILTER (review_score = 5) / nullif(count(review_score), 0), 4) AS share_of_score_5
FROM orders
GROUP BY delivery
ORDER BY min(delay_days) NULLS LAST, delivery
