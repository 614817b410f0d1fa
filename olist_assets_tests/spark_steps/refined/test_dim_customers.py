"""A person's address periods: when they begin and end, whatever the order of arrival."""

from itertools import product

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import (
    UNKNOWN_CUSTOMER,
    build,
    customer,
    item,
    key_of,
    order,
    period_key,
    seller,
    whole,
)
from spark_steps.protocol import StepResult

SAO_PAULO = {"zip_code_prefix": "01001", "city": "sao paulo", "state": "SP"}
RIO = {"zip_code_prefix": "20001", "city": "rio de janeiro", "state": "RJ"}
NOWHERE = {"zip_code_prefix": None, "city": None, "state": None}


@pytest.fixture
def dim_customers(lake):
    """Build the dimension and return all its rows."""

    def read():
        build(lake, "dim_customers")
        return whole(lake, "dim_customers", "customer_unique_id", "valid_from")

    return read


def bought(lake, *purchases):
    """Orders o1, o2, ... from here, each by its own customer row c1, c2, ..., of (person, time, address)."""
    rows = [(f"o{n}", f"c{n}", *purchase) for n, purchase in enumerate(purchases, 1)]
    lake.rows("trusted/orders", *(order(o, c, time) for o, c, _, time, _ in rows))
    lake.rows("trusted/customers", *(customer(c, person, **address) for _, c, person, _, address in rows))


def period(person, address, valid_from, valid_to=None):
    return {
        "customer_key": period_key(person, valid_from),
        "customer_unique_id": person,
        **address,
        "location_key": key_of(address["zip_code_prefix"]) if address["zip_code_prefix"] else -1,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "is_current": valid_to is None,
    }


# --- Who is in, and from when ---------------------------------------------------------------------------------------


@pytest.mark.spark
def test_a_person_who_moves_has_two_periods_from_purchase_to_purchase(lake):
    lake.rows("trusted/customers", customer("c1", "ana"), customer("c2", "ana", "20001", "rio de janeiro", "RJ"))
    lake.rows("trusted/orders", order("o1", "c1", "2016-10-01 10:00:00"), order("o2", "c2", "2018-05-01 12:00:00"))
    result = lake.run("refined/dim_customers")
    assert isinstance(result, StepResult)
    assert whole(lake, "dim_customers", "customer_unique_id", "valid_from") == [
        UNKNOWN_CUSTOMER,
        {
            "customer_key": key_of("ana", 1_475_316_000_000_000),
            "customer_unique_id": "ana",
            "zip_code_prefix": "01001",
            "city": "sao paulo",
            "state": "SP",
            "location_key": key_of("01001"),
            "valid_from": "2016-10-01 10:00:00",
            "valid_to": "2018-05-01 12:00:00",
            "is_current": False,
        },
        {
            "customer_key": key_of("ana", 1_525_176_000_000_000),
            "customer_unique_id": "ana",
            "zip_code_prefix": "20001",
            "city": "rio de janeiro",
            "state": "RJ",
            "location_key": key_of("20001"),
            "valid_from": "2018-05-01 12:00:00",
            "valid_to": None,
            "is_current": True,
        },
    ]


def test_without_orders_there_is_only_the_unknown_person(dim_customers):
    assert dim_customers() == [UNKNOWN_CUSTOMER]


def test_new_customers_are_added_to_a_dimension_with_other_customers(lake, dim_customers):
    bought(lake, ("ana", "2018-01-01 10:00:00", SAO_PAULO))
    assert dim_customers() == [UNKNOWN_CUSTOMER, period("ana", SAO_PAULO, "2018-01-01 10:00:00")]

    lake.rows("trusted/orders", order("o2", "c2", "2018-02-01 10:00:00"))
    lake.rows("trusted/customers", customer("c2", "bia", **RIO))
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", SAO_PAULO, "2018-01-01 10:00:00"),
        period("bia", RIO, "2018-02-01 10:00:00"),
    ]


