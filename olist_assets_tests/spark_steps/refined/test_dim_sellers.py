"""Sellers as they are now."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import build, key_of, seller, whole

UNKNOWN_SELLER = {
    "seller_key": -1,
    "seller_id": None,
    "zip_code_prefix": None,
    "city": None,
    "state": None,
    "location_key": -1,
}
HEADER = "seller_id,seller_zip_code_prefix,seller_city,seller_state\n"


@pytest.fixture
def dim_sellers(lake):
    """Build the dimension and return all its rows."""

    def read():
        build(lake, "dim_sellers")
        return whole(lake, "dim_sellers", "seller_id")

    return read


def known(seller_id, zip_code_prefix, city, state):
    return {
        "seller_key": key_of(seller_id),
        "seller_id": seller_id,
        "zip_code_prefix": zip_code_prefix,
        "city": city,
        "state": state,
        "location_key": key_of(zip_code_prefix) if zip_code_prefix else -1,
    }


def test_a_seller_has_its_place(lake, dim_sellers):
    lake.rows("trusted/sellers", seller("s1", "13023", "campinas", "SP"), seller("s2", "01001", "sao paulo", "SP"))
    assert dim_sellers() == [
        UNKNOWN_SELLER,
        known("s1", "13023", "campinas", "SP"),
        known("s2", "01001", "sao paulo", "SP"),
    ]


def test_without_sellers_there_is_only_the_unknown_one(dim_sellers):
    assert dim_sellers() == [UNKNOWN_SELLER]


def test_a_seller_without_zip_prefix_is_in_the_unknown_place(lake, dim_sellers):
    lake.rows("trusted/sellers", seller("s1", None, "campinas", None), seller("s2", None, None, None))
    assert dim_sellers() == [
        UNKNOWN_SELLER,
        known("s1", None, "campinas", None),
        known("s2", None, None, None),
    ]


def test_a_seller_who_moves_is_one_row_with_the_new_place_under_the_old_key(lake, dim_sellers):
    lake.load("sellers", f"{HEADER}s1,13023,campinas,SP\ns2,1001,sao paulo,SP\n")
    first = [known("s1", "13023", "campinas", "SP"), known("s2", "01001", "sao paulo", "SP")]
    assert dim_sellers() == [UNKNOWN_SELLER, *first]

    lake.load("sellers", f"{HEADER}s1,20001,rio de janeiro,RJ\n", extracted_at="2018-05-11 03:00:00")
    assert dim_sellers() == [UNKNOWN_SELLER, known("s1", "20001", "rio de janeiro", "RJ"), first[1]]


def test_a_rebuild_gives_every_seller_the_same_key(lake, dim_sellers):
    lake.rows("trusted/sellers", *(seller(f"s{n}") for n in range(5)))
    before = dim_sellers()
    lake.rows("trusted/sellers", seller("s-1"))  # the rows are in another order now
    assert [row for row in dim_sellers() if row["seller_id"] != "s-1"] == before
    assert before == [UNKNOWN_SELLER, *(known(f"s{n}", "13023", "campinas", "SP") for n in range(5))]
