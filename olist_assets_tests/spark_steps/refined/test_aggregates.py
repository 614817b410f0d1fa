"""The aggregates: sales by city, month and day, payments by month; what counts as a sale, and who is counted once."""

from decimal import Decimal

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import (
    UNKNOWN_CUSTOMER,
    arrived,
    build,
    customer,
    item,
    order,
    payment,
    period_key,
    review,
    whole,
)

JANUARY, FEBRUARY, MARCH = "2018-01-10 12:00:00", "2018-02-10 12:00:00", "2018-03-10 12:00:00"
SAO_PAULO = {"zip_code_prefix": "01001", "city": "sao paulo", "state": "SP"}
RIO = {"zip_code_prefix": "20001", "city": "rio de janeiro", "state": "RJ"}

LATE = {"order_delivered_customer_date": "2018-04-02 00:00:00", "is_late": True}
IN_TIME = {"order_delivered_customer_date": "2018-04-01 00:00:00", "is_late": False}
NEVER_PROMISED = {"order_delivered_customer_date": "2018-04-01 00:00:00", "is_late": None}

NOTHING_IN_SAO_PAULO = {
    "state": "SP",
    "city": "sao paulo",
    "orders": 1,
    "customers": 1,
    "items": 0,
    "revenue": "0.00",
    "freight": "0.00",
    "average_ticket": "0.00",
    "average_freight": "0.00",
    "average_review_score": None,
    "late_share": None,
}
"""One order from there, without items, reviews and delivery."""

NOTHING_IN_JANUARY = {
    "order_month": "2018-01",
    "orders": 1,
    "customers": 1,
    "new_customers": 1,
    "items": 0,
    "revenue": "0.00",
    "freight": "0.00",
    "payment_value": "0.00",
    "average_ticket": "0.00",
    "delivered": 0,
    "late_share": None,
}
"""One order of that month, the first of its person, without items, payments and delivery."""


@pytest.fixture
def sales_by_city(lake):
    """Builds the aggregate and returns it whole."""

    def built():
        build(lake, "aggregate_sales_performance_by_city")
        return whole(lake, "aggregate_sales_performance_by_city", "state", "city")

    return built


@pytest.fixture
def sales_per_month(lake):
    """Builds the aggregate and returns it whole."""

    def built():
        build(lake, "aggregate_sales_per_month")
        return whole(lake, "aggregate_sales_per_month", "order_month")

    return built


@pytest.fixture
def payments_per_month(lake):
    """Builds the aggregate and returns it whole."""

    def built():
        build(lake, "aggregate_payments_per_month")
        return whole(lake, "aggregate_payments_per_month", "order_month", "payment_type")

    return built


@pytest.fixture
def orders_per_day(lake):
    """Builds the aggregate and returns it whole."""

    def built():
        build(lake, "aggregate_orders_per_day")
        return whole(lake, "aggregate_orders_per_day", "purchase_date", "customer_state")

    return built


def sell(lake, *orders):
    """Rows o1, o2, ... of fact_orders of (person, purchase time, values), and a period of the person for each.

    The values are columns of fact_orders, or of the address that the person has then, which is in Sao Paulo.
    """
    facts, periods = [], {-1: UNKNOWN_CUSTOMER}
    for number, (person, purchased, values) in enumerate(orders, 1):
        address = SAO_PAULO | {name: values[name] for name in SAO_PAULO if name in values}
        facts.append(arrived(f"o{number}", person, purchased, **{c: values[c] for c in values if c not in SAO_PAULO}))
        key = facts[-1]["customer_key"]
        if person:
            names = {"customer_key": key, "customer_unique_id": person, "location_key": facts[-1]["location_key"]}
            periods[key] = names | address | {"valid_from": purchased, "is_current": True}
    lake.rows("refined/fact_orders", *facts)
    lake.rows("refined/dim_customers", *periods.values())