def test_an_address_is_valid_from_the_purchase_and_not_from_its_landing_date(lake, dim_customers):
    bought(lake, ("ana", "2016-09-04 21:15:19", SAO_PAULO))  # it lands in 2018, as all rows of these tests
    assert dim_customers() == [UNKNOWN_CUSTOMER, period("ana", SAO_PAULO, "2016-09-04 21:15:19")]


def test_the_newest_address_is_current_even_if_its_purchase_is_in_the_future(lake, dim_customers):
    bought(lake, ("ana", "2018-01-01 10:00:00", SAO_PAULO), ("ana", "2199-12-31 23:59:59", RIO))
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", SAO_PAULO, "2018-01-01 10:00:00", "2199-12-31 23:59:59"),
        period("ana", RIO, "2199-12-31 23:59:59"),
    ]


def test_a_period_begins_at_the_microsecond_of_the_purchase(lake, dim_customers):
    bought(lake, ("ana", "2018-01-01 10:00:00.000001", SAO_PAULO), ("ana", "2018-01-01 10:00:00.000002", RIO))
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", SAO_PAULO, "2018-01-01 10:00:00.000001", "2018-01-01 10:00:00.000002"),
        period("ana", RIO, "2018-01-01 10:00:00.000002"),
    ]


def test_an_order_of_any_status_is_an_observation(lake, dim_customers):
    statuses = {"ana": "canceled", "bia": "unavailable", "caio": "created", "davi": None}
    lake.rows("trusted/orders", *(order(p, p, "2018-01-01 10:00:00", status=s) for p, s in statuses.items()))
    lake.rows("trusted/customers", *(customer(person, person) for person in statuses))
    assert dim_customers() == [UNKNOWN_CUSTOMER, *(period(p, SAO_PAULO, "2018-01-01 10:00:00") for p in statuses)]


def test_a_customer_row_waits_for_its_order_and_an_order_for_its_customer_row(lake, dim_customers):
    lake.rows("trusted/orders", order("o1", "c1", "2018-01-01 10:00:00"))
    lake.rows("trusted/customers", customer("c2", "bia", **RIO))
    assert dim_customers() == [UNKNOWN_CUSTOMER]

    lake.rows("trusted/orders", order("o2", "c2", "2018-02-01 10:00:00"))
    lake.rows("trusted/customers", customer("c1", "ana"))
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", SAO_PAULO, "2018-01-01 10:00:00"),
        period("bia", RIO, "2018-02-01 10:00:00"),
    ]


# --- What makes a period --------------------------------------------------------------------------------------------


def test_an_order_from_the_same_address_begins_no_period(lake, dim_customers):
    bought(lake, *(("ana", f"2018-0{month}-01 10:00:00", SAO_PAULO) for month in (3, 1, 2)))
    assert dim_customers() == [UNKNOWN_CUSTOMER, period("ana", SAO_PAULO, "2018-01-01 10:00:00")]


def test_another_zip_prefix_city_or_state_is_another_address(lake, dim_customers):
    moves = {"ana": {"zip_code_prefix": "01002"}, "bia": {"city": "são paulo"}, "caio": {"state": "RJ"}}
    bought(lake, *((person, "2018-01-01 10:00:00", SAO_PAULO) for person in moves))
    lake.rows("trusted/orders", *(order(f"{p}'s", f"{p}'s", "2018-02-01 10:00:00") for p in moves))
    lake.rows("trusted/customers", *(customer(f"{p}'s", p, **SAO_PAULO | move) for p, move in moves.items()))
    expected = [UNKNOWN_CUSTOMER]
    for person, move in moves.items():
        expected.append(period(person, SAO_PAULO, "2018-01-01 10:00:00", "2018-02-01 10:00:00"))
        expected.append(period(person, SAO_PAULO | move, "2018-02-01 10:00:00"))
    assert dim_customers() == expected


