"""The Spark Connect session of Sail, which sends a query once if its rows are collected.

pyspark sends it three times: as a possible command, for its schema, and for its rows. Sail plans it each time, and
planning takes most of the time of a query of few rows. No public way exists, so this depends on internals of pyspark.
"""

import atexit
import re
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.connect import plan
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.session import SparkSession as ConnectSession
from pyspark.sql.pandas.types import to_arrow_schema

_QUERY = re.compile(r"\s*(?:SELECT|WITH)\b(?!.*\b(?:INSERT|MERGE|UPDATE|DELETE)\b)", re.IGNORECASE | re.DOTALL)
"""A query. A text with a word such as INSERT may be a command after WITH, so it is sent as pyspark does."""


def start_session(port: int) -> SparkSession:
    """A session on the server at this port of this machine, in UTC. It becomes the session of pyspark's functions."""
    spark = _Session(f"sc://127.0.0.1:{port}")
    ConnectSession._set_default_and_active_session(spark)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    # At exit pyspark asks the server to clear its machine learning cache, and Sail logs an error.
    atexit.unregister(spark.client._cleanup_ml_cache)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return spark  # type: ignore[return-value] - the same API without a common type


class _Session(ConnectSession):
    """Sends a query without arguments when its rows are needed. Commands are run at once."""

    def sql(self, sqlQuery: str, args: Any = None, **kwargs: Any) -> Any:  # noqa: N803 - pyspark's name
        if args or kwargs or not _QUERY.match(sqlQuery):
            return super().sql(sqlQuery, args, **kwargs)  # pyright: ignore[reportUnknownMemberType] - of `args`
        return _Query(plan.SQL(sqlQuery, [], {}, []), self)


class _Query(DataFrame):
    """The rows of a query."""

    def toArrow(self) -> pa.Table:  # noqa: N802 - pyspark's name
        rows, schema = self._to_table()  # Sail sends both
        return rows.cast(to_arrow_schema(schema or self.schema, error_on_duplicated_field_names_in_struct=True))
