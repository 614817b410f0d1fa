"""Texts become typed values the same way on every engine, and a table's rules follow from its declaration."""

import math
from datetime import UTC
from decimal import Decimal

import pyarrow as pa
import pytest

from spark_steps import rules
from spark_steps.declarations import Column, Layer, Rule, Severity, TableSpec, Text
from spark_steps.tables import TABLES, tables_in

INTS = [
    ("12", 12),
    ("12.0", 12),
    ("12.00", 12),
    (" 7 ", 7),
    ("+5", 5),
    ("-5", -5),
    ("-0", 0),
    ("0012", 12),
    ("2147483647", 2147483647),
    ("-2147483648", -2147483648),
    ("2147483648", None),
    ("-2147483649", None),
    ("99999999999999999999", None),
    ("12.5", None),
    ("12.", None),
    (".0", None),
    ("1e3", None),
    ("1,5", None),
    ("1_000", None),
    ("0x10", None),
    ("- 5", None),
    ("+-5", None),
    ("NaN", None),
    ("two", None),
    ("\u0661\u0662", None),
    ("12\n", 12),
    ("12\n13", None),
    ("", None),
    ("  ", None),
    ("\t", None),
    (None, None),
]
AMOUNTS = [
    ("58.9", Decimal("58.90")),
    ("58.90", Decimal("58.90")),
    ("58.904", Decimal("58.90")),
    ("58.905", Decimal("58.91")),
    ("0.00", Decimal("0.00")),
    ("-0", Decimal("0.00")),
    ("-58.90", Decimal("-58.90")),
    ("+5", Decimal("5.00")),
    ("5.", Decimal("5.00")),
    (" 7 ", Decimal("7.00")),
    ("0058.90", Decimal("58.90")),
    ("9999999999.99", Decimal("9999999999.99")),
    ("9999999999.995", None),
    ("10000000000", None),
    ("-10000000000", None),
    ("99999999999999999999999999999999999999999", None),
    (".5", None),
    ("1e3", None),
    ("58,90", None),
    ("1.234,50", None),
    ("1,234.50", None),
    ("R$ 58.90", None),
    ("NaN", None),
    ("58.90\n", Decimal("58.90")),
    ("", None),
    ("  ", None),
    ("\t", None),
    (None, None),
]
DOUBLES = [
    ("-23.54562128115268", -23.54562128115268),
    ("-46", -46.0),
    ("0", 0.0),
    ("-0", 0.0),
    ("-0.0", 0.0),
    ("1e3", 1000.0),
    ("1E-3", 0.001),
    ("+5", 5.0),
    ("5.", 5.0),
    (" 7 ", 7.0),
    ("1e309", math.inf),
    (".5", None),
    ("-23,5", None),
    ("NaN", None),
    ("Infinity", None),
    ("inf", None),
    ("1d", None),
    ("1f", None),
    ("23.5 S", None),
    ("12\n", 12.0),
    ("", None),
    ("  ", None),
    ("\t", None),
    (None, None),
]
TIMES = [
    ("2018-05-10 03:00:00", "2018-05-10T03:00:00+00:00"),
    ("2018-05-10T03:00:00", "2018-05-10T03:00:00+00:00"),
    ("2018-05-10", "2018-05-10T00:00:00+00:00"),
    (" 2018-05-10 03:00:00 ", "2018-05-10T03:00:00+00:00"),
    ("2018-05-10 03:00:00.5", "2018-05-10T03:00:00.500000+00:00"),
    ("2018-05-10 03:00:00.123456", "2018-05-10T03:00:00.123456+00:00"),
    ("2018-05-10 23:59:59", "2018-05-10T23:59:59+00:00"),
    ("2018-10-21 00:00:00", "2018-10-21T00:00:00+00:00"),
    ("2016-02-29", "2016-02-29T00:00:00+00:00"),
    ("1900-01-01", "1900-01-01T00:00:00+00:00"),
    ("2199-12-31 23:59:59", "2199-12-31T23:59:59+00:00"),
    ("2018-02-29", None),
    ("2018-02-31", None),
    ("2018-02-31 10:00:00", None),
    ("2018-04-31", None),
    ("2018-13-01", None),
    ("2018-00-10", None),
    ("2018-01-00", None),
    ("0000-00-00 00:00:00", None),
    ("2018-05-10 24:00:00", None),
    ("2018-05-10 25:00:00", None),
    ("2018-05-10 23:60:00", None),
    ("2018-05-10 23:59:60", None),
    ("2018-05-10 03:00:00.1234567", None),
    ("1800-01-01", None),
    ("1899-12-31 23:59:59", None),
    ("2200-01-01", None),
    ("2018-5-1", None),
    ("2018-05-10 03:00", "2018-05-10T03:00:00+00:00"),
    ("2018-05-10T03:00", "2018-05-10T03:00:00+00:00"),
    ("1900-01-01 00:00", "1900-01-01T00:00:00+00:00"),
    ("2018-05-10 03:00:00 UTC", "2018-05-10T03:00:00+00:00"),
    ("2018-05-10 03:00:00UTC", "2018-05-10T03:00:00+00:00"),
    ("2018-05-10T03:00:00Z", "2018-05-10T03:00:00+00:00"),
    ("2018-05-10 03:00:00.123456 Z", "2018-05-10T03:00:00.123456+00:00"),
    ("2018-05-10 03:00Z", "2018-05-10T03:00:00+00:00"),
    ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00+00:00"),
    ("2018-05-10 03:00:00+00:00", "2018-05-10T03:00:00+00:00"),
    ("2018-05-10 03:00:00-03:00", "2018-05-10T06:00:00+00:00"),
    ("2018-05-10T03:00:00-0300", "2018-05-10T06:00:00+00:00"),
    ("2018-05-10 03:00:00-03", "2018-05-10T06:00:00+00:00"),
    ("2018-05-10 03:00:00 -03:00", "2018-05-10T06:00:00+00:00"),
    ("2018-05-10 03:00-03", "2018-05-10T06:00:00+00:00"),
    ("2018-05-10 03:00:00.5+05:30", "2018-05-09T21:30:00.500000+00:00"),
    ("2018-12-31 23:00:00-14:00", "2019-01-01T13:00:00+00:00"),
    ("2018-05-10 03:00:00+99:00", None),
    ("2018-05-10 03:00:00+15:00", None),
    ("2018-05-10 03:00:00+03:60", None),
    ("2018-05-10 03:00:00+3", None),
    ("2018-05-10 03:00:00+030", None),
    ("2018-05-10 03:00:00+03:0", None),
    ("2018-05-10 03:00:00+03:00:00", None),
    ("2018-05-10 03:00:00 BRT", None),
    ("2018-05-10 03:00:00ZZ", None),
    ("2018-05-10 03:00:00Z+03:00", None),
    ("2018-05-10 25:00:00Z", None),
    ("2018-05-10 25:00", None),
    ("2018-05-10 03:60", None),
    ("2018-02-31 10:00:00-03:00", None),
    ("2018-05-10 03", None),
    ("2018-05-10Z", None),
    ("2018-05-10-03:00", None),
    ("1900-01-01 00:00:00+03:00", None),
    ("2199-12-31 23:59:59-03:00", None),
    ("2018-05-10  03:00:00", None),
    ("10/05/2018", None),
    ("20180510", None),
    ("1525921200", None),
    ("2018-05-10\n", "2018-05-10T00:00:00+00:00"),
    ("", None),
    ("  ", None),
    ("\t", None),
    (None, None),
]
TEXTS = [
    ("são paulo", "são paulo"),
    (" sao paulo ", " sao paulo "),
    ("line\nline", "line\nline"),
    ("0", "0"),
    ("NA", "NA"),
    ("null", "null"),
    ("", None),
    ("  ", None),
    ("\t", None),
    ("\r\n", None),
    (" \t\r\n ", None),
    (None, None),
]
IDS = [
    ("o1", "o1"),
    ("o1   ", "o1"),
    ("  o1", "o1"),
    ("\to1\r\n", "o1"),
    ("\u00a0o1\u00a0", "o1"),
    ("\ufeffo1\u200b", "o1"),
    ("\u3000o1", "o1"),
    ("o 1", "o 1"),
    ("o\u00a01", "o\u00a01"),
    ("o1\x00", "o1\x00"),
    ("", None),
    ("  ", None),
    ("\u00a0\t", None),
    (None, None),
]
ZIP_CODE_PREFIXES = [
    ("01001", "01001"),
    (" 01001\u00a0", "01001"),
    ("1001\n", "01001"),
    ("1001", "01001"),
    ("1", "00001"),
    ("0", "00000"),
    ("99999", "99999"),
    ("123456", "123456"),
    ("1001a", "1001a"),
    ("", None),
    ("  ", None),
    (None, None),
]
ZIP_CODE_PREFIX = next(c for c in TABLES["trusted/sellers"].columns if c.name == "seller_zip_code_prefix")