def worth(items_value, freight_value="0.00", *, items=1, **more):
    """The values of an order of so many items."""
    return {"items": items, "items_value": items_value, "freight_value": freight_value} | more


def city_of(city, state, **values):
    return NOTHING_IN_SAO_PAULO | {"city": city, "state": state} | values


def month_of(order_month, **values):
    return NOTHING_IN_JANUARY | {"order_month": order_month} | values


# --- By city --------------------------------------------------------------------------------------------------------


def test_a_citys_orders_people_items_money_scores_and_delays(lake, sales_by_city):
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


def test_cancelled_and_unavailable_orders_are_no_sales_of_a_city(lake, sales_by_city):
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
    assert sales_by_city() == [city_of("bonito", "MS"), city_of("bonito", "PE")]


def test_zip_prefixes_of_one_city_are_one(lake, sales_by_city):
    sell(lake, ("ana", JANUARY, {"zip_code_prefix": "01001"}), ("bia", JANUARY, {"zip_code_prefix": "01002"}))
    assert sales_by_city() == [NOTHING_IN_SAO_PAULO | {"orders": 2, "customers": 2}]


def test_a_city_has_the_sales_of_when_the_person_lived_there(lake, sales_by_city):
    sell(
        lake,
        ("ana", JANUARY, worth("1.00")),
        ("ana", FEBRUARY, worth("2.00") | RIO),
        ("ana", MARCH, worth("4.00")),
    )
    assert sales_by_city() == [
        city_of("rio de janeiro", "RJ", items=1, revenue="2.00", average_ticket="2.00"),
        city_of("sao paulo", "SP", orders=2, customers=1, items=2, revenue="5.00", average_ticket="2.50"),
    ]


def test_the_person_of_several_sales_in_a_city_is_counted_once_there(lake, sales_by_city):
    sell(lake, ("ana", JANUARY, {}), ("ana", FEBRUARY, {}), ("ana", FEBRUARY, {}))
    assert sales_by_city() == [NOTHING_IN_SAO_PAULO | {"orders": 3, "customers": 1}]


def test_sales_of_people_who_have_not_arrived_are_of_no_city(lake, sales_by_city):
    sell(lake, (None, JANUARY, worth("10.00", "1.00")))
    sums = {"items": 1, "revenue": "10.00", "freight": "1.00", "average_ticket": "10.00", "average_freight": "1.00"}
    assert sales_by_city() == [city_of(None, None, customers=0, **sums)]


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


def test_the_average_score_is_over_the_orders_that_have_one(lake, sales_by_city):
    scores = [1, 4, 5, None]
    sell(lake, *((f"person {n}", JANUARY, {"review_score": score}) for n, score in enumerate(scores)))
    average = {"average_review_score": pytest.approx(10 / 3, rel=1e-12)}
    assert sales_by_city() == [NOTHING_IN_SAO_PAULO | {"orders": 4, "customers": 4} | average]


def test_the_late_share_is_of_the_delivered_and_null_where_nothing_was(lake, sales_by_city):
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
        city_of("bonito", "MS", late_share=0.0),
        city_of("rio de janeiro", "RJ", late_share=None),
        city_of("sao paulo", "SP", orders=5, customers=5, late_share=0.25),
    ]


# --- By month -------------------------------------------------------------------------------------------------------


def test_a_months_orders_people_items_money_and_delays(lake, sales_per_month):
    sell(
        lake,
        ("ana", JANUARY, worth("30.01", "3.00", items=2, payments=2, payment_value="33.01") | LATE),
        ("bia", "2018-01-31 23:59:59.999999", {}),
        ("ana", "2018-02-01 00:00:00", worth("5.00", "0.50")),
    )
    assert sales_per_month() == [
        {
            "order_month": "2018-01",
            "orders": 2,
            "customers": 2,
            "new_customers": 2,
            "items": 2,
            "revenue": "30.01",
            "freight": "3.00",
            "payment_value": "33.01",
            "average_ticket": "15.01",
            "delivered": 1,
            "late_share": 1.0,
        },
        {
            "order_month": "2018-02",
            "orders": 1,
            "customers": 1,
            "new_customers": 0,
            "items": 1,
            "revenue": "5.00",
            "freight": "0.50",
            "payment_value": "0.00",
            "average_ticket": "5.00",
            "delivered": 0,
            "late_share": None,
        },
    ]


