"""The questions in docs/questions, run on a small lake: each answer is as `questions.py` declares it."""

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from olist_assets.serving.sql.session import connect
from olist_assets_tests.docs.questions import QUESTIONS
from spark_steps.declarations import Layer
from spark_steps.tables import tables_in

FOLDER = Path(__file__).parents[2] / "docs" / "questions"
IDENTITIES = [(name, identity) for name, question in QUESTIONS.items() for identity in question.identities]

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def shop(loaded_lake):
    """The root of a lake of two years, in which some customers, products and sellers have not been delivered."""
    return str(loaded_lake.root)


@pytest.fixture(scope="module")
def answers(shop):
    """The answer of every question, as DuckDB gives it and as an Arrow table; each is run once."""
    return {name: (answer := run_query(shop, text(name)), answer.to_arrow_table()) for name in QUESTIONS}


@pytest.fixture(scope="module")
def reference(shop):
    """A connection that holds copies of the trusted tables, in the schema `trusted`."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; CREATE SCHEMA trusted")
        for table in tables_in(Layer.TRUSTED):
            connection.register("copied", run_query(shop, f"SELECT * FROM trusted.{table.name}").to_arrow_table())
            connection.execute(f"CREATE TABLE trusted.{table.name} AS FROM copied")
        yield connection


def text(name):
    return (FOLDER / f"{name}.sql").read_text()


def run_query(lake, statement):
    """The result of a statement."""
    return connect(lake).query(statement)


def test_every_question_is_declared_here():
    assert sorted(file.stem for file in FOLDER.glob("*.sql")) == sorted(QUESTIONS)


def test_the_index_lists_every_question_and_what_a_row_is():
    index = (FOLDER / "README.md").read_text()
    listed = re.findall(r"^\| (.+) \| \[(\w+)\.sql\]\(\2\.sql\) \| (.+) \|$", index, re.MULTILINE)
    headers = {name: tuple(text(name).splitlines()[:2]) for name in QUESTIONS}
    assert len(listed) == len(headers)
    assert {name: (f"-- {question}", f"-- A row is {row}.") for question, name, row in listed} == headers


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_file_starts_with_its_question(name):
    question, row, *_ = text(name).splitlines()
    assert question.startswith("-- ")
    assert question.endswith("?")
    assert row.startswith("-- A row is ")


@pytest.mark.parametrize("name", [name for name, question in QUESTIONS.items() if question.ordered])
def test_an_answer_has_one_order(name):
    last_clause = text(name).rpartition("\nORDER BY ")[2]
    assert set(QUESTIONS[name].key) <= set(re.findall(r"\w+", last_clause))


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_has_these_columns(answers, name):
    answer, _ = answers[name]
    assert dict(zip(answer.columns, map(str, answer.types), strict=True)) == QUESTIONS[name].columns


@pytest.mark.parametrize("name", QUESTIONS)
def test_rows_of_an_answer_have_unique_keys(answers, name):
    _, rows = answers[name]
    keys = Counter(tuple(row.values()) for row in rows.select(QUESTIONS[name].key).to_pylist())
    assert keys
    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.parametrize("name", QUESTIONS)
def test_shares_are_between_0_and_1(answers, name):
    _, rows = answers[name]
    shares = [column for column in rows.column_names if "share" in column or column == "retention"]
    outside = {column: [s for s in rows[column].to_pylist() if s is not None and not 0 <= s <= 1] for column in shares}
    assert outside == {share: [] for share in shares}


@pytest.mark.parametrize(("name", "identity"), IDENTITIES)
def test_an_answer_agrees_with_the_trusted_tables(answers, reference, name, identity):
    of_answer, of_trusted = QUESTIONS[name].identities[identity]
    reference.register("answer", answers[name][1])
    figures = reference.sql(of_answer).fetchall()
    assert figures
    assert figures == reference.sql(of_trusted).fetchall()


def test_kinds_of_address_changes_are_distinguished(sail_lake):
    places = [
        ("01001", "sao paulo", "SP"),
        ("01002", "sao paulo", "SP"),
        ("01002", "são paulo", "SP"),
        ("13010", "campinas", "SP"),
        ("20010", "rio de janeiro", "RJ"),
        (None, None, None),
    ]
    periods = [
        {
            "customer_key": n,
            "customer_unique_id": "u1",
            "zip_code_prefix": zip_code_prefix,
            "city": city,
            "state": state,
        }
        | {"location_key": n, "valid_from": f"2018-05-0{n} 10:00:00"}
        for n, (zip_code_prefix, city, state) in enumerate(places, 1)
    ]
    unknown = {"customer_key": -1, "location_key": -1}
    sail_lake.rows("refined/dim_customers", *periods, unknown)
    changes = run_query(str(sail_lake.root), text("address_changes")).project("change, from_city, to_city").fetchall()
    assert changes == [
        ("another zip prefix", "sao paulo", "sao paulo"),
        ("another spelling", "sao paulo", "são paulo"),
        ("another city", "são paulo", "campinas"),
        ("another state", "campinas", "rio de janeiro"),
        ("another state", "rio de janeiro", None),
    ]


def test_from_sao_paulo_to_rio_de_janeiro_are_360_km(sail_lake):
    sao_paulo = {"location_key": 1, "latitude": -23.5505, "longitude": -46.6333}
    rio_de_janeiro = {"location_key": 2, "latitude": -22.9068, "longitude": -43.1729}
    sail_lake.rows("refined/dim_location", sao_paulo, rio_de_janeiro)
    common = {"order_id": "o1", "order_month": "2018-05", "order_purchase_timestamp": "2018-05-10 10:00:00"}
    common |= {"customer_key": 1, "location_key": 2, "purchase_date_key": 20180510, "order_status": "delivered"}
    item = {"product_key": 1, "seller_key": 1, "seller_location_key": 1, "price": "58.90"}
    for n, freight in enumerate(("10.00", "15.02"), 1):
        sail_lake.rows("refined/fact_order_items", common | item | {"order_item_id": n, "freight_value": freight})
    counts = dict.fromkeys(("items", "products", "sellers", "payments"), 2)
    sums = dict.fromkeys(("items_value", "freight_value", "order_value", "payment_value"), "25.02")
    delivered = {"order_delivered_customer_date": "2018-05-14 22:00:00", "delivery_days": 4.5, "estimated_days": 4.0}
    sail_lake.rows("refined/fact_orders", common | counts | sums | delivered | {"is_late": True})
    assert run_query(str(sail_lake.root), text("delivery_time_by_distance")).fetchall() == [
        ("250 to 500 km", 1, 361.0, 4.5, 4.5, 4.0, 1.0, Decimal("12.51"))
    ]
