"""Sales by city: what counts as a sale, which city it counts for, and who is counted once."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import build, whole
from olist_assets_tests.spark_steps.refined.sales_rows import (
    FEBRUARY,
    IN_TIME,
    JANUARY,
    LATE,
    MARCH,
    NEVER_PROMISED,
    NOTHING_IN_SAO_PAULO,
    RIO,
    city_row,
    sell,
    worth,
)


@pytest.fixture
def sales_by_city(lake):
    """Build the aggregate and return all its rows."""

    def read():
        build(lake, "aggregate_sales_performance_by_city")
        return whole(lake, "aggregate_sales_performance_by_city", "state", "city")

    return read


def test_a_city_has_its_orders_people_items_money_scores_and_delays(lake, sales_by_city):
    sell(
        lake,
        ("ana", JANUARY, worth("30.00", "3.00", items=2, review_score=5) | IN_TIME),
        ("ana", FEBRUARY, worth("70.00", "3.01", review_score=4) | IN_TIME),
        ("bia", JANUARY, {"review_score": 1} | LATE),
        ("caio", JANUARY, worth("5.00", "0.50") | RIO),
    )
    assert sales_by_city() == [
        {
            "state": "RJ",
            "city": "rio de janeiro",
            "orders": 1,
            "customers": 1,
            "items": 1,
            "revenue": "5.00",
            "freight": "0.50",
            "average_ticket": "5.00",
            "average_freight": "0.50",
            "average_review_score": None,
            "late_share": None,
        },
        {
            "state": "SP",
            "city": "sao paulo",
            "orders": 3,
            "customers": 2,
            "items": 3,
            "revenue": "100.00",
            "freight": "6.01",
            "average_ticket": "33.33",
            "average_freight": "2.00",
            "average_review_score": pytest.approx(10 / 3, rel=1e-12),
            "late_share": pytest.approx(1 / 3, rel=1e-12),
        },
    ]


def test_without_orders_no_city_has_a_row(sales_by_city):
    assert sales_by_city() == []


def test_canceled_and_unavailable_orders_are_no_sales_of_a_city(lake, sales_by_city):
    everything = worth("10.00", "1.00", review_score=1) | LATE
    sell(
        lake,
        ("ana", JANUARY, {"order_status": "canceled"} | everything),
        ("bia", JANUARY, {"order_status": "unavailable"} | everything),
        ("caio", JANUARY, {"order_status": "canceled"} | everything | RIO),
        ("davi", JANUARY, {"order_status": "created"}),
    )
    assert sales_by_city() == [NOTHING_IN_SAO_PAULO]


def test_an_order_of_every_other_status_or_of_none_is_a_sale(lake, sales_by_city):
    statuses = ["created", "approved", "invoiced", "processing", "shipped", "delivered", None]
    sell(lake, *((f"person {n}", JANUARY, {"order_status": status}) for n, status in enumerate(statuses)))
    assert sales_by_city() == [NOTHING_IN_SAO_PAULO | {"orders": 7, "customers": 7}]


def test_cities_of_one_name_in_two_states_are_two(lake, sales_by_city):
    bonito = {"city": "bonito"}
    sell(lake, ("ana", JANUARY, bonito | {"state": "MS"}), ("bia", JANUARY, bonito | {"state": "PE"}))
    assert sales_by_city() == [city_row("bonito", "MS"), city_row("bonito", "PE")]


def test_zip_prefixes_of_one_city_are_one(lake, sales_by_city):
    sell(lake, ("ana", JANUARY, {"zip_code_prefix": "01001"}), ("bia", JANUARY, {"zip_code_prefix": "01002"}))
    assert sales_by_city() == [NOTHING_IN_SAO_PAULO | {"orders": 2, "customers": 2}]


def test_a_sale_counts_for_the_city_where_the_person_lived_at_the_purchase(lake, sales_by_city):
    sell(
        lake,
        ("ana", JANUARY, worth("1.00")),
        ("ana", FEBRUARY, worth("2.00") | RIO),
        ("ana", MARCH, worth("4.00")),
    )
    assert sales_by_city() == [
        city_row("rio de janeiro", "RJ", items=1, revenue="2.00", average_ticket="2.00"),
        city_row("sao paulo", "SP", orders=2, customers=1, items=2, revenue="5.00", average_ticket="2.50"),
    ]


def test_the_person_of_several_sales_in_a_city_is_counted_once_there(lake, sales_by_city):
    sell(lake, ("ana", JANUARY, {}), ("ana", FEBRUARY, {}), ("ana", FEBRUARY, {}))
    assert sales_by_city() == [NOTHING_IN_SAO_PAULO | {"orders": 3, "customers": 1}]


def test_sales_of_unknown_people_have_no_city(lake, sales_by_city):
    sell(lake, (None, JANUARY, worth("10.00", "1.00")))
    sums = {"items": 1, "revenue": "10.00", "freight": "1.00", "average_ticket": "10.00", "average_freight": "1.00"}
    assert sales_by_city() == [city_row(None, None, customers=0, **sums)]


def test_average_ticket_and_freight_are_rounded_half_up(lake, sales_by_city):
    cases = {
        "half": (["0.01", "0.00"], "0.01"),  # 0.005
        "half above an even cent": (["0.05", "0.00"], "0.03"),  # 0.025
        "half that a double misses": (["2.01", "0.00"], "1.01"),  # 1.005
        "large half": (["9999999999.99", "9999999999.98"], "9999999999.99"),  # 9999999999.985
        "one third": (["0.01", "0.00", "0.00"], "0.00"),
        "two thirds": (["0.02", "0.00", "0.00"], "0.01"),
    }
    sell(lake, *((city, JANUARY, worth(v, v) | {"city": city}) for city, (values, _) in cases.items() for v in values))
    assert [(row["city"], row["average_ticket"], row["average_freight"]) for row in sales_by_city()] == [
        (city, average, average) for city, (_, average) in cases.items()
    ]


def test_the_average_score_ignores_orders_without_a_review(lake, sales_by_city):
    scores = [1, 4, 5, None]
    sell(lake, *((f"person {n}", JANUARY, {"review_score": score}) for n, score in enumerate(scores)))
    average = {"average_review_score": pytest.approx(10 / 3, rel=1e-12)}
    assert sales_by_city() == [NOTHING_IN_SAO_PAULO | {"orders": 4, "customers": 4} | average]


def test_the_late_share_is_late_over_delivered_and_null_without_deliveries(lake, sales_by_city):
    sell(
        lake,
        ("ana", JANUARY, LATE),
        ("bia", JANUARY, IN_TIME),
        ("caio", JANUARY, IN_TIME),
        ("davi", JANUARY, NEVER_PROMISED),  # delivered, and not late
        ("eva", JANUARY, {}),  # on its way
        ("fred", JANUARY, RIO),
        ("gabi", JANUARY, IN_TIME | {"city": "bonito", "state": "MS"}),
    )
    assert sales_by_city() == [
        city_row("bonito", "MS", late_share=0.0),
        city_row("rio de janeiro", "RJ", late_share=None),
        city_row("sao paulo", "SP", orders=5, customers=5, late_share=0.25),
    ]
