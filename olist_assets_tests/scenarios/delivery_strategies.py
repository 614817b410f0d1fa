"""Hypothesis strategies for small deliveries with collisions, corrections and missing parents, and one fixed scenario.

Ids come from small pools, so that rows collide. Most rows land on the first day and the others are spread thinly over
the days after it: a wrong increment only shows when a window affects few rows that depend on rows outside it.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations

from hypothesis import strategies as st

from olist_assets_tests.lakes import TestLake
from olist_assets_tests.spark_steps.refined.refined_rows import point
from spark_steps.protocol import LandedFile, Window
from spark_steps.tables import TABLES

DAYS = 6
"""The number of days of a scenario; they are numbered from 0."""

Row = dict[str, str]
"""Texts by source column; missing columns are empty."""


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
        """The hour as a time of the same day for all files, so that a file that lands later may be older."""
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
    """Days that are loaded in one run, from the first to the last, both included."""

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
    """Take a range's deliveries through the steps of these tables, in order, as one run does."""
    landed: dict[str, list[LandedFile]] = defaultdict(list)
    for file in files:
        if file in days:
            name = f"{TABLES[f'raw/{file.table}'].file_stem}_20180501T{file.hour:02}0000Z.csv"
            landing = {"day": file.landing_date, "extracted_at": file.extracted_at}
            landed[f"raw/{file.table}"].append(lake.file(name, file.content, **landing))
    for table_id in tables:
        if not table_id.startswith("quarantine/"):
            result = lake.run(table_id, window=days.window, files=landed[table_id])
            assert [check for check in result.checks if check.severity == "error" and not check.passed] == []


# --- The regular rows: six orders and all that belongs to them ------------------------------------------------------

_PEOPLE = ("ana", "ana", "ana", "ana", "bia", "caio")
"""The person of each of the customers c1 to c6 in the regular rows."""

_TIMES = (
    "2018-01-10 12:00:00",
    "2018-01-31 23:59:59",
    "2018-02-01 00:00:00",
    "2018-02-20 08:00:00",
    "2018-03-05 12:00:00",
    "2017-12-31 23:59:59.999999",
)
_ADDRESSES = (
    ("01001", "sao paulo", "SP"),
    ("20001", "rio de janeiro", "RJ"),
    ("1001", "sao paulo", "SP"),  # the first one without its leading zero
    ("01001", "são paulo", "SP"),
    ("20001", "niteroi", "RJ"),
    ("13023", "", ""),
    ("", "campinas", "SP"),
    ("04001", "osasco", "SP"),
)
_LATER = ("", "2018-02-21 00:00:00", "2018-02-21 00:00:01", "2018-03-01 06:30:00")


def _order(number: int, customer: int, time: int, status: str, times: tuple[str, str, str, str]) -> Row:
    approved, carrier, delivered, estimated = times
    return {
        "order_id": f"o{number + 1}",
        "customer_id": f"c{customer + 1}",
        "order_status": status,
        "order_purchase_timestamp": _TIMES[time],
        "order_approved_at": approved,
        "order_delivered_carrier_date": carrier,
        "order_delivered_customer_date": delivered,
        "order_estimated_delivery_date": estimated,
    }


def _customer(number: int, person: int, address: tuple[str, str, str]) -> Row:
    zip_code_prefix, city, state = address
    return {
        "customer_id": f"c{number + 1}",
        "customer_unique_id": _PEOPLE[person],
        "customer_zip_code_prefix": zip_code_prefix,
        "customer_city": city,
        "customer_state": state,
    }


def _item(order: int, number: int, product: int, seller: int, price: str, freight: str) -> Row:
    return {
        "order_id": f"o{order + 1}",
        "order_item_id": f"{number + 1}",
        "product_id": f"p{product + 1}",
        "seller_id": f"s{seller + 1}" if seller < _SELLERS else "",
        "price": price,
        "freight_value": freight,
    }


def _payment(order: int, number: int, means: str, installments: str, value: str) -> Row:
    return {
        "order_id": f"o{order + 1}",
        "payment_sequential": f"{number + 1}",
        "payment_type": means,
        "payment_installments": installments,
        "payment_value": value,
    }