def test_without_orders_no_month_has_a_row(sales_per_month):
    assert sales_per_month() == []


def test_all_days_of_a_month_are_one_row_and_the_month_of_another_year_is_another(lake, sales_per_month):
    days = ["2017-01-10", "2018-01-01", "2018-01-02", "2018-01-15", "2018-01-31"]
    sell(lake, *((f"person of {day}", f"{day} 12:00:00", {}) for day in days))
    assert sales_per_month() == [
        month_of("2017-01"),
        month_of("2018-01", orders=4, customers=4, new_customers=4),
    ]


def test_a_customer_is_new_once_in_the_month_of_the_first_sale(lake, sales_per_month):
    sell(
        lake,
        ("ana", FEBRUARY, {}),
        ("ana", "2018-02-20 12:00:00", RIO),  # a second sale in the month, from another address
        ("ana", MARCH, {}),
        ("bia", MARCH, {}),
        ("ana", JANUARY, {}),  # the first, which arrives last
    )
    assert sales_per_month() == [
        month_of("2018-01", orders=1, customers=1, new_customers=1),
        month_of("2018-02", orders=2, customers=1, new_customers=0),
        month_of("2018-03", orders=2, customers=2, new_customers=1),
    ]


def test_a_cancelled_order_makes_nobody_a_customer(lake, sales_per_month):
    everything = worth("10.00", "1.00", payments=1, payment_value="11.00") | LATE
    sell(
        lake,
        ("ana", JANUARY, {"order_status": "canceled"} | everything),
        ("bia", JANUARY, {"order_status": "unavailable"} | everything),
        ("ana", FEBRUARY, {}),
        ("bia", MARCH, {"order_status": None}),
        ("caio", MARCH, {"order_status": "canceled"} | everything),
    )
    assert sales_per_month() == [month_of("2018-02"), month_of("2018-03")]


def test_a_months_average_ticket_is_half_up_over_all_its_orders(lake, sales_per_month):
    sell(lake, ("ana", JANUARY, worth("2.01")), ("bia", JANUARY, {}))  # the second order has no items
    people = {"orders": 2, "customers": 2, "new_customers": 2}
    assert sales_per_month() == [
        NOTHING_IN_JANUARY | people | {"items": 1, "revenue": "2.01", "average_ticket": "1.01"}
    ]


def test_a_months_late_share_is_of_its_delivered_orders(lake, sales_per_month):
    deliveries = [LATE, IN_TIME, NEVER_PROMISED, {}]  # all in April, and counted where they were bought
    sell(lake, *((f"person {n}", JANUARY, delivery) for n, delivery in enumerate(deliveries)))
    people = {"orders": 4, "customers": 4, "new_customers": 4}
    late_share = pytest.approx(1 / 3, rel=1e-12)
    assert sales_per_month() == [NOTHING_IN_JANUARY | people | {"delivered": 3, "late_share": late_share}]


def test_a_sale_of_a_person_who_has_not_arrived_counts_for_its_month(lake, sales_per_month):
    sell(lake, (None, JANUARY, {}), ("bia", JANUARY, {}))
    assert sales_per_month() == [NOTHING_IN_JANUARY | {"orders": 2, "customers": 1, "new_customers": 1}]


# --- Payments -------------------------------------------------------------------------------------------------------


def paid(order_id, number=1, *, month="2018-01", **more):
    """A row of fact_payments."""
    keys = {"customer_key": period_key("ana", JANUARY), "purchase_date_key": 20180110, "order_month": month}
    return payment(order_id, number, **more) | keys