def typed(spark, column, texts):
    """The values of the texts in a column, in their order; times in ISO format."""
    rows = pa.table({"position": range(len(texts)), rules.raw_column_name(column): pa.array(texts, pa.string())})
    spark.createDataFrame(rows).createOrReplaceTempView("texts_to_type")
    found = spark.sql(f"SELECT {rules.cast_expression(column)} AS value FROM texts_to_type ORDER BY position").toArrow()
    values = found.column("value").to_pylist()
    return [v.astimezone(UTC).isoformat() if hasattr(v, "isoformat") else v for v in values]


@pytest.mark.parametrize(
    ("column", "rows"),
    [
        pytest.param(Column("c", "int"), INTS, id="int"),
        pytest.param(Column("c", "decimal(12,2)"), AMOUNTS, id="decimal"),
        pytest.param(Column("c", "double"), DOUBLES, id="double"),
        pytest.param(Column("c", "timestamp"), TIMES, id="timestamp"),
        pytest.param(Column("c"), TEXTS, id="string"),
        pytest.param(Column("c", text=Text.ID), IDS, id="id"),
        pytest.param(ZIP_CODE_PREFIX, ZIP_CODE_PREFIXES, id="zip code prefix"),
    ],
)
@pytest.mark.spark
def test_a_text_becomes_a_value_or_null_if_it_is_unreadable(spark, column, rows):
    texts = [text for text, _ in rows]
    assert list(zip(texts, typed(spark, column, texts), strict=True)) == rows