def _review(number: int, order: int, score: str, message: str, times: tuple[str, str]) -> Row:
    created, answered = times
    return {
        "review_id": f"r{number + 1}",
        "order_id": f"o{order + 1}",
        "review_score": score,
        "review_comment_message": message,
        "review_creation_date": created,
        "review_answer_timestamp": answered,
    }


def _product(number: int, category: str, weight: str) -> Row:
    return {"product_id": f"p{number + 1}", "product_category_name": category, "product_weight_g": weight}


def _seller(number: int, address: tuple[str, str, str]) -> Row:
    zip_code_prefix, city, state = address
    return {
        "seller_id": f"s{number + 1}",
        "seller_zip_code_prefix": zip_code_prefix,
        "seller_city": city,
        "seller_state": state,
    }


def _translation(category: str, english: str) -> Row:
    return {"product_category_name": category, "product_category_name_english": english}


_ORDERS, _PRODUCTS, _SELLERS = 6, 3, 3

# Two spellings of a prefix are equally frequent, so that one person who leaves or comes decides between them.
_HOMES = tuple(_ADDRESSES[n] for n in (0, 1, 2, 3, 4, 5))
_SELLER_HOMES = tuple(_ADDRESSES[n] for n in (0, 1, 7))

REGULAR: tuple[tuple[str, Row], ...] = (
    *(("orders", _order(n, n, n, "delivered", (_LATER[1], "", _LATER[2], _LATER[1]))) for n in range(_ORDERS)),
    *(("customers", _customer(n, n, _HOMES[n])) for n in range(_ORDERS)),
    *(("order_items", _item(n, 0, n % _PRODUCTS, n % _SELLERS, "10.00", "1.00")) for n in range(_ORDERS)),
    ("order_items", _item(0, 1, 0, 1, "0.01", "0")),
    *(("order_payments", _payment(n, 0, "credit_card", "1", "11.00")) for n in range(_ORDERS)),
    ("order_payments", _payment(0, 1, "boleto", "", "0.01")),
    ("order_reviews", _review(0, 0, "5", "", (_LATER[1], _LATER[2]))),
    ("order_reviews", _review(1, 1, "5", "", (_LATER[1], _LATER[2]))),
    ("order_reviews", _review(2, 1, "4", "", (_LATER[1], _LATER[2]))),  # a second answer for an order
    ("order_reviews", _review(2, 2, "4", "", (_LATER[1], _LATER[2]))),  # a review of two orders
    *(("products", _product(n, ("beleza", "moveis", "")[n], "100")) for n in range(_PRODUCTS)),
    *(("sellers", _seller(n, _SELLER_HOMES[n])) for n in range(_SELLERS)),
    ("geolocation", point("01001", "-23.5", "-46.5", "são paulo", "SP")),
    ("geolocation", point("1001", "-23.25", "-46.5", "são paulo", "SP")),
    ("geolocation", point("20001", "-22.25", "-43.125", "rio", "RJ")),
    ("product_category_translation", _translation("beleza", "health_beauty")),
    ("product_category_translation", _translation("moveis", "furniture")),
)
"""Rows, each with its table: a person who moves to another place and back, and two who buy once."""

# --- Corrections and faults -----------------------------------------------------------------------------------------

_INVALID_CELLS = {
    "orders": [("order_status", "lost"), ("order_purchase_timestamp", "yesterday"), ("customer_id", "")],
    "customers": [("customer_id", ""), ("customer_unique_id", " "), ("customer_state", "XX")],
    "order_items": [("price", "-1.00"), ("freight_value", "much"), ("order_item_id", "0"), ("product_id", "")],
    "order_payments": [("payment_value", "1,5"), ("payment_type", "barter"), ("payment_sequential", "-1")],
    "order_reviews": [("review_score", "6"), ("review_score", ""), ("order_id", "")],
    "products": [("product_weight_g", "heavy"), ("product_id", "")],
    "sellers": [("seller_state", "sp"), ("seller_id", "s\0"), ("seller_zip_code_prefix", "123456")],
    "geolocation": [("geolocation_lat", "91"), ("geolocation_lng", "west"), ("geolocation_state", "")],
    "product_category_translation": [("product_category_name", "")],
}
"""The cells of each source that send a row to quarantine."""

_any_order = st.integers(0, _ORDERS)  # the last one is never delivered
_later = st.sampled_from(_LATER)
_addresses = st.sampled_from(_ADDRESSES)