def test_payments_of_a_month_and_means_with_their_orders_value_and_instalments(lake, payments_per_month):
    lake.rows(
        "refined/fact_payments",
        paid("o1", 1, means="voucher", installments=1, value="10.00"),
        paid("o1", 2, means="voucher", installments=1, value="20.00"),
        paid("o1", 3, means="credit_card", installments=3, value="5.05"),
        paid("o2", 1, means="voucher", installments=2, value="0.01"),
        paid("o3", 1, means="voucher", installments=1, value="7.00", month="2018-02"),
        paid("o4", 1, means="voucher", installments=1, value="0.00", month="2017-01"),
    )
    assert payments_per_month() == [
        {
            "order_month": "2017-01",
            "payment_type": "voucher",
            "payments": 1,
            "orders": 1,
            "payment_value": "0.00",
            "average_installments": 1.0,
        },
        {
            "order_month": "2018-01",
            "payment_type": "credit_card",
            "payments": 1,
            "orders": 1,
            "payment_value": "5.05",
            "average_installments": 3.0,
        },
        {
            "order_month": "2018-01",
            "payment_type": "voucher",
            "payments": 3,
            "orders": 2,
            "payment_value": "30.01",
            "average_installments": pytest.approx(4 / 3, rel=1e-12),
        },
        {
            "order_month": "2018-02",
            "payment_type": "voucher",
            "payments": 1,
            "orders": 1,
            "payment_value": "7.00",
            "average_installments": 1.0,
        },
    ]


def test_without_payments_no_month_has_a_row(payments_per_month):
    assert payments_per_month() == []


# --- By day ---------------------------------------------------------------------------------------------------------


def test_orders_and_money_of_a_day_by_state(lake, orders_per_day):
    sell(
        lake,
        ("ana", "2018-01-10 00:00:00", worth("30.00", "3.00", items=2, payments=2, payment_value="33.00")),
        ("bia", "2018-01-10 23:59:59.999999", worth("0.01", "0.02") | {"city": "campinas"}),
        ("caio", "2018-01-10 12:00:00", worth("5.00") | RIO),
        ("davi", "2018-01-11 00:00:00", {}),
    )
    assert orders_per_day() == [
        {"purchase_date": "2018-01-10", "customer_state": "RJ", "orders": 1, "revenue": "5.00", "freight": "0.00"},
        {"purchase_date": "2018-01-10", "customer_state": "SP", "orders": 2, "revenue": "30.01", "freight": "3.02"},
        {"purchase_date": "2018-01-11", "customer_state": "SP", "orders": 1, "revenue": "0.00", "freight": "0.00"},
    ]


def test_cancelled_and_unavailable_orders_are_no_sales_of_a_day(lake, orders_per_day):
    statuses = ["canceled", "unavailable", "created", None]
    sell(lake, *((f"person {n}", JANUARY, worth("1.00", "0.10", order_status=s)) for n, s in enumerate(statuses)))
    assert orders_per_day() == [
        {"purchase_date": "2018-01-10", "customer_state": "SP", "orders": 2, "revenue": "2.00", "freight": "0.20"}
    ]


def test_a_day_counts_a_sale_in_the_state_where_the_person_lived_then_or_in_none(lake, orders_per_day):
    sell(lake, ("ana", "2018-01-10 12:00:00", {}), ("ana", "2018-01-11 12:00:00", RIO), (None, JANUARY, {}))
    nothing = {"orders": 1, "revenue": "0.00", "freight": "0.00"}
    assert orders_per_day() == [
        {"purchase_date": "2018-01-10", "customer_state": None} | nothing,
        {"purchase_date": "2018-01-10", "customer_state": "SP"} | nothing,
        {"purchase_date": "2018-01-11", "customer_state": "RJ"} | nothing,
    ]


# --- From trusted rows to all aggregates ----------------------------------------------------------------------------

