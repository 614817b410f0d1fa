"""Lakes of a few payments for tests of SQL."""

from datetime import UTC, datetime

from olist_assets.serving.sql.results import rows
from olist_assets.serving.sql.session import Session
from olist_assets_tests.lakes import TestLake

PAYMENTS = "refined.aggregate_payments_per_month"
COUNT = f"select count(*) from {PAYMENTS}"
STARTED = datetime(2018, 5, 10, 3, tzinfo=UTC)


def payment(month: str, payment_type: str, value: str) -> dict[str, object]:
    """A row of aggregate_payments_per_month."""
    return {
        "order_month": month,
        "payment_type": payment_type,
        "payment_value": value,
        "payments": 1,
        "orders": 1,
        "average_installments": 1.5,
    }


def write_three_payments(lake: TestLake) -> str:
    """Write three payments in two months; returns the lake's root."""
    lake.rows(
        "refined/aggregate_payments_per_month",
        payment("2018-01", "boleto", "10.50"),
        payment("2018-01", "voucher", "0.00"),
        payment("2018-02", "boleto", "3.25") | {"average_installments": None},
    )
    return str(lake.root)


def one(session: Session, sql: str, **parameters: object) -> object:
    """The only value of a result."""
    [[value]] = rows(session.query(sql, parameters))
    return value
