"""Results as CSV, JSON, Markdown and Parquet."""

import json
from io import BytesIO

import duckdb
import pyarrow.parquet
import pytest

from olist_assets.errors import QueryError
from olist_assets.serving.sql import results


@pytest.fixture
def result():
    """Two rows of a decimal, a text and a double, one of them null."""
    with duckdb.connect() as connection:
        yield connection.sql(
            "from (values (10.50::decimal(12,2), 'a|b\\c\nd', 1.5::double), (3.25, '\"é\"', null)) t(v, \"w|\", a)"
        )


def test_csv(result):
    assert results.to_csv(result) == 'v,w|,a\n10.50,"a|b\\c\nd",1.5\n3.25,"""é""",\n'


def test_json(result):
    assert json.loads(results.to_json(result)) == [
        {"v": "10.50", "w|": "a|b\\c\nd", "a": 1.5},
        {"v": "3.25", "w|": '"é"', "a": None},
    ]


def test_markdown(result):
    assert results.to_markdown(result).splitlines() == [
        "| v | w\\| | a |",
        "| --: | --- | --: |",
        "| 10.50 | a\\|b\\\\c d | 1.5 |",
        '| 3.25 | "é" |  |',
    ]


def test_parquet(result):
    stream = BytesIO()
    results.write_parquet(result, stream)
    table = pyarrow.parquet.read_table(BytesIO(stream.getvalue()))
    assert table.schema.names == ["v", "w|", "a"]
    assert [str(value) for value in table.column("v").to_pylist()] == ["10.50", "3.25"]
    assert table.column("a").to_pylist() == [1.5, None]


def test_json_refuses_two_columns_with_the_same_name():
    with pytest.raises(QueryError, match="two columns named a"):
        results.to_json(duckdb.sql("SELECT 1 AS a, 2 AS a"))