@st.composite
def _corrected_order(draw: st.DrawFn) -> Row:
    """An order in another state; often with another customer or time."""
    number, others = draw(st.integers(0, _ORDERS - 1)), st.integers(0, _ORDERS - 1)
    customer = draw(st.one_of(st.just(number), st.just(number), others))
    time = draw(st.one_of(st.just(number), others, others))
    status = draw(st.sampled_from(["delivered", "shipped", "canceled", "unavailable", ""]))
    return _order(number, customer, time, status, draw(st.tuples(_later, _later, _later, _later)))


@st.composite
def _corrected_customer(draw: st.DrawFn) -> Row:
    """A customer row with another address or person."""
    number, others = draw(st.integers(0, _ORDERS - 1)), st.integers(0, _ORDERS - 1)
    return _customer(number, draw(st.one_of(st.just(number), others)), draw(_addresses))


CORRECTIONS: dict[str, st.SearchStrategy[Row]] = {
    "customers": _corrected_customer(),
    "orders": _corrected_order(),
    "sellers": st.builds(_seller, st.integers(0, _SELLERS - 1), _addresses),
    "order_items": st.builds(
        _item,
        _any_order,
        st.integers(0, 1),
        st.integers(0, _PRODUCTS - 1),
        st.integers(0, _SELLERS),  # the last one is none
        st.sampled_from(["10.00", "33.5"]),
        st.sampled_from(["1.00", "2.5"]),
    ),
    "geolocation": st.builds(
        point,
        st.sampled_from(["01001", "20001", "1001", "99999"]),
        st.sampled_from(["-23.5", "-22.25", "-23.50", "0"]),
        st.sampled_from(["-46.5", "-43.125"]),
        st.sampled_from(["sao paulo", "são paulo", "niteroi"]),
        st.sampled_from(["SP", "RJ"]),
    ),
    "order_reviews": st.builds(
        _review,
        st.integers(0, 3),
        _any_order,
        st.sampled_from(["1", "4", "5"]),
        st.sampled_from(["", "bom"]),
        st.tuples(_later, _later),
    ),
    "products": st.builds(
        _product,
        st.integers(0, _PRODUCTS - 1),
        st.sampled_from(["beleza", "moveis", ""]),
        st.sampled_from(["250", ""]),
    ),
    "product_category_translation": st.builds(
        _translation, st.sampled_from(["beleza", "moveis"]), st.sampled_from(["beauty", ""])
    ),
    "order_payments": st.builds(
        _payment,
        _any_order,
        st.integers(0, 1),
        st.sampled_from(["credit_card", "boleto"]),
        st.sampled_from(["1", "3", ""]),
        st.sampled_from(["11.00", "0.00", "7.77"]),
    ),
}
"""For each source, rows that differ from the regular ones of the same key, and a few additional rows."""

_tables = st.sampled_from([*CORRECTIONS, *["customers"] * 3, *["orders"] * 3, "sellers"])


@st.composite
def _corrections(draw: st.DrawFn) -> tuple[str, Row]:
    table = draw(_tables)
    return table, draw(CORRECTIONS[table])


@st.composite
def delivered_files(draw: st.DrawFn) -> tuple[File, ...]:
    """The files of some days' deliveries: the regular rows, two in three on the first day, and rows that correct them.

    A few rows are never delivered, a few violate a rule, and a few files are delivered twice, on the same day or on
    different days. The rows of one table, day and hour are one file.
    """
    regular_days = st.sampled_from([0] * 12 + [1, 2, 3, 4, 5, None])
    regular = [(draw(regular_days), 2, table, row) for table, row in REGULAR]
    corrections = st.tuples(st.integers(1, DAYS - 1), st.sampled_from([3, 4, 4, 1]), _corrections())
    others = [(day, hour, *row) for day, hour, row in draw(st.lists(corrections, min_size=8, max_size=14))]
    rows: dict[tuple[str, int, int], list[Row]] = defaultdict(list)
    for day, hour, table, row in regular + others:
        if day is not None:
            invalid = draw(st.sampled_from([{}] * 15 + [dict([cell]) for cell in _INVALID_CELLS[table]]))
            rows[table, day, hour].append(row | invalid)
    files = [File(*place, tuple(of_file)) for place, of_file in rows.items()]
    again = st.tuples(st.sampled_from(files), st.integers(0, DAYS - 1), st.integers(1, 4))
    files += [File(file.table, day, hour, file.rows) for file, day, hour in draw(st.lists(again, max_size=2))]
    return tuple(files)