FACTS = ("dim_products", "dim_sellers", "dim_customers", "fact_orders", "fact_order_items", "fact_payments")
BY_CITY, PER_MONTH = "aggregate_sales_performance_by_city", "aggregate_sales_per_month"
PAYMENTS, PER_DAY = "aggregate_payments_per_month", "aggregate_orders_per_day"


def test_two_items_and_two_payments_do_not_multiply_anywhere(lake):
    lake.rows("trusted/orders", order("o1", "c1", JANUARY))
    lake.rows("trusted/customers", customer("c1", "ana"))
    lake.rows("trusted/order_items", item("o1", 1, price="10.00"), item("o1", 2, price="20.00"))
    lake.rows("trusted/order_payments", payment("o1", 1, value="30.00"), payment("o1", 2, value="2.00"))
    lake.rows("trusted/order_reviews", review("r1", "o1", 3), review("r2", "o1", 4))
    build(lake, *FACTS, BY_CITY, PER_MONTH, PAYMENTS, PER_DAY)
    assert len(whole(lake, "fact_order_items")) == 2
    assert len(whole(lake, "fact_payments")) == 2
    sums = {"items": 2, "revenue": "30.00", "freight": "2.00", "average_ticket": "30.00"}
    assert whole(lake, BY_CITY) == [
        NOTHING_IN_SAO_PAULO | sums | {"average_freight": "2.00", "average_review_score": 4.0}
    ]
    assert whole(lake, PER_MONTH) == [NOTHING_IN_JANUARY | sums | {"payment_value": "32.00"}]
    assert whole(lake, PER_DAY) == [
        {"purchase_date": "2018-01-10", "customer_state": "SP", "orders": 1, "revenue": "30.00", "freight": "2.00"}
    ]
    card = {"order_month": "2018-01", "payment_type": "credit_card", "average_installments": 1.0}
    assert whole(lake, PAYMENTS) == [card | {"payments": 2, "orders": 1, "payment_value": "32.00"}]


def test_cancelled_orders_stay_in_facts_and_payments_and_are_no_sales(lake):
    lake.rows("trusted/orders", order("o1", "c1", JANUARY, status="canceled"), order("o2", "c2", FEBRUARY))
    lake.rows("trusted/customers", customer("c1", "ana"), customer("c2", "ana"))
    lake.rows("trusted/order_items", item("o1", 1), item("o1", 2), item("o2"))
    lake.rows("trusted/order_payments", payment("o1"), payment("o2"))
    build(lake, *FACTS, PER_MONTH, PAYMENTS)
    assert lake.read("refined/fact_orders", "order_id", "order_status", "items") == [
        {"order_id": "o1", "order_status": "canceled", "items": 2},
        {"order_id": "o2", "order_status": "delivered", "items": 1},
    ]
    sums = {"items": 1, "revenue": "10.00", "freight": "1.00", "payment_value": "11.00", "average_ticket": "10.00"}
    assert whole(lake, PER_MONTH) == [month_of("2018-02", **sums)]  # her first sale: the cancelled order was none
    card = {"payment_type": "credit_card", "average_installments": 1.0}
    card |= {"payments": 1, "orders": 1, "payment_value": "11.00"}
    assert whole(lake, PAYMENTS, "order_month") == [card | {"order_month": m} for m in ("2018-01", "2018-02")]


def test_cities_months_and_days_add_up_to_the_sales_in_the_orders(lake):
    sell(
        lake,
        ("ana", JANUARY, worth("1.01")),
        ("ana", FEBRUARY, worth("2.01") | RIO),
        ("bia", FEBRUARY, worth("3.01") | {"state": None}),
        ("caio", MARCH, worth("4.01", order_status="canceled")),
        (None, MARCH, worth("9.01")),
    )
    build(lake, BY_CITY, PER_MONTH, PER_DAY)
    for table in (BY_CITY, PER_MONTH, PER_DAY):
        rows = whole(lake, table)
        sums = (sum(row["orders"] for row in rows), sum(Decimal(row["revenue"]) for row in rows))
        assert (table, *sums) == (table, 4, Decimal("15.04"))
