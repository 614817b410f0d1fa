"""Items, payments and reviews that wait for their order are counted by a check of their fact."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import arrived, item, order, payment, review
from spark_steps.declarations import Severity
from spark_steps.protocol import Check

FACTS = {
    "fact_order_items": ("order_items", item),
    "fact_payments": ("order_payments", payment),
    "fact_reviews": ("order_reviews", lambda order_id: review(f"r-{order_id}", order_id)),
}
"""Per fact the table that its rows come from, and a row of an order in it."""


@pytest.mark.parametrize("fact", FACTS)
def test_rows_that_wait_for_their_order_are_counted_until_it_arrives(sail_lake, fact):
    source, row_of = FACTS[fact]

    def waiting():
        return sail_lake.run(f"refined/{fact}").checks

    def check(rows):
        return Check("waiting_for_order", Severity.WARN, rows, f"rows of {source} wait for their order")

    assert waiting() == (check(0),)
    sail_lake.rows(f"trusted/{source}", row_of("o1"), row_of("o2"), row_of("o3"))
    sail_lake.rows("refined/fact_orders", arrived("o1"))
    assert waiting() == (check(2),)
    assert len(sail_lake.read(f"refined/{fact}")) == 1
    sail_lake.rows("refined/fact_orders", arrived("o2"), arrived("o3"), arrived("o4"))
    sail_lake.rows("trusted/orders", order("o2", "c2"), order("o3", "c3"), order("o4", "c4"))
    assert waiting() == (check(0),)
    assert len(sail_lake.read(f"refined/{fact}")) == 3
