"""The increment that facts with one row per detail of an order share."""

from spark_steps.declarations import Increment


def increment_by_order(source: str, *columns: str, also: str = "") -> Increment:
    """The increment of a fact that has a row for each row of `source` and takes these columns from fact_orders.

    Touched are the orders of the rows that landed, orders that landed, those of which the fact holds other values than
    fact_orders, and what `further`, SQL that goes on with UNION, adds.
    """
    differs = " OR ".join(f"h.{column} <> o.{column}" for column in columns)
    return Increment(
        key="order_id",
        affected_keys=f"""
            SELECT order_id FROM landed_{source}
            UNION
            SELECT order_id FROM landed_orders
            UNION
            SELECT h.order_id FROM held h INNER JOIN fact_orders o ON o.order_id = h.order_id WHERE {differs}
            {also}
        """,
        filtered_inputs={source: "order_id", "fact_orders": "order_id"},
    )
