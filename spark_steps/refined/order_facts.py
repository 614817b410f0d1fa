"""The increment of the facts that have one row per item, payment or review of an order."""

from spark_steps.declarations import Increment


def increment_by_order(source: str, *columns: str, also: str = "") -> Increment:
    """The increment of a fact that has one row per row of `source` and takes `columns` from fact_orders.

    Affected orders: those with new rows in `source` or in orders, those whose `columns` differ from fact_orders, and
    those selected by `also`, SQL that starts with UNION.
    """
    differs = " OR ".join(f"f.{column} <> o.{column}" for column in columns)
    return Increment(
        key="order_id",
        affected_keys=f"""
            SELECT order_id FROM landed_{source}
            UNION
            SELECT order_id FROM landed_orders
            UNION
            SELECT f.order_id FROM current_rows f INNER JOIN fact_orders o ON o.order_id = f.order_id WHERE {differs}
            {also}
        """,
        filtered_inputs={source: "order_id", "fact_orders": "order_id"},
    )
