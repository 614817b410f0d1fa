"""Shared SQL expressions evaluate to the same values as plain Python."""

from decimal import ROUND_HALF_UP, Decimal
from itertools import product

import pyarrow as pa
import pytest

from olist_assets_tests.spark_steps.refined.refined_rows import key_of, period_key
from spark_steps.expressions import half_up_average, is_newer, seconds_between, surrogate_key

UTC_MICROSECONDS = pa.timestamp("us", "UTC")


def evaluate(spark, expression, **columns):
    """The expression's value for each row of these columns."""
    rows = spark.createDataFrame(pa.table({"row": pa.array(range(len(next(iter(columns.values()))))), **columns}))
    values = rows.selectExpr("row", f"{expression} AS value").orderBy("row").toArrow()
    return values.column("value").to_pylist()


def type_of(spark, expression, **columns):
    return spark.createDataFrame(pa.table(columns)).selectExpr(f"{expression} AS value").schema["value"].dataType


# --- surrogate_key --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("abc", 0xBA7816BF8F01CFE),  # sha256sum says ba7816bf8f01cfea...
        ("", 0xE3B0C44298FC1C1),
        ("2ea7d", 0x00000C40C3AEAB4),  # leading zeros
        ("0534", 0xFFF452B6E0F2E60),  # the highest bits
    ],
)
@pytest.mark.spark
def test_a_surrogate_key_is_the_first_60_bits_of_the_sha_256(spark, text, key):
    assert evaluate(spark, surrogate_key("text"), text=[text]) == [key]
    assert key_of(text) == key


def test_surrogate_keys_equal_those_of_hashlib_and_fit_60_bits(spark):
    texts = [*(f"{n:05}" for n in range(2_000)), "são paulo", "a'b", "a|b", " a ", "日本", "x" * 5_000]
    keys = evaluate(spark, surrogate_key("text"), text=texts)
    assert keys == [key_of(text) for text in texts]
    assert len(set(keys)) == len(texts)
    assert all(0 <= key < 1 << 60 for key in keys)


def test_a_surrogate_key_joins_the_columns_of_its_natural_key_by_a_bar(spark):
    assert evaluate(spark, surrogate_key("a", "b"), a=["x", "x|y"], b=["y", "z"]) == [key_of("x|y"), key_of("x|y|z")]


def test_a_surrogate_key_uses_microseconds_since_1970_for_a_time(spark):
    times = pa.array([0, 1_475_316_000_000_001], UTC_MICROSECONDS)
    keys = evaluate(spark, surrogate_key("person", "unix_micros(at)"), person=["ana", "ana"], at=times)
    assert keys == [key_of("ana|0"), key_of("ana|1475316000000001")]
    assert keys == [period_key("ana", "1970-01-01 00:00:00"), period_key("ana", "2016-10-01 10:00:00.000001")]


@pytest.mark.parametrize(("a", "b"), [(None, "y"), ("x", None), (None, None)])
def test_a_natural_key_with_a_null_has_the_key_of_the_unknown_member(spark, a, b):
    columns = {"a": pa.array([a], pa.string()), "b": pa.array([b], pa.string())}
    assert evaluate(spark, surrogate_key("a", "b"), **columns) == [-1]
    assert evaluate(spark, surrogate_key("a"), **columns) == [-1 if a is None else key_of(a)]


def test_a_surrogate_key_is_a_bigint(spark):
    assert type_of(spark, surrogate_key("text"), text=["abc"]).simpleString() == "bigint"


# --- half_up_average ------------------------------------------------------------------------------------------------


def _average(spark, rows):
    totals = pa.array([Decimal(total) for total, _ in rows], pa.decimal128(18, 2))
    counts = pa.array([count for _, count in rows], pa.int64())
    return evaluate(spark, half_up_average("total", "n"), total=totals, n=counts)