def test_moving_back_to_the_first_address_begins_a_third_period(lake, dim_customers):
    bought(
        lake,
        ("ana", "2018-01-01 10:00:00", SAO_PAULO),
        ("ana", "2018-02-01 10:00:00", RIO),
        ("ana", "2018-03-01 10:00:00", SAO_PAULO),
    )
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", SAO_PAULO, "2018-01-01 10:00:00", "2018-02-01 10:00:00"),
        period("ana", RIO, "2018-02-01 10:00:00", "2018-03-01 10:00:00"),
        period("ana", SAO_PAULO, "2018-03-01 10:00:00"),
    ]


def test_a_change_to_null_and_one_from_null_begin_periods(lake, dim_customers):
    losses = {"ana": {"zip_code_prefix": None}, "bia": {"city": None}, "caio": {"state": None}}
    january, february, march = (f"2018-0{month}-01 10:00:00" for month in (1, 2, 3))
    steps = [(p, at, SAO_PAULO | loss) for p, lost in losses.items() for at, loss in [(january, {}), (february, lost)]]
    bought(lake, *steps, *((p, march, SAO_PAULO) for p in losses))
    expected = [UNKNOWN_CUSTOMER]
    for person, lost in losses.items():
        expected.append(period(person, SAO_PAULO, january, february))
        expected.append(period(person, SAO_PAULO | lost, february, march))
        expected.append(period(person, SAO_PAULO, march))
    assert dim_customers() == expected


def test_an_address_of_nulls_is_an_address_and_equal_to_itself(lake, dim_customers):
    bought(
        lake,
        ("ana", "2018-01-01 10:00:00", NOWHERE),
        ("ana", "2018-02-01 10:00:00", NOWHERE),
        ("ana", "2018-03-01 10:00:00", RIO),
        ("ana", "2018-04-01 10:00:00", NOWHERE),
    )
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", NOWHERE, "2018-01-01 10:00:00", "2018-03-01 10:00:00"),
        period("ana", RIO, "2018-03-01 10:00:00", "2018-04-01 10:00:00"),
        period("ana", NOWHERE, "2018-04-01 10:00:00"),
    ]


def test_of_several_orders_at_one_instant_the_greatest_customer_id_wins(lake, dim_customers):
    noon = "2018-01-01 12:00:00"
    # neither the order's id nor the order of arrival decides
    lake.rows("trusted/orders", order("o9", "c1", noon), order("o1", "c3", noon), order("o5", "c2", noon))
    lake.rows(
        "trusted/customers",
        customer("c3", "ana", **RIO),
        customer("c1", "ana", **SAO_PAULO),
        customer("c2", "ana", **NOWHERE),
    )
    assert dim_customers() == [UNKNOWN_CUSTOMER, period("ana", RIO, noon)]


def test_an_address_that_lost_at_its_instant_ends_no_period(lake, dim_customers):
    bought(
        lake,
        ("ana", "2018-01-01 10:00:00", RIO),
        ("ana", "2018-02-01 10:00:00", SAO_PAULO),  # c2: c3 wins at that instant
        ("ana", "2018-02-01 10:00:00", RIO),
    )
    assert dim_customers() == [UNKNOWN_CUSTOMER, period("ana", RIO, "2018-01-01 10:00:00")]


def test_two_orders_of_one_customer_row_are_two_observations(lake, dim_customers):
    lake.rows("trusted/orders", order("o1", "c1", "2018-01-01 10:00:00"), order("o3", "c1", "2018-03-01 10:00:00"))
    lake.rows("trusted/orders", order("o2", "c2", "2018-02-01 10:00:00"))
    lake.rows("trusted/customers", customer("c1", "ana", **SAO_PAULO), customer("c2", "ana", **RIO))
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", SAO_PAULO, "2018-01-01 10:00:00", "2018-02-01 10:00:00"),
        period("ana", RIO, "2018-02-01 10:00:00", "2018-03-01 10:00:00"),
        period("ana", SAO_PAULO, "2018-03-01 10:00:00"),
    ]