def test_minus_zero_becomes_zero(spark):
    zeros = typed(spark, Column("c", "double"), ["0", "-0", "-0.0", "-0e5"])
    assert [str(zero) for zero in zeros] == ["0.0", "0.0", "0.0", "0.0"]


def test_values_have_the_declared_types(spark):
    columns = [Column("a", "int"), Column("b", "decimal(12,2)"), Column("c", "double"), Column("d", "timestamp")]
    texts = ", ".join(f"'1' AS {rules.raw_column_name(column)}" for column in columns)
    values = ", ".join(f"{rules.cast_expression(column)} AS {column.name}" for column in columns)
    assert spark.sql(f"SELECT {values} FROM (SELECT {texts})").dtypes == [
        ("a", "int"),
        ("b", "decimal(12,2)"),
        ("c", "double"),
        ("d", "timestamp"),
    ]


@pytest.mark.parametrize("column_type", ["int", "decimal(12,2)", "double", "timestamp", "string"])
@pytest.mark.parametrize("blank", ["", "  ", "\t", "\r\n"])
def test_a_blank_text_violates_no_rule_if_nothing_is_required(spark, column_type, blank):
    column = Column("c", column_type)
    table = TableSpec(layer=Layer.TRUSTED, name="t", grain="a row", key=(), columns=(column,))
    rule, _ = rules.first_violation(rules.error_rules(table))
    texts = pa.table({rules.raw_column_name(column): [blank], "_reject": pa.nulls(1, pa.string())})
    spark.createDataFrame(texts).createOrReplaceTempView("blank_text")
    rows = spark.sql(f"SELECT {rule} AS rule FROM (SELECT *, {rules.cast_expression(column)} AS c FROM blank_text)")
    assert [row["rule"] for row in rows.collect()] == [None]