@pytest.mark.parametrize(
    ("total", "count", "average"),
    [
        ("0.00", 3, "0.00"),
        ("0.01", 1, "0.01"),
        ("0.01", 2, "0.01"),  # 0.005: half a cent goes up
        ("0.03", 2, "0.02"),  # 0.015: up too, not to the even cent
        ("0.05", 2, "0.03"),  # 0.025: half to even would give 0.02
        ("0.01", 3, "0.00"),  # 0.00333
        ("0.02", 3, "0.01"),  # 0.00667
        ("2.01", 2, "1.01"),  # 1.005, which as a double lies below the half
        ("10.15", 10, "1.02"),  # 1.015, the same
        ("1.49", 100, "0.01"),  # 0.0149: just below the half
        ("1.50", 100, "0.02"),
        ("5374913.39", 39031, "137.71"),
        ("4999999999999999.99", 1_000_000, "5000000000.00"),
        ("9999999999999999.99", 999_999_999_999, "10000.00"),
        ("9999999999.99", 1, "9999999999.99"),
        ("9999999999.98", 2, "4999999999.99"),
        ("9999999999.99", 2, "5000000000.00"),  # 4999999999.995, beyond what a double holds exactly
    ],
)
def test_an_average_of_money_is_rounded_half_up_to_the_cent(spark, total, count, average):
    assert [str(value) for value in _average(spark, [(total, count)])] == [average]


def test_averages_of_money_equal_those_of_python_decimals(spark):
    cents = [0, 1, 5, 49, 50, 51, 99, 12_345, 99_999_999_999, 537_491_339]
    rows = [(Decimal(c) / 100, count) for c, count in product(cents, [1, 2, 3, 4, 7, 8, 200, 39_031])]
    cent = Decimal("0.01")
    assert _average(spark, rows) == [(total / count).quantize(cent, ROUND_HALF_UP) for total, count in rows]


def test_an_average_of_money_is_a_decimal_of_two_places(spark):
    columns = {"total": pa.array([Decimal("1.00")], pa.decimal128(28, 2)), "n": [3]}
    assert type_of(spark, half_up_average("total", "n"), **columns).simpleString() == "decimal(12,2)"


# --- seconds_between ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        (0, 0, 0.0),
        (0, 86_400_000_000, 86_400.0),
        (0, 1_500_000, 1.5),
        (0, 1, 0.000_001),
        (3_600_000_000, 0, -3_600.0),
        (1_456_617_600_000_000, 1_456_790_400_000_000, 172_800.0),  # over the leap day of 2016
        (None, 0, None),
        (0, None, None),
        (None, None, None),
    ],
)
def test_seconds_between_two_times_keep_their_fraction_and_sign(spark, start, end, seconds):
    columns = {"a": pa.array([start], UTC_MICROSECONDS), "b": pa.array([end], UTC_MICROSECONDS)}
    assert evaluate(spark, seconds_between("a", "b"), **columns) == [seconds]
    assert type_of(spark, seconds_between("a", "b"), **columns).simpleString() == "double"


# --- newer ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [("a",), ("a", "b"), ("a", "b", "c"), ("c", "a", "b")])
def test_newer_compares_rows_column_by_column_as_python_compares_tuples(spark, columns):
    rows = [dict(zip("abc", values, strict=True)) for values in product([1, 2, 10], repeat=3)]
    pairs = list(product(rows, rows))
    structs = {"l": pa.array([left for left, _ in pairs]), "r": pa.array([right for _, right in pairs])}
    expected = [tuple(left[c] for c in columns) > tuple(right[c] for c in columns) for left, right in pairs]
    assert evaluate(spark, is_newer("l", "r", columns), **structs) == expected


def test_a_row_is_not_newer_than_itself(spark):
    row = {"l": pa.array([{"a": 1, "b": "x"}]), "r": pa.array([{"a": 1, "b": "x"}])}
    assert evaluate(spark, is_newer("l", "r", ("a", "b")), **row) == [False]