@st.composite
def load_plans(draw: st.DrawFn) -> tuple[Range, ...]:
    """Ranges that cover all days, in any order; some of them repeat days."""
    cuts = draw(st.sampled_from([(), *(cut for n in (2, 3, 4) for cut in combinations(range(1, DAYS), n))]))
    parts = [Range(first, last - 1) for first, last in zip([0, *cuts], [*cuts, DAYS], strict=True)]
    parts = draw(st.one_of(st.just(parts), st.permutations(parts)))
    for first, days in draw(st.lists(st.tuples(st.integers(0, DAYS - 1), st.integers(0, 1)), max_size=1)):
        parts.insert(draw(st.integers(1, len(parts))), Range(first, min(first + days, DAYS - 1)))
    return tuple(parts)


# --- The fixed scenario ---------------------------------------------------------------------------------------------


def _as_people_write(row: Row) -> Row:
    """The row with white space around ids and times in another zone."""
    ids = {name: f" {value}\u00a0" for name, value in row.items() if name.endswith(("_id", "_prefix"))}
    return row | ids | {name: f"{value}+00:00" for name, value in row.items() if name.endswith("_timestamp")}


def _scenario() -> tuple[File, ...]:
    # rows that are corrected later, so that increments must find them under their ids
    padded = {("customers", "c4"), ("orders", "o5"), ("sellers", "s3"), ("order_items", "o2")}
    regular = [
        (table, _as_people_write(row) if (table, next(iter(row.values()))) in padded else row) for table, row in REGULAR
    ]
    late = {
        ("orders", "o5"),
        ("customers", "c6"),
        ("sellers", "s3"),
        ("products", "p3"),
        ("product_category_translation", "beleza"),
    }
    days: list[list[tuple[str, Row]]] = [
        [(table, row) for table, row in regular if (table, next(iter(row.values())).strip()) not in late],
        # parents that are delivered after their children
        [(table, row) for table, row in regular if (table, next(iter(row.values())).strip()) in late],
        # late children; an order in a newer state, in another month, at the same instant as another order of the person
        [
            ("order_items", _item(1, 1, 2, 0, "33.5", "2.5")),
            ("order_payments", _payment(2, 1, "boleto", "3", "7.77")),
            ("order_reviews", _review(0, 3, "1", "bom", (_LATER[1], _LATER[3]))),
            ("order_reviews", _review(3, 1, "1", "", (_LATER[1], _LATER[3]))),
            ("orders", _order(0, 0, 3, "canceled", (_LATER[3], "", "", _LATER[1]))),
            ("sellers", _seller(2, _ADDRESSES[1]) | {"seller_state": "sp"}),
        ],
        # the address of the second purchase is corrected to the first one, so that the third purchase, of which no row
        # lands, moves into the first period, and a prefix loses its most frequent spelling; of two purchases at one
        # instant the deciding address changes
        [("customers", _customer(1, 1, _ADDRESSES[0])), ("customers", _customer(3, 3, _ADDRESSES[5]))],
        # an order and a customer row move to another person; the person who loses them is in no row that lands
        [
            ("orders", _order(4, 5, 4, "shipped", ("", "", "", _LATER[1]))),
            ("customers", _customer(3, 5, _ADDRESSES[5])),
        ],
        # the quarantined seller is delivered again, corrected, and leaves a prefix unused; a translation and a price
        # change
        [
            ("sellers", _seller(2, _ADDRESSES[1])),
            ("product_category_translation", _translation("moveis", "home")),
            ("order_items", _item(1, 0, 0, 1, "12.34", "1.00")),
        ],
    ]
    rows: dict[tuple[str, int, int], list[Row]] = defaultdict(list)
    for day, delivered in enumerate(days):
        for table, row in delivered:
            rows[table, day, day + 1].append(row)
    return tuple(File(*place, tuple(of_file)) for place, of_file in rows.items())


SCENARIO = _scenario()
"""Worst-case deliveries: each day has one kind of difficulty and affects few other rows."""

SCENARIO_RUNS = (Range(0, 0), Range(1, 2), Range(3, 3), Range(4, 5), Range(1, 2))
"""Its days in the fewest runs in which no difficulty hides another; in the end some days run again."""