def test_people_at_one_instant_and_address_have_periods_of_their_own(lake, dim_customers):
    bought(lake, ("ana", "2018-01-01 10:00:00", RIO), ("bia", "2018-01-01 10:00:00", RIO))
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", RIO, "2018-01-01 10:00:00"),
        period("bia", RIO, "2018-01-01 10:00:00"),
    ]


def test_every_timeline_of_up_to_three_orders_equals_that_of_plain_python(lake, dim_customers):
    instants = ["2018-01-01 10:00:00", "2018-01-01 10:00:01", "2018-02-01 00:00:00"]
    observations = list(product(instants, [SAO_PAULO, RIO, NOWHERE]))
    timelines = [steps for n in (1, 2, 3) for steps in product(observations, repeat=n)]
    people = {f"person{n:03}": timeline for n, timeline in enumerate(timelines)}
    rows = [
        (f"{person}-{n}", person, at, address)
        for person, timeline in people.items()
        for n, (at, address) in enumerate(timeline)
    ]
    lake.rows("trusted/orders", *(order(customer_id, customer_id, at) for customer_id, _, at, _ in rows))
    lake.rows("trusted/customers", *(customer(customer_id, person, **a) for customer_id, person, _, a in rows))

    expected = [UNKNOWN_CUSTOMER]
    for person, timeline in people.items():
        # of one instant the last wins: its customer_id is greatest
        lived = dict(sorted(timeline, key=lambda step: step[0]))
        starts = [(at, a) for n, (at, a) in enumerate(lived.items()) if n == 0 or a != list(lived.values())[n - 1]]
        ends = [at for at, _ in starts[1:]]
        expected += [period(person, a, at, end) for (at, a), end in zip(starts, [*ends, None], strict=True)]
    assert len(people) == 9 + 81 + 729
    assert dim_customers() == expected


# --- Late and repeated deliveries -----------------------------------------------------------------------------------


def test_a_late_order_gives_the_timeline_of_an_order_in_time(lake, dim_customers):
    # load 1: the first order
    lake.rows("trusted/orders", order("o1", "c1", "2018-01-01 10:00:00"))
    lake.rows("trusted/customers", customer("c1", "ana", **SAO_PAULO))
    assert dim_customers() == [UNKNOWN_CUSTOMER, period("ana", SAO_PAULO, "2018-01-01 10:00:00")]

    # load 2: she has moved
    lake.rows("trusted/orders", order("o5", "c5", "2018-05-01 10:00:00"))
    lake.rows("trusted/customers", customer("c5", "ana", **RIO))
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", SAO_PAULO, "2018-01-01 10:00:00", "2018-05-01 10:00:00"),
        period("ana", RIO, "2018-05-01 10:00:00"),
    ]

    # load 3: a late order says that she moved earlier; the period from May on is gone
    lake.rows("trusted/orders", order("o3", "c3", "2018-03-01 10:00:00"))
    lake.rows("trusted/customers", customer("c3", "ana", **RIO))
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", SAO_PAULO, "2018-01-01 10:00:00", "2018-03-01 10:00:00"),
        period("ana", RIO, "2018-03-01 10:00:00"),
    ]

    # load 4: a still later one says that she lived elsewhere before, and once in between
    lake.rows("trusted/orders", order("o0", "c0", "2017-01-01 10:00:00"), order("o4", "c4", "2018-04-01 10:00:00"))
    lake.rows("trusted/customers", customer("c0", "ana", **NOWHERE), customer("c4", "ana", **SAO_PAULO))
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", NOWHERE, "2017-01-01 10:00:00", "2018-01-01 10:00:00"),
        period("ana", SAO_PAULO, "2018-01-01 10:00:00", "2018-03-01 10:00:00"),
        period("ana", RIO, "2018-03-01 10:00:00", "2018-04-01 10:00:00"),
        period("ana", SAO_PAULO, "2018-04-01 10:00:00", "2018-05-01 10:00:00"),
        period("ana", RIO, "2018-05-01 10:00:00"),
    ]