# --- Rules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (
            "trusted/orders",
            [
                "row_unparsed",
                "order_id_missing",
                "order_id_malformed",
                "customer_id_missing",
                "customer_id_malformed",
                "order_status_unknown",
                "order_purchase_timestamp_unreadable",
                "order_purchase_timestamp_missing",
                "order_approved_at_unreadable",
                "order_delivered_carrier_date_unreadable",
                "order_delivered_customer_date_unreadable",
                "order_estimated_delivery_date_unreadable",
                "delivered_before_purchase",
            ],
        ),
        (
            "trusted/customers",
            [
                "row_unparsed",
                "customer_id_missing",
                "customer_id_malformed",
                "customer_unique_id_missing",
                "customer_unique_id_malformed",
                "customer_zip_code_prefix_malformed",
                "customer_state_unknown",
            ],
        ),
        (
            "trusted/order_items",
            [
                "row_unparsed",
                "order_id_missing",
                "order_id_malformed",
                "order_item_id_unreadable",
                "order_item_id_missing",
                "order_item_id_out_of_range",
                "product_id_missing",
                "product_id_malformed",
                "seller_id_malformed",
                "shipping_limit_date_unreadable",
                "price_unreadable",
                "price_missing",
                "price_out_of_range",
                "freight_value_unreadable",
                "freight_value_missing",
                "freight_value_out_of_range",
                "price_rounded",
                "freight_value_rounded",
                "seller_missing",
            ],
        ),
        (
            "trusted/order_payments",
            [
                "row_unparsed",
                "order_id_missing",
                "order_id_malformed",
                "payment_sequential_unreadable",
                "payment_sequential_missing",
                "payment_sequential_out_of_range",
                "payment_type_missing",
                "payment_type_unknown",
                "payment_installments_unreadable",
                "payment_installments_out_of_range",
                "payment_value_unreadable",
                "payment_value_missing",
                "payment_value_out_of_range",
                "payment_value_rounded",
            ],
        ),
        (
            "trusted/order_reviews",
            [
                "row_unparsed",
                "review_id_missing",
                "review_id_malformed",
                "order_id_missing",
                "order_id_malformed",
                "review_score_unreadable",
                "review_score_missing",
                "review_score_out_of_range",
                "review_creation_date_unreadable",
                "review_answer_timestamp_unreadable",
            ],
        ),
        (
            "trusted/products",
            [
                "row_unparsed",
                "product_id_missing",
                "product_id_malformed",
                "product_category_name_malformed",
                "product_name_length_unreadable",
                "product_description_length_unreadable",
                "product_photos_qty_unreadable",
                "product_weight_g_unreadable",
                "product_length_cm_unreadable",
                "product_height_cm_unreadable",
                "product_width_cm_unreadable",
            ],
        ),
        (
            "trusted/sellers",
            [
                "row_unparsed",
                "seller_id_missing",
                "seller_id_malformed",
                "seller_zip_code_prefix_malformed",
                "seller_state_unknown",
            ],
        ),
        (
            "trusted/geolocation",
            [
                "row_unparsed",
                "geolocation_zip_code_prefix_missing",
                "geolocation_zip_code_prefix_malformed",
                "geolocation_lat_unreadable",
                "geolocation_lat_missing",
                "geolocation_lat_out_of_range",
                "geolocation_lng_unreadable",
                "geolocation_lng_missing",
                "geolocation_lng_out_of_range",
                "geolocation_city_missing",
                "geolocation_city_malformed",
                "geolocation_state_missing",
                "geolocation_state_unknown",
            ],
        ),
        (
            "trusted/product_category_translation",
            [
                "row_unparsed",
                "product_category_name_missing",
                "product_category_name_malformed",
            ],
        ),
    ],
)
def test_rules_follow_the_order_of_columns_with_warnings_last(table, names):
    assert [rule.name for rule in rules.row_rules(TABLES[table])] == names


def test_every_trusted_table_is_listed_above():
    [listed] = [mark.args[1] for mark in test_rules_follow_the_order_of_columns_with_warnings_last.pytestmark]
    assert [table for table, _ in listed] == [table.id for table in tables_in(Layer.TRUSTED)]


