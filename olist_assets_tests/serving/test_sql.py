"""SQL over the lake: layers as schemas, results in four formats, and nothing but reading."""

import json
from io import BytesIO

import pyarrow.parquet
import pytest

from olist_assets.errors import OlistError
from olist_assets.lake import Lake
from olist_assets.serving import sql


@pytest.fixture
def payments(sail_lake):
    """A lake with three payments in two months; returns its root."""
    row = {"payments": 1, "orders": 1, "average_installments": 1.5}
    sail_lake.rows(
        "refined/aggregate_payments_per_month",
        row | {"order_month": "2018-01", "payment_type": "boleto", "payment_value": "10.50"},
        row | {"order_month": "2018-01", "payment_type": "voucher", "payment_value": "0.00"},
        row
        | {"order_month": "2018-02", "payment_type": "boleto", "payment_value": "3.25", "average_installments": None},
    )
    return str(sail_lake.root)


QUERY = """
    select order_month, sum(payment_value) v, max(average_installments) a
    from refined.aggregate_payments_per_month group by 1 order by 1
"""


def test_layers_are_schemas(payments):
    assert [str(row) for row in sql.rows(sql.query(payments, QUERY))] == [
        "('2018-01', Decimal('10.50'), 1.5)",
        "('2018-02', Decimal('3.25'), None)",
    ]


def test_a_result_as_csv_json_and_parquet(payments):
    assert sql.to_csv(sql.query(payments, QUERY)) == "order_month,v,a\n2018-01,10.50,1.5\n2018-02,3.25,\n"
    assert json.loads(sql.to_json(sql.query(payments, QUERY))) == [
        {"order_month": "2018-01", "v": "10.50", "a": 1.5},
        {"order_month": "2018-02", "v": "3.25", "a": None},
    ]
    stream = BytesIO()
    sql.write_parquet(sql.query(payments, QUERY), stream)
    assert pyarrow.parquet.read_table(BytesIO(stream.getvalue())).column("order_month").to_pylist() == [
        "2018-01",
        "2018-02",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "with m as (select * from refined.aggregate_payments_per_month) select count(*) from m",
        'select count(*) from "refined"."aggregate_payments_per_month" p',
        "select (select count(*) from refined.aggregate_payments_per_month)",
        "SELECT count(*) FROM Refined.Aggregate_Payments_Per_Month",
    ],
)
def test_a_table_is_found_however_it_is_named(payments, statement):
    assert sql.rows(sql.query(payments, statement)) == [(3,)]


def test_describe_shows_a_tables_columns(payments):
    described = sql.rows(sql.query(payments, "describe refined.aggregate_payments_per_month"))
    assert [(name, kind) for name, kind, *_ in described][:2] == [
        ("order_month", "VARCHAR"),
        ("payment_type", "VARCHAR"),
    ]


def test_control_steps_is_a_table_of_the_step_runs(payments):
    from datetime import UTC, datetime  # noqa: PLC0415

    started = datetime(2018, 5, 10, 3, tzinfo=UTC)
    for table, rows in (("raw/orders", 3), ("trusted/orders", 2)):
        Lake(payments).record({"table": table, "run_id": "r1", "started_at": started, "rows_inserted": rows})
    found = sql.query(payments, 'select "table", rows_inserted from control.steps order by 1')
    assert sql.rows(found) == [("raw/orders", 3), ("trusted/orders", 2)]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("select * from refined.aggregate_payment_per_month", "did you mean refined.aggregate_payments_per_month"),
        ("select * from gold.orders", "no table gold.orders"),
        ("select * from trusted.orders", "trusted.orders has not been written yet; run `olist run`"),
        ("select * from control.steps", "control.steps is empty"),
        ("select month from refined.aggregate_payments_per_month", 'Referenced column "month" not found'),
        ("selec 1", "syntax error"),
        ("select 1; select 2", "one statement at a time, not 2"),
        ("", "one statement at a time, not 0"),
        ("drop table refined.orders", "the lake is read-only here: DROP is refused"),
        ("insert into refined.aggregate_payments_per_month values (1)", "read-only here: INSERT is refused"),
        ("copy (select 1) to 'stolen.csv'", "read-only here: COPY is refused"),
        ("attach 'other.db'", "read-only here: ATTACH is refused"),
        ("set enable_external_access = true", "read-only here: SET is refused"),
        ("select * from read_text('/etc/hostname')", "Cannot access file"),
        ("select * from '/etc/hostname'", "Table with name /etc/hostname does not exist"),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_line(payments, statement, error):
    with pytest.raises(OlistError) as raised:
        sql.rows(sql.query(payments, statement))
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)
