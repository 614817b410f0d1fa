"""Column types, closed vocabularies, and the columns and column builders that several tables share."""

from spark_steps.declarations import Column, Text

TIMESTAMP, DATE, INT, BIGINT, DOUBLE, BOOLEAN = "timestamp", "date", "int", "bigint", "double", "boolean"
MONEY, MONEY_SUM = "decimal(12,2)", "decimal(18,2)"
"""Amounts are in Brazilian reais, exact to the cent."""

ORDER_STATUSES = (
    "created",
    "approved",
    "invoiced",
    "processing",
    "shipped",
    "delivered",
    "canceled",
    "unavailable",
)
PAYMENT_TYPES = ("credit_card", "boleto", "voucher", "debit_card", "not_defined")
# fmt: off
STATES = (
    "AC", "AL", "AM", "AP", "BA", "CE", "DF", "ES", "GO", "MA", "MG", "MS", "MT", "PA",
    "PB", "PE", "PI", "PR", "RJ", "RN", "RO", "RR", "RS", "SC", "SE", "SP", "TO",
)
# fmt: on

FIVE_DIGITS = "CASE WHEN {value} RLIKE '^[0-9]{{1,5}}$' THEN lpad({value}, 5, '0') ELSE {value} END"
"""SQL of a zip prefix in its canonical form, over `{value}` without white space around it."""

ORDER_ID = Column("order_id", comment="the order", required=True)
ORDER_STATUS = Column("order_status", comment="state of the order")
ORDER_MONTH = Column("order_month", comment="month of the purchase, yyyy-MM", required=True)
PURCHASED_AT = Column("order_purchase_timestamp", TIMESTAMP, "when the order was placed (UTC)", required=True)
PURCHASE_DATE_KEY = Column("purchase_date_key", INT, "day of the purchase, yyyymmdd", required=True)
CUSTOMER_KEY = Column("customer_key", BIGINT, "the person's address period at the purchase", required=True)


def location_key(name: str = "location_key", *, of: str = "the customer") -> Column:
    """The key of the zip prefix that `of` lives in, a row of dim_location."""
    return Column(name, BIGINT, f"where {of} lives: the zip prefix's key", required=True)


def zip_code_prefix(name: str) -> Column:
    """A delivered zip prefix, brought to five digits."""
    return Column(
        name,
        comment="first five digits of the zip code",
        text=Text.ID,
        clean=FIVE_DIGITS,
        pattern="^[0-9]{5}$",
        tracked=True,
    )


def state(name: str, *, required: bool = False) -> Column:
    """A delivered state code; only the 27 states of Brazil are accepted."""
    return Column(name, comment="two-letter code of a Brazilian state", accepted=STATES, required=required)


def count(name: str, of: str) -> Column:
    """A number of things; zero, not null, if there are none."""
    return Column(name, BIGINT, f"number of {of}", required=True)


def total(name: str, of: str) -> Column:
    """A sum of amounts in BRL; zero, not null, if there are none."""
    return Column(name, MONEY_SUM, f"{of} in BRL", required=True)


def average(name: str, formula: str) -> Column:
    """An average amount in BRL, rounded half up to the cent."""
    return Column(name, MONEY, f"{formula} in BRL, rounded half up", required=True)
