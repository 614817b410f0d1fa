"""Small nasty worlds: deliveries of a few days in which ids meet, rows are corrected, and children miss their parents.

Ids come from small pools, so that rows collide. Half of a world's rows land on one day and the others thinly on the
days around it: a wrong increment shows where a window touches little, and that little bears on what came otherwise.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hypothesis import strategies as st

from olist_assets_tests.lakes import TestLake
from spark_steps.contract import LandedFile, Window
from spark_steps.tables import TABLES

DAYS = 6
"""A world's days are numbered from 0."""

Row = dict[str, str]
"""Texts by source column; the columns left out are empty."""


@dataclass(frozen=True)
class File:
    """A delivered file: its table, its day, the hour at which the source wrote it, and its rows."""

    table: str
    day: int
    hour: int
    rows: tuple[Row, ...]

    @property
    def landing_date(self) -> date:
        """The day as a date."""
        return date(2018, 5, 1) + timedelta(days=self.day)

    @property
    def extracted_at(self) -> str:
        """The hour as a time: of one day for all files, so that what lands later may well have been written earlier."""
        return f"2018-05-01 {self.hour:02}:00:00"

    @property
    def content(self) -> str:
        """The file as CSV."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, [c.name for c in TABLES[f"raw/{self.table}"].value_columns], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()


@dataclass(frozen=True)
class Range:
    """Days that are loaded in one run: from the first to the last, both included."""

    first: int
    last: int

    def __contains__(self, file: File) -> bool:
        return self.first <= file.day <= self.last

    @property
    def window(self) -> Window:
        """The range's landing dates."""
        start = date(2018, 5, 1)
        return Window(start + timedelta(days=self.first), start + timedelta(days=self.last + 1))


WHOLE = Range(0, DAYS - 1)


def load(lake: TestLake, files: Sequence[File], days: Range, tables: Sequence[str] = tuple(TABLES)) -> None:
    """Take a range's deliveries through the lineage as one run does: each table's step for the range, in order."""
    landed: dict[str, list[LandedFile]] = defaultdict(list)
    for file in files:
        if file in days:
            name = f"{TABLES[f'raw/{file.table}'].file_stem}_20180501T{file.hour:02}0000Z.csv"
            landing = {"day": file.landing_date, "extracted_at": file.extracted_at}
            landed[f"raw/{file.table}"].append(lake.file(name, file.content, **landing))
    for table_id in tables:
        if not table_id.startswith("quarantine/"):
            window = days.window if TABLES[table_id].daily else None
            result = lake.run(table_id, day=None, window=window, files=landed[table_id])
            assert [check for check in result.checks if check.severity == "error" and not check.passed] == []


# --- Rows -----------------------------------------------------------------------------------------------------------

# Twice the same instant; the last second of a month and the first of the next; another year.
_TIMES = (
    "2018-01-10 12:00:00",
    "2018-01-31 23:59:59",
    "2018-02-01 00:00:00",
    "2018-01-10 12:00:00",
    "2017-12-31 23:59:59.999999",
)
_PEOPLE = ("ana", "bia", "ana", "caio", "ana")
"""Of the customers c1 to c5 the people that they usually are: one of them buys three times."""

_ADDRESSES = (
    ("01001", "sao paulo", "SP"),
    ("20001", "rio de janeiro", "RJ"),
    ("1001", "são paulo", "SP"),  # the first one's prefix, its zero lost, in another spelling
    ("20001", "niteroi", "RJ"),
    ("", "campinas", "SP"),
    ("13023", "", ""),
)
_LATER = ("", "2018-02-03 00:00:00", "2018-02-03 00:00:01", "2018-03-01 06:30:00")

_BROKEN = {
    "orders": [("order_status", "lost"), ("order_purchase_timestamp", "yesterday"), ("customer_id", "")],
    "customers": [("customer_id", ""), ("customer_unique_id", ""), ("customer_state", "XX")],
    "order_items": [("price", "-1.00"), ("freight_value", "much"), ("order_item_id", ""), ("product_id", "")],
    "order_payments": [("payment_value", "1,5"), ("payment_type", "barter"), ("payment_sequential", "")],
    "order_reviews": [("review_score", "6"), ("review_score", ""), ("order_id", "")],
    "products": [("product_weight_g", "heavy"), ("product_id", "")],
    "sellers": [("seller_state", "sp"), ("seller_id", "")],
    "geolocation": [("geolocation_lat", "91"), ("geolocation_lng", "west"), ("geolocation_state", "")],
    "product_category_translation": [("product_category_name", "")],
}
"""Of each source the cells that send a row to quarantine."""

_seldom = st.sampled_from([0, 0, 0, 0, 1, 2])
"""How far a row is off from what it usually says."""