def test_a_rebuild_gives_every_period_the_same_key(lake, dim_customers):
    bought(
        lake,
        ("ana", "2018-01-01 10:00:00", SAO_PAULO),
        ("ana", "2018-02-01 10:00:00", RIO),
        ("bia", "2018-01-01 10:00:00", RIO),
    )
    before = dim_customers()
    assert dim_customers() == before
    assert [row["customer_key"] for row in before] == [
        -1,
        period_key("ana", "2018-01-01 10:00:00"),
        period_key("ana", "2018-02-01 10:00:00"),
        period_key("bia", "2018-01-01 10:00:00"),
    ]


def test_a_repeated_delivery_changes_no_period(lake, dim_customers):
    orders = (
        "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,"
        "order_delivered_customer_date,order_estimated_delivery_date\n"
        "o1,c1,delivered,2018-01-01 10:00:00,,,,\no2,c2,delivered,2018-02-01 10:00:00,,,,\n"
    )
    customers = (
        "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state\n"
        "c1,ana,1001,sao paulo,SP\nc2,ana,20001,rio de janeiro,RJ\n"
    )
    expected = [
        UNKNOWN_CUSTOMER,
        period("ana", SAO_PAULO, "2018-01-01 10:00:00", "2018-02-01 10:00:00"),
        period("ana", RIO, "2018-02-01 10:00:00"),
    ]
    for extracted_at in ("2018-05-10 03:00:00", "2018-05-11 03:00:00"):
        lake.load("orders", orders, extracted_at=extracted_at)
        lake.load("customers", customers, extracted_at=extracted_at)
        assert dim_customers() == expected


def test_a_corrected_address_replaces_the_first_one(lake, dim_customers):
    header = "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state\n"
    lake.rows("trusted/orders", order("o1", "c1", "2018-01-01 10:00:00"), order("o2", "c2", "2018-02-01 10:00:00"))
    lake.load("customers", f"{header}c1,ana,01001,sao paulo,SP\nc2,ana,20001,rio de janeiro,RJ\n")
    assert dim_customers() == [
        UNKNOWN_CUSTOMER,
        period("ana", SAO_PAULO, "2018-01-01 10:00:00", "2018-02-01 10:00:00"),
        period("ana", RIO, "2018-02-01 10:00:00"),
    ]
    lake.load("customers", f"{header}c2,ana,01001,sao paulo,SP\n", extracted_at="2018-05-11 03:00:00")
    assert dim_customers() == [UNKNOWN_CUSTOMER, period("ana", SAO_PAULO, "2018-01-01 10:00:00")]


# --- Periods as the facts see them ----------------------------------------------------------------------------------


def test_every_order_falls_in_exactly_one_period_of_its_person(lake):
    bought(
        lake,
        ("ana", "2018-01-01 10:00:00", SAO_PAULO),
        ("ana", "2018-02-01 10:00:00", RIO),
        ("ana", "2018-02-01 10:00:00", SAO_PAULO),
        ("ana", "2018-03-01 10:00:00", RIO),
        ("bia", "2018-02-01 10:00:00", RIO),
    )
    lake.rows("trusted/sellers", seller("s1"))
    lake.rows("trusted/order_items", *(item(f"o{n}") for n in range(1, 6)))
    build(lake, "dim_customers", "fact_orders", "fact_order_items")
    keys = [
        ("o1", period_key("ana", "2018-01-01 10:00:00")),
        ("o2", period_key("ana", "2018-01-01 10:00:00")),  # at that instant c3 wins, with the address of c1
        ("o3", period_key("ana", "2018-01-01 10:00:00")),
        ("o4", period_key("ana", "2018-03-01 10:00:00")),
        ("o5", period_key("bia", "2018-02-01 10:00:00")),
    ]
    for fact in ("fact_orders", "fact_order_items"):
        rows = lake.read(f"refined/{fact}", "order_id", "customer_key")
        assert [(row["order_id"], row["customer_key"]) for row in rows] == keys
