"""The rows of a generated dump have the keys, gaps and oddities of the public data set."""

import csv
import re
from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal

import pytest

from olist_assets.sources.generator import distributions
from olist_assets.sources.generator.dump import generate
from spark_steps import columns as declared

ORDERS = 20_000
STATES = "AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO"
PLACES = {"customers": "customer", "sellers": "seller", "geolocation": "geolocation"}  # table -> prefix of its columns


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    """The rows of all tables by short name: orders, customers, ... and translation."""
    folder = tmp_path_factory.mktemp("generated")
    generate(folder, orders=ORDERS, days=730, seed=11)
    tables = {}
    for path in folder.iterdir():
        with path.open(encoding="utf-8-sig", newline="") as lines:
            tables[re.sub("olist_|_dataset|product_category_name_", "", path.stem)] = list(csv.DictReader(lines))
    return tables


def by(rows, column):
    """Rows grouped by a column's value."""
    groups = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return groups


def values(rows, column):
    return {row[column] for row in rows}


def share(rows, condition):
    return sum(map(condition, rows)) / len(rows)


def is_late(order):
    return order["order_delivered_customer_date"] > order["order_estimated_delivery_date"]


# Keys, references, forms


def test_sizes(dump):
    sizes = {table: len(dump[table]) for table in ("orders", "customers", "products", "sellers", "translation")}
    assert sizes == {"orders": 20_000, "customers": 20_000, "products": 6_666, "sellers": 625, "translation": 71}


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("orders", ["order_id"]),
        ("orders", ["customer_id"]),
        ("customers", ["customer_id"]),
        ("order_items", ["order_id", "order_item_id"]),
        ("order_payments", ["order_id", "payment_sequential"]),
        ("order_reviews", ["review_id", "order_id"]),
        ("products", ["product_id"]),
        ("sellers", ["seller_id"]),
        ("translation", ["product_category_name"]),
    ],
)
def test_keys_are_unique(dump, table, key):
    keys = [tuple(row[column] for column in key) for row in dump[table]]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("table", ["order_items", "order_payments", "order_reviews"])
def test_items_payments_and_reviews_belong_to_orders(dump, table):
    assert values(dump[table], "order_id") <= values(dump["orders"], "order_id")


@pytest.mark.parametrize(
    ("sales", "entity"), [("orders", "customer"), ("order_items", "product"), ("order_items", "seller")]
)
def test_sales_refer_to_known_entities_and_all_entities_have_a_sale(dump, sales, entity):
    known, sold = values(dump[f"{entity}s"], f"{entity}_id"), values(dump[sales], f"{entity}_id")
    assert sold - known == known - sold == set()