def _one_of(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(values)


def _numbered(letter: str, count: int) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{letter}{n}" for n in range(1, count + 1)])


def _order(number: int, other_customer: int, other_time: int, status: str, times: tuple[str, str, str, str]) -> Row:
    approved, carrier, delivered, estimated = times
    return {
        "order_id": f"o{number + 1}",
        "customer_id": f"c{(number + other_customer) % 5 + 1}",
        "order_status": status,
        "order_purchase_timestamp": _TIMES[(number + other_time) % 5],
        "order_approved_at": approved,
        "order_delivered_carrier_date": carrier,
        "order_delivered_customer_date": delivered,
        "order_estimated_delivery_date": estimated,
    }


def _customer(number: int, other_person: int, address: tuple[str, str, str]) -> Row:
    zip_code_prefix, city, state = address
    return {
        "customer_id": f"c{number + 1}",
        "customer_unique_id": _PEOPLE[(number + other_person) % 5],
        "customer_zip_code_prefix": zip_code_prefix,
        "customer_city": city,
        "customer_state": state,
    }


def _seller(seller_id: str, address: tuple[str, str, str]) -> Row:
    zip_code_prefix, city, state = address
    return {
        "seller_id": seller_id,
        "seller_zip_code_prefix": zip_code_prefix,
        "seller_city": city,
        "seller_state": state,
    }


_numbers = st.integers(0, 4)
_addresses = st.sampled_from(_ADDRESSES)
_later = st.sampled_from(_LATER)
_ordered = _numbered("o", 6)  # the last one never comes
_categories = _one_of("beleza", "moveis", "")

ROWS: dict[str, st.SearchStrategy[Row]] = {
    "orders": st.builds(
        _order,
        _numbers,
        _seldom,
        _seldom,
        _one_of("delivered", "shipped", "created", "canceled", "unavailable", ""),
        st.tuples(_later, _later, _later, _later),
    ),
    "customers": st.builds(_customer, _numbers, _seldom, _addresses),
    "order_items": st.fixed_dictionaries(
        {
            "order_id": _ordered,
            "order_item_id": _one_of("1", "2"),
            "product_id": _numbered("p", 3),
            "seller_id": _one_of("s1", "s2", "s3", ""),
            "price": _one_of("10.00", "0.01", "33.5"),
            "freight_value": _one_of("1.00", "0", "2.5"),
        }
    ),
    "order_payments": st.fixed_dictionaries(
        {
            "order_id": _ordered,
            "payment_sequential": _one_of("1", "2"),
            "payment_type": _one_of("credit_card", "boleto"),
            "payment_installments": _one_of("1", "3", ""),
            "payment_value": _one_of("11.00", "0.00", "7.77"),
        }
    ),
    "order_reviews": st.fixed_dictionaries(
        {
            "review_id": _numbered("r", 3),
            "order_id": _ordered,
            "review_score": _one_of("5", "1", "4"),
            "review_comment_message": _one_of("", "bom"),
            "review_creation_date": _later,
            "review_answer_timestamp": _later,
        }
    ),
    "products": st.fixed_dictionaries(
        {
            "product_id": _numbered("p", 3),
            "product_category_name": _categories,
            "product_weight_g": _one_of("100", "250", ""),
        }
    ),
    "sellers": st.builds(_seller, _numbered("s", 3), _addresses),
    "geolocation": st.fixed_dictionaries(
        {
            "geolocation_zip_code_prefix": _one_of("01001", "20001", "1001", "99999"),
            "geolocation_lat": _one_of("-23.5", "-22.25", "-23.50", "0"),
            "geolocation_lng": _one_of("-46.5", "-43.125"),
            "geolocation_city": _one_of("sao paulo", "são paulo", "rio de janeiro"),
            "geolocation_state": _one_of("SP", "RJ"),
        }
    ),
    "product_category_translation": st.fixed_dictionaries(
        {
            "product_category_name": _one_of("beleza", "moveis"),
            "product_category_name_english": _one_of("health_beauty", "furniture", ""),
        }
    ),
}
"""Of each source the rows that a world may deliver: accepted ones, of few keys, that disagree with one another."""

_ROWS_OF_A_WORLD = {
    "orders": (3, 9),
    "customers": (3, 8),
    "order_items": (2, 8),
    "order_payments": (1, 5),
    "order_reviews": (1, 5),
    "products": (1, 4),
    "sellers": (1, 4),
    "geolocation": (0, 5),
    "product_category_translation": (0, 3),
}


@st.composite
def _delivered_rows(draw: st.DrawFn, table: str) -> tuple[int, Row]:
    """A row and the number of the slot that it is delivered in; one in ten breaks a rule."""
    row = draw(ROWS[table])
    if draw(st.integers(0, 9)) == 9:  # noqa: PLR2004 - one in ten
        row |= [draw(st.sampled_from(_BROKEN[table]))]
    return draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5, 6])), row


@st.composite
def worlds(draw: st.DrawFn) -> tuple[File, ...]:
    """The files of some days' deliveries.

    Rows are put into slots, of one day and one hour each; a table's rows in one slot are a file. Several slots fall on
    one day, and of some days there is none. Files are sent again, on their own day or another one.
    """
    slots = draw(st.lists(st.tuples(st.integers(0, DAYS - 1), st.integers(1, 4)), min_size=7, max_size=7))
    rows: dict[tuple[str, int, int], list[Row]] = defaultdict(list)
    for table, (least, most) in _ROWS_OF_A_WORLD.items():
        for slot, row in draw(st.lists(_delivered_rows(table), min_size=least, max_size=most)):
            rows[table, *slots[slot]].append(row)
    files = [File(*place, tuple(of_file)) for place, of_file in rows.items()]
    again = st.tuples(st.sampled_from(files), st.integers(0, DAYS - 1), st.integers(1, 4))
    files += [File(file.table, day, hour, file.rows) for file, day, hour in draw(st.lists(again, max_size=3))]
    return tuple(files)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[Range, ...]:
    """Ranges that cover all days, in any order, among them some that repeat days."""
    cuts = sorted(draw(st.sets(st.integers(1, DAYS - 1), min_size=1, max_size=3)))
    parts = [Range(first, last - 1) for first, last in zip([0, *cuts], [*cuts, DAYS], strict=True)]
    parts = draw(st.permutations(parts))
    for first, days in draw(st.lists(st.tuples(st.integers(0, DAYS - 1), st.integers(0, 1)), max_size=1)):
        parts.insert(draw(st.integers(1, len(parts))), Range(first, min(first + days, DAYS - 1)))
    return tuple(parts)
