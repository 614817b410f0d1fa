"""Zip prefixes: one row each, from points, customers and sellers."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import (
    build,
    customer,
    item,
    key_of,
    order,
    point,
    seller,
    whole,
)

UNKNOWN_PLACE = {
    "location_key": -1,
    "zip_code_prefix": None,
    "city": None,
    "state": None,
    "latitude": None,
    "longitude": None,
    "points": None,
}


@pytest.fixture
def dim_location(lake):
    """Build the dimension and return all its rows."""

    def read():
        build(lake, "dim_location")
        return whole(lake, "dim_location", "zip_code_prefix")

    return read


def place(zip_code_prefix, city="sao paulo", state="SP", *, latitude=None, longitude=None, points=0):
    return {
        "location_key": key_of(zip_code_prefix),
        "zip_code_prefix": zip_code_prefix,
        "city": city,
        "state": state,
        "latitude": latitude,
        "longitude": longitude,
        "points": points,
    }


def test_a_prefix_of_one_point_has_its_coordinates(lake, dim_location):
    lake.rows("trusted/geolocation", point("01001", -23.5, -46.625))
    assert dim_location() == [UNKNOWN_PLACE, place("01001", latitude=-23.5, longitude=-46.625, points=1)]


def test_without_any_address_there_is_only_the_unknown_place(dim_location):
    assert dim_location() == [UNKNOWN_PLACE]


def test_a_prefix_of_an_odd_number_of_points_has_the_middle_latitude_and_longitude(lake, dim_location):
    lake.rows(
        "trusted/geolocation",
        point("01001", -23.75, -46.5),
        point("01001", -23.5, -46.25),
        point("01001", 41.0, -46.75),  # one of Olist's points in Portugal: it must not draw the place towards it
    )
    assert dim_location() == [UNKNOWN_PLACE, place("01001", latitude=-23.5, longitude=-46.5, points=3)]


def test_a_prefix_of_an_even_number_of_points_has_the_mean_of_the_middle_two(lake, dim_location):
    lake.rows(
        "trusted/geolocation",
        point("01001", -23.75, -46.0),
        point("01001", -23.5, -46.5),
        point("01001", -23.25, -47.0),
        point("01001", 41.0, -8.0),
    )
    assert dim_location() == [UNKNOWN_PLACE, place("01001", latitude=-23.375, longitude=-46.25, points=4)]


@pytest.mark.parametrize("lacking", ["geolocation", "customers", "sellers"])
def test_any_of_the_three_inputs_may_be_empty(lake, dim_location, lacking):
    known = {"geolocation": point("01001", -23.5, -46.5), "customers": customer("c1", "ana"), "sellers": seller("s1")}
    for table in known.keys() - {lacking}:
        lake.rows(f"trusted/{table}", known[table])
    known_places = {row["zip_code_prefix"]: row["points"] for row in dim_location()}
    assert (
        known_places
        == {
            "geolocation": {None: None, "01001": 0, "13023": 0},
            "customers": {None: None, "01001": 1, "13023": 0},
            "sellers": {None: None, "01001": 1},
        }[lacking]
    )


def test_a_prefix_of_customers_only_has_a_row_without_coordinates(lake, dim_location):
    lake.rows("trusted/customers", customer("c1", "ana", "20001", "rio de janeiro", "RJ"))
    assert dim_location() == [UNKNOWN_PLACE, place("20001", "rio de janeiro", "RJ")]


def test_a_prefix_of_sellers_only_has_a_row_without_coordinates(lake, dim_location):
    lake.rows("trusted/sellers", seller("s1", "13023", "campinas", "SP"))
    assert dim_location() == [UNKNOWN_PLACE, place("13023", "campinas", "SP")]


def test_prefixes_of_points_customers_and_sellers_have_one_row_each(lake, dim_location):
    lake.rows("trusted/geolocation", point("01001", -23.5, -46.5))
    lake.rows("trusted/customers", customer("c1", "ana", "20001", "rio de janeiro", "RJ"), customer("c2", "bia"))
    lake.rows("trusted/sellers", seller("s1", "13023", "campinas", "SP"), seller("s2", "20001", "rio de janeiro", "RJ"))
    assert dim_location() == [
        UNKNOWN_PLACE,
        place("01001", latitude=-23.5, longitude=-46.5, points=1),
        place("13023", "campinas", "SP"),
        place("20001", "rio de janeiro", "RJ"),
    ]


def test_the_most_frequent_spelling_names_the_city_of_a_prefix(lake, dim_location):
    lake.rows(
        "trusted/geolocation",
        point("01001", -23.5, -46.5, "sao paulo"),
        point("01001", -23.5, -46.5, "são paulo"),
        point("01001", -23.25, -46.5, "são paulo"),
    )
    assert dim_location() == [UNKNOWN_PLACE, place("01001", "são paulo", latitude=-23.5, longitude=-46.5, points=3)]


def test_spellings_are_counted_over_points_customers_and_sellers(lake, dim_location):
    lake.rows(
        "trusted/geolocation",
        point("01001", -23.5, -46.5, "sp"),
        point("01001", -23.25, -46.25, "sp"),
    )
    lake.rows("trusted/customers", customer("c1", "ana"), customer("c2", "ana"))
    lake.rows("trusted/sellers", seller("s1", "01001", "sao paulo", "SP"))
    assert dim_location() == [UNKNOWN_PLACE, place("01001", latitude=-23.375, longitude=-46.375, points=2)]


def test_of_equally_frequent_spellings_the_smallest_names_the_city(lake, dim_location):
    lake.rows(
        "trusted/customers",
        customer("c1", "ana", "72001", "taguatinga", "DF"),
        customer("c2", "bia", "72001", "brasilia", "DF"),
        customer("c3", "caio", "72001", "vicente pires", "DF"),
        customer("c4", "davi", "72002", "brasilia", "GO"),
        customer("c5", "eva", "72002", "brasilia", "DF"),
    )
    assert dim_location() == [UNKNOWN_PLACE, place("72001", "brasilia", "DF"), place("72002", "brasilia", "DF")]


def test_of_equally_frequent_spellings_one_with_a_state_comes_before_one_without(lake, dim_location):
    lake.rows(
        "trusted/customers",
        customer("c1", "ana", "13023", "campinas", None),
        customer("c2", "bia", "13023", "campinas", "SP"),
    )
    assert dim_location() == [UNKNOWN_PLACE, place("13023", "campinas", "SP")]


def test_a_city_and_its_state_come_from_one_spelling(lake, dim_location):
    lake.rows(
        "trusted/customers",
        customer("c1", "ana", "72001", "valparaiso", "GO"),
        customer("c2", "bia", "72001", "valparaiso", "GO"),
        customer("c3", "caio", "72001", "brasilia", "DF"),
        customer("c4", "davi", "72001", "gama", "DF"),
        customer("c5", "eva", "72001", "taguatinga", "DF"),
    )
    assert dim_location() == [UNKNOWN_PLACE, place("72001", "valparaiso", "GO")]


def test_a_prefix_has_a_city_if_any_row_has_one(lake, dim_location):
    nameless = {"city": None, "state": None}
    lake.rows(
        "trusted/customers",
        customer("c1", "ana", "01001", **nameless),
        customer("c2", "bia", "01001", **nameless),
        customer("c3", "caio", "01001", "sao paulo", "SP"),
        customer("c4", "davi", "01002", **nameless),
    )
    assert dim_location() == [UNKNOWN_PLACE, place("01001"), place("01002", **nameless)]


def test_an_address_without_prefix_adds_no_row(lake, dim_location):
    lake.rows("trusted/customers", customer("c1", "ana", None, "sao paulo", "SP"))
    lake.rows("trusted/sellers", seller("s1", None, "campinas", "SP"))
    assert dim_location() == [UNKNOWN_PLACE]


def test_a_prefix_of_several_spellings_does_not_multiply_sales(lake):
    lake.rows(
        "trusted/geolocation",
        *(
            point("01001", -23.5, longitude, city)
            for longitude in (-46.5, -46.25)
            for city in ("sp", "s paulo", "são p")
        ),
    )
    lake.rows("trusted/orders", order("o1", "c1"), order("o2", "c2"))
    lake.rows("trusted/customers", customer("c1", "ana", "01001", "sao paulo"), customer("c2", "bia", "01001", "sp"))
    lake.rows("trusted/sellers", seller("s1", "01001", "são paulo", "SP"))
    lake.rows("trusted/order_items", item("o1", price="10.00"), item("o2", price="20.00"))
    build(lake, "dim_location", "dim_sellers", "dim_customers", "fact_orders", "fact_order_items")
    keys = {"location_key": key_of("01001")}
    assert [row["zip_code_prefix"] for row in whole(lake, "dim_location", "zip_code_prefix")] == [None, "01001"]
    assert lake.read("refined/fact_orders", "order_id", "location_key", "items_value") == [
        {"order_id": "o1", "items_value": "10.00"} | keys,
        {"order_id": "o2", "items_value": "20.00"} | keys,
    ]
    assert lake.read("refined/fact_order_items", "order_id", "location_key", "seller_location_key", "price") == [
        {"order_id": "o1", "seller_location_key": key_of("01001"), "price": "10.00"} | keys,
        {"order_id": "o2", "seller_location_key": key_of("01001"), "price": "20.00"} | keys,
    ]


def test_a_rebuild_gives_every_place_the_same_key(lake, dim_location):
    lake.rows("trusted/customers", *(customer(f"c{n}", "ana", f"0100{n}") for n in range(5)))
    before = dim_location()
    lake.rows("trusted/customers", customer("c9", "ana", "01000"), customer("c10", "ana", "01009"))
    assert dim_location() == [*before, place("01009")]
    assert before == [UNKNOWN_PLACE, *(place(f"0100{n}") for n in range(5))]
