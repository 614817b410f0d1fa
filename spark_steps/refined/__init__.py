"""The star schema: one module per table, with its declaration, its query and its increment.

A query refers to its inputs by their names. A new table is a module with a MODEL, and an entry in MODELS.
"""

from spark_steps.declarations import RefinedTable
from spark_steps.refined import (
    aggregate_orders_per_day,
    aggregate_payments_per_month,
    aggregate_sales_per_month,
    aggregate_sales_performance_by_city,
    dim_customers,
    dim_date,
    dim_location,
    dim_products,
    dim_sellers,
    fact_order_items,
    fact_orders,
    fact_payments,
    fact_reviews,
)

MODELS: dict[str, RefinedTable] = {
    model.table.id: model
    for model in (
        dim_date.MODEL,
        dim_products.MODEL,
        dim_sellers.MODEL,
        dim_location.MODEL,
        dim_customers.MODEL,
        fact_orders.MODEL,
        fact_order_items.MODEL,
        fact_payments.MODEL,
        fact_reviews.MODEL,
        aggregate_sales_performance_by_city.MODEL,
        aggregate_sales_per_month.MODEL,
        aggregate_payments_per_month.MODEL,
        aggregate_orders_per_day.MODEL,
    )
}
"""Every refined table by its id, such as `refined/fact_orders`: tables before those that are computed from them."""
