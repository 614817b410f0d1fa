"""Reviews: one row per review of an order."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import NOON, arrived, build, period_key, review, whole

PLAIN = {
    "review_id": "r1",
    "order_id": "o1",
    "customer_key": period_key("ana", NOON),
    "purchase_date_key": 20180510,
    "review_score": 5,
    "has_comment": False,
    "review_creation_date": "2018-05-20 00:00:00",
    "review_answer_timestamp": None,
    "answer_hours": None,
    "order_month": "2018-05",
}
"""Review r1 of Ana's order o1, without answer and message."""


@pytest.fixture
def fact_reviews(lake):
    """Build the fact and return all its rows."""

    def read():
        build(lake, "fact_reviews")
        return whole(lake, "fact_reviews", "review_id", "order_id")

    return read


@pytest.fixture
def shop(lake):
    """A lake in which Ana's order o1 has arrived."""
    lake.rows("refined/fact_orders", arrived("o1", "ana"))
    return lake


def test_a_review_has_its_score_times_and_whether_there_is_a_message(shop, fact_reviews):
    shop.rows(
        "trusted/order_reviews", review("r1", "o1", 1, message="Não chegou meu produto", answered="2018-05-21 06:30:00")
    )
    assert fact_reviews() == [
        {
            "review_id": "r1",
            "order_id": "o1",
            "customer_key": period_key("ana", NOON),
            "purchase_date_key": 20180510,
            "review_score": 1,
            "has_comment": True,
            "review_creation_date": "2018-05-20 00:00:00",
            "review_answer_timestamp": "2018-05-21 06:30:00",
            "answer_hours": 30.5,
            "order_month": "2018-05",
        }
    ]


def test_a_title_is_not_a_comment(shop, fact_reviews):
    shop.rows("trusted/order_reviews", review("r1", "o1") | {"review_comment_title": "Recomendo"})
    assert fact_reviews() == [PLAIN]


def test_hours_to_the_answer_are_null_unless_both_times_are_known(shop, fact_reviews):
    answered = "2018-05-20 00:00:00.900000"
    shop.rows(
        "trusted/order_reviews",
        review("r1", "o1", created=None, answered=answered),
        review("r2", "o1", answered=None),
        review("r3", "o1", answered=answered),
    )
    known = {"review_answer_timestamp": answered}
    assert fact_reviews() == [
        PLAIN | known | {"review_creation_date": None},
        PLAIN | {"review_id": "r2"},
        PLAIN | known | {"review_id": "r3", "answer_hours": pytest.approx(0.000_25, rel=1e-12)},
    ]


def test_one_review_of_two_orders_is_two_rows(shop, fact_reviews):
    shop.rows("refined/fact_orders", arrived("o2", "ana"))
    shop.rows("trusted/order_reviews", review("r1", "o1", 2), review("r1", "o2", 3))
    assert fact_reviews() == [PLAIN | {"review_score": 2}, PLAIN | {"order_id": "o2", "review_score": 3}]


def test_all_reviews_of_an_order_are_kept_and_not_multiplied(lake, fact_reviews):
    lake.rows("refined/fact_orders", arrived("o1", "ana", items=2, payments=2, review_score=5))
    lake.rows("trusted/order_reviews", review("r1", "o1", 1), review("r2", "o1", 5))
    assert fact_reviews() == [PLAIN | {"review_score": 1}, PLAIN | {"review_id": "r2"}]


def test_a_review_whose_order_has_not_arrived_waits_for_it(shop, fact_reviews):
    shop.rows("trusted/order_reviews", review("r1", "o1"), review("r2", "o2"))
    assert fact_reviews() == [PLAIN]

    shop.rows("refined/fact_orders", arrived("o2", "bia", "2018-06-01 12:00:00"))
    bia = {"review_id": "r2", "order_id": "o2", "customer_key": period_key("bia", "2018-06-01 12:00:00")}
    assert fact_reviews() == [PLAIN, PLAIN | bia | {"purchase_date_key": 20180601, "order_month": "2018-06"}]


def test_a_review_whose_customer_has_not_arrived_has_the_unknown_person(lake, fact_reviews):
    lake.rows("refined/fact_orders", arrived("o1", None))
    lake.rows("trusted/order_reviews", review("r1", "o1"))
    assert fact_reviews() == [PLAIN | {"customer_key": -1}]


def test_reviews_of_orders_of_any_status_are_kept(lake, fact_reviews):
    statuses = ["canceled", "unavailable", "created", None]
    lake.rows("refined/fact_orders", *(arrived(f"o{n}", order_status=status) for n, status in enumerate(statuses)))
    lake.rows("trusted/order_reviews", *(review("r1", f"o{n}") for n in range(4)))
    assert fact_reviews() == [PLAIN | {"order_id": f"o{n}"} for n in range(4)]


def test_a_rebuild_changes_nothing(shop, fact_reviews):
    shop.rows("trusted/order_reviews", review("r1", "o1"), review("r2", "o1"))
    assert fact_reviews() == [PLAIN, PLAIN | {"review_id": "r2"}]
    assert fact_reviews() == [PLAIN, PLAIN | {"review_id": "r2"}]