@pytest.mark.parametrize(
    ("columns", "form", "count"),
    [
        ("(order|customer|customer_unique|product|seller|review)_id", "[0-9a-f]{32}", 12),
        (".*_zip_code_prefix", r"\d{5}", 3),
        (".*_city", ".+", 3),
        ("price|freight_value|payment_value", r"\d+\.\d\d", 3),
        ("order_purchase_timestamp", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", 1),
        ("order_estimated_delivery_date|review_creation_date", r"\d{4}-\d\d-\d\d 00:00:00", 2),
    ],
)
def test_cells_have_their_form(dump, columns, form, count):
    named = [(table, name) for table, rows in dump.items() for name in rows[0] if re.fullmatch(columns, name)]
    assert len(named) == count
    for table, name in named:
        assert [row for row in dump[table] if not re.fullmatch(form, row[name])] == []


# Orders


@pytest.mark.parametrize(
    ("status", "approved", "carrier", "delivered"),
    [
        ("delivered", {True, False}, {True}, {True, False}),
        ("shipped", {True}, {True}, {False}),
        ("canceled", {True, False}, {True, False}, {True, False}),
        ("unavailable", {True}, {False}, {False}),
        ("invoiced", {True}, {False}, {False}),
        ("processing", {True}, {False}, {False}),
        ("created", {False}, {False}, {False}),
        ("approved", {True}, {False}, {False}),
    ],
)
def test_timestamps_fit_the_status(dump, status, approved, carrier, delivered):
    orders = by(dump["orders"], "order_status")[status]
    assert {bool(row["order_approved_at"]) for row in orders} <= approved
    assert {bool(row["order_delivered_carrier_date"]) for row in orders} <= carrier
    assert {bool(row["order_delivered_customer_date"]) for row in orders} <= delivered


def test_timestamps_follow_each_other(dump):
    for row in dump["orders"]:
        purchase, carrier = row["order_purchase_timestamp"], row["order_delivered_carrier_date"]
        assert purchase < row["order_estimated_delivery_date"]
        assert not row["order_approved_at"] or purchase <= row["order_approved_at"]
        assert not carrier or purchase <= carrier
        assert not row["order_delivered_customer_date"] or carrier < row["order_delivered_customer_date"]


def test_oddities_of_delivered_orders(dump):
    orders = by(dump["orders"], "order_status")["delivered"]
    assert 2 <= sum(not row["order_delivered_customer_date"] for row in orders) <= 4
    assert 2 <= sum(not row["order_approved_at"] for row in orders) <= 4
    assert 0.07 < share(orders, is_late) < 0.1
    assert 0 < share(orders, lambda row: row["order_delivered_carrier_date"] < row["order_approved_at"]) < 0.02


def test_purchases_grow_and_have_a_daily_rhythm(dump):
    times = [datetime.fromisoformat(row["order_purchase_timestamp"]) for row in dump["orders"]]
    assert min(times) >= datetime(2016, 9, 4)  # noqa: DTZ001 -- Olist's times are naive
    assert max(times) < datetime(2018, 9, 4)  # noqa: DTZ001
    assert len({time.date() for time in times}) == 730
    assert sum(time.year == 2017 for time in times) > 4 * sum(time.year == 2016 for time in times)
    assert 0.02 < share(times, lambda time: 2 <= time.hour < 6) < 0.04
    assert share(times, lambda time: 9 <= time.hour < 22) > 0.7


def test_people_come_back_from_other_addresses_and_some_return_to_the_first(dump):
    bought = {row["customer_id"]: row["order_purchase_timestamp"] for row in dump["orders"]}
    people = by(sorted(dump["customers"], key=lambda row: bought[row["customer_id"]]), "customer_unique_id").values()
    assert 0.025 < 1 - len(people) / ORDERS < 0.04
    columns = ("customer_zip_code_prefix", "customer_city", "customer_state")
    addresses = [[tuple(row[column] for column in columns) for row in rows] for rows in people if len(rows) > 1]
    assert 0.2 < share(addresses, lambda stays: len(set(stays)) > 1) < 0.6
    assert sum(stays[-1] == stays[0] != stays[1] for stays in addresses) > 5
    assert sum(len({bought[row["customer_id"]] for row in rows}) < len(rows) for rows in people) > 10


# Items and payments


def test_items_are_numbered_from_1_to_at_most_21(dump):
    items = by(dump["order_items"], "order_id").values()
    for rows in items:
        assert [row["order_item_id"] for row in rows] == [str(number + 1) for number in range(len(rows))]
    counts = Counter(map(len, items))
    assert 0.87 < counts[1] / ORDERS < 0.91
    assert counts[2] > counts[3] > 0
    assert 5 < max(counts) <= 21


def test_orders_without_items_are_mostly_unavailable_or_canceled(dump):
    sold = values(dump["order_items"], "order_id")
    empty = Counter(row["order_status"] for row in dump["orders"] if row["order_id"] not in sold)
    assert 0.006 < empty.total() / ORDERS < 0.011
    assert empty["unavailable"] > empty["canceled"] > 0
    assert set(empty) <= {"unavailable", "canceled", "created", "invoiced", "shipped"}


def test_orders_of_several_items_share_products_and_sellers(dump):
    several = [rows for rows in by(dump["order_items"], "order_id").values() if len(rows) > 1]
    assert share(several, lambda rows: len(values(rows, "product_id")) < len(rows)) > 0.5
    assert 0.05 < share(several, lambda rows: len(values(rows, "seller_id")) > 1) < 0.25


def test_prices_are_above_zero_and_some_freight_is_free(dump):
    assert all(Decimal(row["price"]) > 0 for row in dump["order_items"])
    assert 0 < share(dump["order_items"], lambda row: row["freight_value"] == "0.00") < 0.01


def test_shipping_limits_come_after_the_approval(dump):
    approved = {row["order_id"]: row["order_approved_at"] for row in dump["orders"]}
    assert all(row["shipping_limit_date"] > approved[row["order_id"]] for row in dump["order_items"])


def test_payments_add_up_to_items_plus_freight(dump):
    due, paid = defaultdict(Decimal), defaultdict(Decimal)
    for row in dump["order_items"]:
        due[row["order_id"]] += Decimal(row["price"]) + Decimal(row["freight_value"])
    for row in dump["order_payments"]:
        paid[row["order_id"]] += Decimal(row["payment_value"])
    assert len(values(dump["orders"], "order_id") - set(paid)) == 1
    assert [order for order in due if order in paid and due[order] != paid[order]] == []


def test_payments_are_numbered_from_1_and_later_ones_are_vouchers(dump):
    payments = by(dump["order_payments"], "order_id").values()
    for rows in payments:
        assert [row["payment_sequential"] for row in rows] == [str(number + 1) for number in range(len(rows))]
        assert values(rows[1:], "payment_type") <= {"voucher"}
    several = [rows for rows in payments if len(rows) > 1]
    assert 0.02 < len(several) / ORDERS < 0.04
    assert {rows[0]["payment_type"] for rows in several} == {"credit_card", "voucher"}


def test_payment_types_and_installments(dump):
    types = Counter(row["payment_type"] for row in dump["order_payments"])
    by_frequency = " ".join(name for name, _ in types.most_common())
    assert by_frequency == "credit_card boleto voucher debit_card not_defined"
    assert 0.68 < types["credit_card"] / types.total() < 0.78
    payments = by(dump["order_payments"], "payment_type")
    installments = {name: set(map(int, values(rows, "payment_installments"))) for name, rows in payments.items()}
    assert {0, 1, 2, 10, 24} <= installments["credit_card"] <= set(range(25))
    assert installments["boleto"] == installments["voucher"] == installments["debit_card"] == {1}
    assert installments["not_defined"] <= {0, 1}
    assert values(payments["not_defined"], "payment_value") == {"0.00"}


# Reviews


def test_review_ids_repeat_over_orders_and_orders_over_reviews(dump):
    reviews, orders = (by(dump["order_reviews"], column).values() for column in ("review_id", "order_id"))
    assert 0.98 < len(orders) / ORDERS < 1
    assert set(map(len, reviews)) == set(map(len, orders)) == {1, 2}
    assert all(one | {"order_id": ""} == two | {"order_id": ""} for one, *others in reviews for two in others)


def test_scores_have_two_ends_and_fall_when_the_order_is_late(dump):
    scores = Counter(row["review_score"] for row in dump["order_reviews"])
    assert [score for score, _ in scores.most_common()] == ["5", "4", "1", "3", "2"]
    late = {row["order_id"]: is_late(row) for row in dump["orders"]}
    bad = {False: [], True: []}
    for row in dump["order_reviews"]:
        bad[late[row["order_id"]]].append(row["review_score"] == "1")
    assert share(bad[True], bool) > 3 * share(bad[False], bool)


def test_comments_have_quotes_newlines_commas_accents_and_emoji(dump):
    messages = [row["review_comment_message"] for row in dump["order_reviews"]]
    titles = [row["review_comment_title"] for row in dump["order_reviews"]]
    assert 0.55 < messages.count("") / len(messages) < 0.65
    assert 0.85 < titles.count("") / len(titles) < 0.92
    for part in (",", '"', "\n", "\r\n", "é", "👍"):
        assert any(part in message for message in messages), part
    assert 'veio embrulhado com "plástico bolha".\nvaleu cada real' in {message.rstrip(".! ") for message in messages}
    assert max(map(len, messages)) <= 208
    assert max(map(len, titles)) <= 26


def test_reviews_are_created_after_the_purchase_and_answered_later(dump):
    purchase = {row["order_id"]: row["order_purchase_timestamp"][:10] for row in dump["orders"]}
    for row in dump["order_reviews"]:
        assert purchase[row["order_id"]] <= row["review_creation_date"] < row["review_answer_timestamp"]


# Products, sellers, places


@pytest.mark.parametrize(
    ("columns", "empty"),
    [
        ("product_category_name product_name_lenght product_description_lenght product_photos_qty", 134),
        ("product_weight_g product_length_cm product_height_cm product_width_cm", 1),
    ],
)
def test_some_products_have_no_description_and_one_no_measures(dump, columns, empty):
    gaps = Counter(tuple(row[column] == "" for column in columns.split()) for row in dump["products"])
    assert gaps == {(False,) * 4: 6_666 - empty, (True,) * 4: empty}


def test_two_of_73_categories_have_no_translation(dump):
    categories = values(dump["products"], "product_category_name") - {""}
    translated = {row["product_category_name"]: row["product_category_name_english"] for row in dump["translation"]}
    assert len(categories) == 73
    assert len(translated) == 71
    assert categories - set(translated) == {"pc_gamer", "portateis_cozinha_e_preparadores_de_alimentos"}
    assert all(translated.values())


def test_distributions_cover_the_declared_vocabularies():
    assert sorted(state.code for state in distributions.STATES) == sorted(declared.STATES)
    assert sorted(status.name for status in distributions.STATUSES) == sorted(declared.ORDER_STATUSES)
    assert declared.PAYMENT_TYPES[len(distributions.SINGLE_PAYMENT_TYPES) :] == ("not_defined",)


@pytest.mark.parametrize(("table", "name"), PLACES.items())
def test_states_are_known_and_some_zip_prefixes_begin_with_0(dump, table, name):
    assert any(digits.startswith("0") for digits in values(dump[table], f"{name}_zip_code_prefix"))
    assert values(dump[table], f"{name}_state") <= set(STATES.split())
    assert 0.38 < share(dump[table], lambda row: row[f"{name}_state"] == "SP") < 0.48


def test_a_zip_prefix_has_one_state_and_some_several_cities(dump):
    states, cities = defaultdict(set), defaultdict(set)
    for table, name in PLACES.items():
        for row in dump[table]:
            states[row[f"{name}_zip_code_prefix"]].add(row[f"{name}_state"])
            cities[row[f"{name}_zip_code_prefix"]].add(row[f"{name}_city"])
    assert len(states) <= 4_000
    assert set.union(*states.values()) == set(STATES.split())
    assert set(map(len, states.values())) == {1}
    assert set(map(len, cities.values())) == {1, 2}
    assert {"são paulo", "sao paulo"} in cities.values()
    assert len(values(dump["customers"], "customer_city")) > 100


def test_geolocation_repeats_some_points_and_lacks_a_few_prefixes(dump):
    rows = [tuple(row.values()) for row in dump["geolocation"]]
    prefixes = values(dump["geolocation"], "geolocation_zip_code_prefix")
    assert 10 < len(rows) / len(prefixes) < 30
    assert 0.05 < 1 - len(set(rows)) / len(rows) < 0.3
    assert all(-33.8 < float(row["geolocation_lat"]) < 5.3 for row in dump["geolocation"])
    assert all(-74 < float(row["geolocation_lng"]) < -34.7 for row in dump["geolocation"])
    homes = values(dump["customers"], "customer_zip_code_prefix")
    assert 0 < len(homes - prefixes) < 0.05 * len(homes)
