"""Two lakes are compared table by table: rows, values and types."""

from decimal import Decimal

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from olist_assets.operations.diff import differences
from spark_steps.tables import TABLES

MONTH = {"order_month": "2018-05", "payment_type": "boleto", "payments": 2, "payment_value": Decimal("10.00")}
MONTH_SCHEMA = pa.schema(
    {
        "order_month": pa.string(),
        "payment_type": pa.string(),
        "payments": pa.int64(),
        "payment_value": pa.decimal128(18, 2),
        "average_installments": pa.float64(),
    }
)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([MONTH], [MONTH], []),
        ([], [], []),
        ([MONTH], [], ["1 rows only in the first"]),
        ([], [MONTH], ["1 rows only in the second"]),
        ([MONTH, MONTH], [MONTH, MONTH], ["2 rows with a duplicate key"]),
        ([MONTH, MONTH], [MONTH], ["1 rows with a duplicate key"]),
        ([MONTH], [MONTH | {"payment_value": Decimal("10.01")}], ["1 rows with another payment_value"]),
        ([MONTH | {"average_installments": 1.5}], [MONTH], ["1 rows with another average_installments"]),
        ([MONTH | {"average_installments": 3.0}], [MONTH | {"average_installments": 3.0 + 1e-12}], []),
        (
            [MONTH | {"average_installments": 3.0}],
            [MONTH | {"average_installments": 3.0 + 1e-6}],
            ["1 rows with another average_installments"],
        ),
    ],
)
def test_differences_are_counted_by_column(tmp_path, left, right, expected):
    table = TABLES["refined/aggregate_payments_per_month"]
    for lake, rows in (("left", left), ("right", right)):
        write_deltalake(tmp_path / lake / table.id, pa.Table.from_pylist(rows, MONTH_SCHEMA))
    found = differences(table, tmp_path / "left", tmp_path / "right")
    assert found == [f"{table.id}: {line}" for line in expected]


def test_columns_of_other_types_are_a_difference(tmp_path):
    table = TABLES["refined/aggregate_payments_per_month"]
    write_deltalake(tmp_path / "left" / table.id, pa.Table.from_pylist([MONTH], MONTH_SCHEMA))
    write_deltalake(tmp_path / "right" / table.id, pa.table({"order_month": ["2018-05"]}))
    [found] = differences(table, tmp_path / "left", tmp_path / "right")
    assert found.startswith(f"{table.id}: columns ")
