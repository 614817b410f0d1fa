"""How the report writes numbers, dates and names."""

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from olist_assets.serving.report.queries import Row, first_day
from spark_steps.columns import PAYMENT_TYPES

Number = int | float | Decimal

NOT_KNOWN = "\N{EN DASH}"

PAYMENT_TYPE_NAMES = {code: code.replace("_", " ").capitalize() for code in PAYMENT_TYPES}
"""The names of the payment types by code, the most common first."""

MOVE_NAMES = {
    "same city": "Within the city",
    "another city": "To another city",
    "another state": "To another state",
}
"""The names of changes of address by where they lead, the nearest first."""

_LOWER_CASE = {"da", "das", "de", "do", "dos", "e"}

# --- Numbers -------------------------------------------------------------------------------------------------------


def round_half_up(value: Number, places: int = 0) -> Decimal:
    """The value rounded to this number of decimal places, half up."""
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def number(value: Number | None, places: int = 0) -> str:
    """A number with thousands separators: 1,234.5."""
    return NOT_KNOWN if value is None else f"{round_half_up(value, places):,}".replace("-", "\N{MINUS SIGN}")


def money(value: Number | None, places: int = 0) -> str:
    """An amount in reais: R$ 1,234."""
    return NOT_KNOWN if value is None else f"R$\N{NO-BREAK SPACE}{number(value, places)}"


def percent(ratio: Number | None, places: int = 1) -> str:
    """A ratio, 0 to 1, as a percentage: 12.3%."""
    return NOT_KNOWN if ratio is None else f"{number(Decimal(str(ratio)) * 100, places)}%"


def share(part: Number, whole: Number) -> str:
    """A part of a whole as a percentage: 12.3%."""
    return percent(Decimal(part) / Decimal(whole)) if whole else NOT_KNOWN


def count(value: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: 1 order, 2 orders."""
    return f"{number(value)} {singular if value == 1 else plural or f'{singular}s'}"


# --- Dates ---------------------------------------------------------------------------------------------------------


def month(value: Row | date) -> str:
    """The month of a date or of a row: Aug 2018. Rows have an `order_month` or a `purchase_date`."""
    if not isinstance(value, date):
        value = first_day(value) if hasattr(value, "order_month") else value.purchase_date
    return f"{value:%b %Y}"


def full_month(row: Row) -> str:
    """The month of a row with its full name: August 2018."""
    return f"{first_day(row):%B %Y}"


def day(value: date | None) -> str:
    """A day: 24 Nov 2017."""
    return NOT_KNOWN if value is None else f"{value.day} {value:%b %Y}"


def timestamp(value: datetime | None) -> str:
    """A time in UTC: 23 Oct 2018, 04:10 UTC."""
    return NOT_KNOWN if value is None else f"{day(value)}, {value:%H:%M} UTC"


# --- Names ---------------------------------------------------------------------------------------------------------


def city(name: str) -> str:
    """A city's name with capitals. Deliveries write it in lower case."""
    words = enumerate(name.split())
    return " ".join(word if word in _LOWER_CASE and position else word.capitalize() for position, word in words)


def place(row: Row) -> str:
    """A city and its state."""
    return f"{city(row.city)}, {row.state}" if row.state else city(row.city)
