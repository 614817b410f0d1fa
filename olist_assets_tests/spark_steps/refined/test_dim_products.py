"""Products as they are now, with their category in English."""

import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import build, key_of, product, whole

UNKNOWN_PRODUCT = {
    "product_key": -1,
    "product_id": None,
    "category": None,
    "category_english": None,
    "name_length": None,
    "description_length": None,
    "photos_qty": None,
    "weight_g": None,
    "length_cm": None,
    "height_cm": None,
    "width_cm": None,
}
SIZES = {
    "product_name_length": 40,
    "product_description_length": 287,
    "product_photos_qty": 1,
    "product_weight_g": 225,
    "product_length_cm": 16,
    "product_height_cm": 10,
    "product_width_cm": 14,
}
HEADER = (
    "product_id,product_category_name,product_name_lenght,product_description_lenght,product_photos_qty,"
    "product_weight_g,product_length_cm,product_height_cm,product_width_cm\n"
)


def known(product_id, category=None, category_english=None):
    names = {"product_id": product_id, "category": category, "category_english": category_english}
    return UNKNOWN_PRODUCT | {"product_key": key_of(product_id)} | names


def translation(category, english):
    return {"product_category_name": category, "product_category_name_english": english}


@pytest.fixture
def dim_products(lake):
    """Build the dimension and return all its rows."""

    def read():
        build(lake, "dim_products")
        return whole(lake, "dim_products", "product_id")

    return read


def test_a_product_has_its_sizes_and_its_category_in_both_languages(lake, dim_products):
    lake.rows("trusted/products", product("p1", "perfumaria", **SIZES))
    lake.rows("trusted/product_category_translation", translation("perfumaria", "perfumery"))
    assert dim_products() == [
        UNKNOWN_PRODUCT,
        {
            "product_key": key_of("p1"),
            "product_id": "p1",
            "category": "perfumaria",
            "category_english": "perfumery",
            "name_length": 40,
            "description_length": 287,
            "photos_qty": 1,
            "weight_g": 225,
            "length_cm": 16,
            "height_cm": 10,
            "width_cm": 14,
        },
    ]


def test_without_products_there_is_only_the_unknown_one(dim_products):
    assert dim_products() == [UNKNOWN_PRODUCT]


def test_a_category_without_translation_is_null_in_english_and_a_warning(lake, dim_products):
    lake.rows("trusted/products", product("p1", "pc_gamer"), product("p2", "artes"), product("p3"))
    lake.rows("trusted/product_category_translation", translation("artes", "art"))
    assert dim_products() == [
        UNKNOWN_PRODUCT,
        known("p1", "pc_gamer"),
        known("p2", "artes", "art"),
        known("p3"),
    ]
    checks = {check.name: check for check in lake.run("refined/dim_products").checks}
    assert checks["category_unknown"].failed_rows == 1
    assert checks["category_unknown"].severity == "warn"


def test_a_product_without_category_or_sizes_is_kept(lake, dim_products):
    lake.rows("trusted/products", product("p1"))
    assert dim_products() == [UNKNOWN_PRODUCT, known("p1")]


def test_a_category_without_products_adds_no_row(lake, dim_products):
    lake.rows("trusted/product_category_translation", translation("artes", "art"), translation("bebes", "baby"))
    assert dim_products() == [UNKNOWN_PRODUCT]


def test_products_of_one_category_have_one_row_each(lake, dim_products):
    lake.rows("trusted/products", product("p1", "artes"), product("p2", "artes"))
    lake.rows("trusted/product_category_translation", translation("artes", "art"))
    assert dim_products() == [UNKNOWN_PRODUCT, known("p1", "artes", "art"), known("p2", "artes", "art")]


def test_a_changed_product_is_one_row_with_its_newest_state_under_its_old_key(lake, dim_products):
    lake.load("products", f"{HEADER}p1,artes,40,287,1,225,16,10,14\np2,,,,,,,,\n")
    first = known("p1", "artes") | {"name_length": 40, "description_length": 287, "photos_qty": 1}
    sizes = {"weight_g": 225, "length_cm": 16, "height_cm": 10, "width_cm": 14}
    assert dim_products() == [UNKNOWN_PRODUCT, first | sizes, known("p2")]

    lake.load("products", f"{HEADER}p1,bebes,,,,300,,,\n", extracted_at="2018-05-11 03:00:00")
    assert dim_products() == [UNKNOWN_PRODUCT, known("p1", "bebes") | {"weight_g": 300}, known("p2")]


def test_a_late_translation_fills_the_english_name(lake, dim_products):
    lake.rows("trusted/products", product("p1", "artes"))
    assert dim_products() == [UNKNOWN_PRODUCT, known("p1", "artes")]
    lake.rows("trusted/product_category_translation", translation("artes", "art"))
    assert dim_products() == [UNKNOWN_PRODUCT, known("p1", "artes", "art")]


def test_a_rebuild_gives_every_product_the_same_key(lake, dim_products):
    lake.rows("trusted/products", *(product(f"p{n}") for n in range(5)))
    before = dim_products()
    lake.rows("trusted/products", product("p-1"))  # the rows are in another order now
    assert [row for row in dim_products() if row["product_id"] != "p-1"] == before
    assert before == [UNKNOWN_PRODUCT, *(known(f"p{n}") for n in range(5))]
