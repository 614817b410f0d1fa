"""The session of Sail sends a query once; everything else is as in pyspark."""

import pytest
from pyspark.errors import PySparkException
from pyspark.sql.connect.client.core import SparkConnectClient

from olist_assets.engines.local.sail import SailEngine

TYPES = """
    SELECT id, timestamp'2018-05-10 03:00:00' AS at, CAST(1.5 AS DECIMAL(12,2)) AS price, CAST(NULL AS STRING) AS name
    FROM range(3)
"""


@pytest.fixture
def spark():
    return SailEngine().session()


@pytest.fixture
def requests(monkeypatch):
    """Collects the kinds of the requests that pyspark sends to Sail."""
    sent: list[str] = []
    for name in ("to_table", "execute_command", "_analyze"):
        send = getattr(SparkConnectClient, name)

        def record(self, *arguments, _name=name, _send=send, **options):
            sent.append(_name)
            return _send(self, *arguments, **options)

        monkeypatch.setattr(SparkConnectClient, name, record)
    return sent


@pytest.mark.parametrize("query", [TYPES, "with n AS (SELECT 1 AS a) SELECT a FROM n", "SELECT 1 AS a WHERE false"])
def test_a_query_is_sent_once_and_has_the_rows_and_types_of_pyspark(spark, requests, query):
    rows = spark.sql(query).toArrow()
    assert requests == ["to_table"]
    expected = spark.sql(query).select("*").toArrow()  # pyspark's own frame
    assert "_analyze" in requests
    assert rows == expected
    assert rows.schema == expected.schema


def test_a_command_is_run_at_once(spark, requests):
    spark.sql("CREATE OR REPLACE TEMP VIEW of_a_command AS SELECT 7 AS a")
    assert requests == ["execute_command"]
    assert spark.sql("SELECT a FROM of_a_command").toArrow().to_pylist() == [{"a": 7}]
    spark.sql("DROP VIEW of_a_command")


def test_arguments_are_bound(spark):
    assert spark.sql("SELECT :a AS a", {"a": 7}).collect()[0].a == 7


def test_a_wrong_query_fails_when_its_rows_are_needed(spark):
    query = spark.sql("SELECT no_such_column FROM range(3)")
    with pytest.raises(PySparkException, match="no_such_column"):
        query.toArrow()