def test_the_accepted_ranges_written_out():
    ranges = [rule for table in tables_in(Layer.TRUSTED) for rule in rules.row_rules(table) if "range" in rule.name]
    assert [rule.violated_when for rule in ranges] == [
        "order_item_id < 1",
        "price < 0",
        "freight_value < 0",
        "payment_sequential < 1",
        "payment_installments < 0",
        "payment_value < 0",
        "review_score < 1 OR review_score > 5",
        "geolocation_lat < -90 OR geolocation_lat > 90",
        "geolocation_lng < -180 OR geolocation_lng > 180",
    ]


def test_the_rules_of_sellers_written_out():
    states = (
        "'AC', 'AL', 'AM', 'AP', 'BA', 'CE', 'DF', 'ES', 'GO', 'MA', 'MG', 'MS', 'MT', 'PA', 'PB', 'PE', 'PI', 'PR', "
        "'RJ', 'RN', 'RO', 'RR', 'RS', 'SC', 'SE', 'SP', 'TO'"
    )
    assert rules.row_rules(TABLES["trusted/sellers"]) == (
        Rule(name="row_unparsed", violated_when="_reject IS NOT NULL", reason="_reject", severity=Severity.ERROR),
        Rule(
            name="seller_id_missing",
            violated_when="seller_id IS NULL",
            reason="'seller_id is missing'",
            severity=Severity.ERROR,
        ),
        Rule(
            name="seller_id_malformed",
            violated_when="seller_id RLIKE '\\\\p{Cc}'",
            reason="concat('seller_id has control characters: ', substr(`text_seller_id`, 1, 100))",
            severity=Severity.ERROR,
        ),
        Rule(
            name="seller_zip_code_prefix_malformed",
            violated_when="NOT seller_zip_code_prefix RLIKE '^[0-9]{5}$'",
            reason="concat('seller_zip_code_prefix is malformed: ', substr(`text_seller_zip_code_prefix`, 1, 100))",
            severity=Severity.ERROR,
        ),
        Rule(
            name="seller_state_unknown",
            violated_when=f"seller_state NOT IN ({states})",
            reason="concat('seller_state is unknown: ', substr(`text_seller_state`, 1, 100))",
            severity=Severity.ERROR,
        ),
    )


def test_a_tables_rules_are_its_errors_followed_by_its_warnings():
    items = TABLES["trusted/order_items"]
    assert rules.warnings(items) == (
        Rule(
            name="price_rounded",
            violated_when="`text_price` RLIKE '[.][0-9]{2}[0-9]*[1-9]'",
            reason="'price has more than two decimals and is rounded half up'",
            severity=Severity.WARN,
        ),
        Rule(
            name="freight_value_rounded",
            violated_when="`text_freight_value` RLIKE '[.][0-9]{2}[0-9]*[1-9]'",
            reason="'freight_value has more than two decimals and is rounded half up'",
            severity=Severity.WARN,
        ),
        Rule(
            name="seller_missing",
            violated_when="seller_id IS NULL",
            reason="'the item names no seller'",
            severity=Severity.WARN,
        ),
    )
    assert rules.error_rules(items) + rules.warnings(items) == rules.row_rules(items)


def test_a_table_that_is_not_delivered_has_only_its_own_rules():
    assert rules.row_rules(TABLES["refined/fact_payments"]) == ()


def test_the_first_violated_rule_is_reported(spark):
    rule, reason = rules.first_violation(
        (
            Rule(name="negative", violated_when="n < 0", reason="concat('negative: ', n)"),
            Rule(name="odd", violated_when="n % 2 <> 0", reason="'odd'"),
        )
    )
    rows = spark.sql(f"SELECT n, {rule} AS rule, {reason} AS reason FROM VALUES (-3), (-2), (2), (3) AS t(n)")
    assert sorted(tuple(row) for row in rows.collect()) == [
        (-3, "negative", "negative: -3"),
        (-2, "negative", "negative: -2"),
        (2, None, None),
        (3, "odd", "odd"),
    ]
